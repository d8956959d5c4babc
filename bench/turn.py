"""How soon a small turn speaks, and what it costs all the server's processes.

bench/run turn [--reference PATH] [--server CMD] [--rounds N]
"""

import time

from bench.client import Figures, Home, alternate, arguments, median_ms, provider

TURNS = 60
WARM = 3  # turns of the thread before those that count


def measure(home: Home) -> Figures:
    return {**turns(home, websocket=False), **turns(home, websocket=True)}


def turns(home: Home, *, websocket: bool) -> Figures:
    form = "WebSocket" if websocket else "stdio"
    with home.server(websocket=websocket) as server:
        thread_id = server.client.start_thread(home.cwd)
        for _ in range(WARM):
            server.client.turn(thread_id)
        before = server.cpu_seconds()
        answered, first, completed = zip(
            *(turn(server.client, thread_id) for _ in range(TURNS)), strict=True
        )
        cpu = server.cpu_seconds() - before
    return {
        f"turn/start -> its response p50, {form}, ms": median_ms(answered),
        f"turn/start -> first delta p50, {form}, ms": median_ms(first),
        f"turn/start -> turn/completed p50, {form}, ms": median_ms(completed),
        f"server CPU per small turn, {form}, ms": cpu / TURNS * 1000,
    }


def turn(client, thread_id: str) -> tuple[float, float, float]:
    started = time.perf_counter()
    client.answer(client.start_turn(thread_id))
    answered = time.perf_counter()
    client.hear("item/agentMessage/delta")
    first = time.perf_counter()
    client.hear("turn/completed")
    return answered - started, first - started, time.perf_counter() - started


if __name__ == "__main__":
    with provider("--deltas", "3") as url:
        alternate(arguments(), url, measure, "turn")
