"""Two streams as one: what comes in on either goes out on the other, until both have ended.

A slow reader holds the writer back, so no more than one piece waits in either direction.
"""

import trio

PIECE_BYTES = 64 << 10
# For the other direction once one has ended: peers that half-close go on for a while, peers that
# are gone without a word do so for ever.
LINGER_SECONDS = 60.0

# What a refused client still sends is heard for so long, and not more of it: who closes with bytes
# unread takes the answer back before it has been read.
PART_SECONDS, PART_BYTES = 2.0, 1 << 20


async def part(stream: trio.SocketStream) -> None:
    """Say that this was all, and give the client time to hear it."""
    await stream.send_eof()
    with trio.move_on_after(PART_SECONDS):
        left = PART_BYTES
        while left > 0 and (data := await stream.receive_some(left)):
            left -= len(data)


async def relay(one: trio.SocketStream, other: trio.SocketStream) -> None:
    """Return when both have ended, or one has broken; they are closed then."""
    async with one, other, trio.open_nursery() as nursery:
        nursery.start_soon(_pump, one, other, nursery.cancel_scope)
        nursery.start_soon(_pump, other, one, nursery.cancel_scope)


async def _pump(
    source: trio.SocketStream, sink: trio.SocketStream, scope: trio.CancelScope
) -> None:
    try:
        while data := await source.receive_some(PIECE_BYTES):
            await sink.send_all(data)
            if scope.deadline != float("inf"):
                linger(scope)
        await sink.send_eof()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        scope.cancel()
    linger(scope)


def linger(scope: trio.CancelScope) -> None:
    """End it soon: one of its two ends has ended."""
    scope.deadline = trio.current_time() + LINGER_SECONDS
