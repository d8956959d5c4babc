import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio
import trio.testing

from protocol.frames import Event, decode_up
from protocol.framing import Frames
from workers.link import GATHER_BYTES, GATHER_SECONDS, Link


@asynccontextmanager
async def ends() -> AsyncGenerator[tuple[Link, socket.socket]]:
    """A link that writes, and its other end, which holds what is to be read or fails at once."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
    with theirs:
        async with stream, trio.open_nursery() as nursery:
            link = Link(stream)
            nursery.start_soon(link.write)
            yield link, theirs
            nursery.cancel_scope.cancel()


def bodies(data: bytes) -> list[bytes]:
    frames = [decode_up(payload) for payload in Frames().feed(data)]
    return [frame.body for frame in frames if isinstance(frame, Event)]


def say(link: Link, *bodies: bytes) -> None:
    for body in bodies:
        with link.together():
            link.event("a", body)


async def test_what_is_said_together_is_written_at_once():
    """Ours: a delta that comes alone costs no further turn of the scheduler."""
    async with ends() as (link, theirs):
        with link.together():
            link.event("a", b"1")
            link.event("a", b"2")

        assert bodies(theirs.recv(4096)) == [b"1", b"2"]


async def test_what_follows_soon_is_gathered_and_keeps_its_order(autojump_clock):
    """Ours: a write that wakes the supervisor costs more than a delta."""
    async with ends() as (link, theirs):
        say(link, b"1", b"2", b"3")
        assert bodies(theirs.recv(4096)) == [b"1"]

        await trio.sleep(GATHER_SECONDS)
        await trio.testing.wait_all_tasks_blocked()
        assert bodies(theirs.recv(4096)) == [b"2", b"3"]


async def test_a_reply_does_not_wait_for_what_is_gathered(mock_clock):
    """Ours: only deltas can wait.  The clock stands still here: waiting would never end."""
    async with ends() as (link, theirs):
        say(link, b"1", b"2")
        link.event("a", b"3")
        await trio.testing.wait_all_tasks_blocked()

        assert bodies(theirs.recv(4096)) == [b"1", b"2", b"3"]


async def test_a_burst_does_not_wait_either(mock_clock):
    """Ours, as above."""
    async with ends() as (link, theirs):
        say(link, b"1", b"2" * GATHER_BYTES)
        await trio.testing.wait_all_tasks_blocked()

        sizes = [len(body) for body in bodies(theirs.recv(1 << 20))]
        assert sizes == [1, GATHER_BYTES]


async def test_what_is_gathered_is_written_when_the_worker_ends(mock_clock):
    """Ours: `flush` stands before the end of the process."""
    async with ends() as (link, theirs):
        say(link, b"1", b"2")
        with trio.move_on_after(1):
            await link.flush()

        assert bodies(theirs.recv(4096)) == [b"1", b"2"]
