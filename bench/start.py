"""How long until a server answers, and until it has a thread.

bench/run start [--reference PATH] [--server CMD] [--rounds N]
"""

import time

from bench.client import Figures, Home, Pipes, alternate, arguments, end, median_ms, provider

SPAWNS = 10
THREADS = 40


def measure(home: Home) -> Figures:
    return {
        "spawn -> initialize answered, ms": median_ms([spawn(home) for _ in range(SPAWNS + 1)][1:]),
        **threads(home),
    }


def spawn(home: Home) -> float:
    started = time.perf_counter()
    process = home.spawn()
    Pipes(process).hello()
    seconds = time.perf_counter() - started
    end(process)
    return seconds


def threads(home: Home) -> Figures:
    """One thread after the other on one connection; the first one pays for what is lazy."""
    seconds: list[float] = []
    with home.server() as server:
        time.sleep(1)
        for _ in range(THREADS):
            started = time.perf_counter()
            id = server.client.send("thread/start", {"cwd": home.cwd})
            server.client.answer(id)
            seconds.append(time.perf_counter() - started)
    return {
        "thread/start, the first, ms": seconds[0] * 1000,
        "thread/start p50, after the first, ms": median_ms(seconds[1:]),
    }


if __name__ == "__main__":
    with provider() as url:
        alternate(arguments(), url, measure, "start")
