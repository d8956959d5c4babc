"""Tunnels: half-closed, broken off, and left alone."""

import pytest
import trio
import trio.testing

from workers.proxy.relay import relay


async def pair():
    """Two connected TCP streams."""
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    async with listener:
        ours = await trio.open_tcp_stream(*listener.socket.getsockname()[:2])
        return ours, await listener.accept()


@pytest.fixture
async def tunnel(nursery):
    """The two far ends, and an event for the end of the relay between them."""
    (left, one), (right, other) = await pair(), await pair()
    over = trio.Event()

    async def run():
        await relay(one, other)
        over.set()

    nursery.start_soon(run)
    with trio.fail_after(30):
        yield left, right, over
    for stream in (left, right, one, other):
        await trio.aclose_forcefully(stream)


async def test_one_end_may_be_done_while_the_other_goes_on(tunnel):
    """Ours: `nc -N` and HTTP/1.0 clients do that."""
    left, right, over = tunnel
    await left.send_all(b"question")
    await left.send_eof()
    assert await right.receive_some() == b"question"
    assert await right.receive_some() == b""
    await right.send_all(b"answer")
    await right.aclose()
    assert await left.receive_some() == b"answer"
    assert await left.receive_some() == b""
    await over.wait()


async def test_a_break_on_one_side_ends_the_other(tunnel):
    """Ours: nobody is left waiting for who has gone."""
    left, right, over = tunnel
    await right.send_all(b"unread")
    await left.receive_some()
    await right.send_all(b"unread too")
    await trio.aclose_forcefully(left)  # with bytes unread: a reset
    while not over.is_set():
        try:
            await right.send_all(b"more")
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            break
        await trio.lowlevel.checkpoint()
    await over.wait()


async def test_a_tunnel_that_is_half_over_does_not_last_for_ever(tunnel, monkeypatch):
    """Ours: a server that never closes would keep its place."""
    monkeypatch.setattr("workers.proxy.relay.LINGER_SECONDS", 0.05)
    left, _, over = tunnel
    await left.send_eof()
    await over.wait()


async def test_much_goes_through_unchanged(tunnel):
    """Ours: pieces are passed on as they come."""
    left, right, _ = tunnel
    data = bytes(range(256)) * 20_000
    got = b""

    async def send():
        await left.send_all(data)
        await left.send_eof()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        while piece := await right.receive_some():
            got += piece

    assert got == data
