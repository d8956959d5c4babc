"""How many deltas a second reach one client or many, and what they cost the server.

bench/run stream [--reference PATH] [--server CMD] [--rounds N] [--only WORD]

A burst is one turn whose deltas the provider has all at once; paced ones come one by one.
"""

import argparse
import selectors
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import msgspec

from bench.client import (
    Client,
    Counter,
    Figures,
    Home,
    Server,
    Socket,
    alternate,
    arguments,
    provider,
)

BURST = 20_000
PACED = 5_000
RATE = 1_000  # a second; the provider's sleep makes it a little less


def measure(home: Home, *, deltas: int, subscribers: int, paced: bool) -> Figures:
    """`subscribers` 0: one client on stdio."""
    with home.server(websocket=subscribers > 0) as server:
        client = server.client
        thread_id = client.start_thread(home.cwd)
        client.turn(thread_id)  # nobody can join a thread before its first turn
        others = [join(server, thread_id) for _ in range(subscribers - 1)]
        before = server.cpu_seconds()
        started = time.perf_counter()
        client.start_turn(thread_id)
        count([client, *others], deltas)
        seconds = time.perf_counter() - started
        cpu = server.cpu_seconds() - before
    delivered = deltas * max(subscribers, 1)
    who = f"{subscribers} WebSockets" if subscribers else "stdio"
    what = f"{who}, {'one by one' if paced else 'burst'}"
    speed = {} if paced else {f"{what}: delivered/s": delivered / seconds}
    return {**speed, f"{what}: CPU per 100,000 delivered, s": cpu / delivered * 100_000}


def join(server: Server, thread_id: str) -> Client:
    other = Socket(server.port)
    other.hello()
    other.call("thread/resume", {"threadId": thread_id, "excludeTurns": True})
    return other


def count(clients: list[Client], deltas: int) -> None:
    """Read until each has seen all deltas."""
    if len(clients) == 1:
        counter = Counter()
        while counter.feed(clients[0].read()) < deltas:
            pass
        return
    with selectors.DefaultSelector() as selector:
        for client in clients:
            assert isinstance(client, Socket)
            selector.register(client.sock, selectors.EVENT_READ, (client, Counter()))
        while selector.get_map():
            for key, _ in selector.select():
                client, counter = key.data
                if counter.feed(client.read()) >= deltas:
                    selector.unregister(key.fileobj)


@contextmanager
def model(deltas: int, pause: float = 0) -> Iterator[str]:
    """A provider that says one word, and after that many."""
    responses = [
        [{"type": "message", "text": "yes", "pause": 0}],
        [{"type": "message", "text": "word ", "pause": pause, "repeat": deltas}],
    ]
    with tempfile.NamedTemporaryFile(suffix=".json") as script:
        script.write(msgspec.json.encode(responses))
        script.flush()
        with provider("--script", script.name) as url:
            yield url


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="", help="what the lines to be measured begin with")
    options = arguments(parser)
    lines = {"stdio": 0, "8": 8, "32": 32}
    for name, subscribers in lines.items():
        if name.startswith(options.only):
            with model(BURST) as url:
                run = partial(measure, deltas=BURST, subscribers=subscribers, paced=False)
                alternate(options, url, run, f"a burst of {BURST:,} deltas")
    if "paced".startswith(options.only):
        with model(PACED, 1 / RATE) as url:
            run = partial(measure, deltas=PACED, subscribers=0, paced=True)
            alternate(options, url, run, f"{PACED:,} deltas, about {RATE:,}/s")


if __name__ == "__main__":
    main()
