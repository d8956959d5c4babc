"""How many text deltas a second are split and decoded, from one burst as the network brings it.

python -m bench.sse
"""

import time

import msgspec

from bench.provider import many
from workers.events import decode
from workers.scripted import play
from workers.sse import Splitter

DELTAS = 20_000
READ_BYTES = 64 << 10  # what the HTTP library reads at once
ROUNDS = 5


def stream() -> bytes:
    events = play(many(DELTAS)[0], 0)
    return b"".join(
        f"event: {event['type']}\ndata: ".encode() + msgspec.json.encode(event) + b"\n\n"
        for event in events
        if isinstance(event, dict)
    )


def seconds(body: bytes) -> float:
    started = time.perf_counter()
    splitter = Splitter()
    count = sum(
        len(decode(splitter.feed(body[at : at + READ_BYTES])).events)
        for at in range(0, len(body), READ_BYTES)
    )
    assert count == DELTAS + 4  # created, item added, item done, completed
    return time.perf_counter() - started


if __name__ == "__main__":
    body = stream()
    best = min(seconds(body) for _ in range(ROUNDS))
    print(
        f"sse: {DELTAS / best:,.0f} deltas/s split and decoded, {best / DELTAS * 1e6:.2f} us each"
    )
