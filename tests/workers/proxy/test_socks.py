"""SOCKS5, with curl as its client."""

from contextlib import suppress

import pytest
import trio

from tests.workers.proxy.conftest import everything

HELLO = b"\x05\x01\x00"


async def test_a_name_is_resolved_by_the_proxy_and_reached(world):
    """Observed: `socks5h`."""
    world.allow("here.test", allow_local_binding=True)
    url = world.near()
    status, said = await world.curl(url, proxy=f"socks5h://127.0.0.1:{world.socks}")

    assert (status, said.splitlines()[-1]) == (0, f"GET / here.test:{world.origin.port} 0")


async def test_an_unlisted_host_is_asked_about_by_its_protocol(world):
    """Observed: refused with code 2."""
    status, said = await world.curl("http://no.test/", proxy=f"socks5h://127.0.0.1:{world.socks}")

    assert (status, "(2)" in said) == (97, True)
    assert [(t.protocol, t.host, t.port) for t in world.asked] == [("socks5Tcp", "no.test", 80)]
    assert world.told[0].reason == "not_allowed"


async def test_limited_refuses_it(world):
    """Observed: nobody could see what goes through."""
    world.allow("*", mode="limited")
    _, said = await world.curl("http://a.test/", proxy=f"socks5h://127.0.0.1:{world.socks}")

    assert "(2)" in said
    assert world.told[0].reason == "mitm_required"


@pytest.mark.parametrize("sent", [b"\x04\x01\x00\x50", b"GET / HTTP/1.1\r\n\r\n" + b" " * 80])
async def test_another_protocol_is_hung_up_on(world, sent):
    """Ours: SOCKS4 has no names, and HTTP has a port of its own."""
    async with world.connected(world.socks) as stream:
        await stream.send_all(sent)
        with suppress(trio.BrokenResourceError):  # with bytes unread it is a reset
            assert await everything(stream) == b""


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"\x05\x01\x02", b"\x05\xff"),  # with a password only
        (HELLO + b"\x05\x03\x00\x01" + bytes(6), b"\x05\x00\x05\x07"),  # UDP associate
        (HELLO + b"\x05\x02\x00\x01" + bytes(6), b"\x05\x00\x05\x07"),  # bind
        (HELLO + b"\x05\x01\x00\x09" + bytes(6), b"\x05\x00\x05\x08"),  # unknown kind of address
        (HELLO + b"\x05\x01\x00\x03\x03a b" + b"\x00\x50", b"\x05\x00\x05\x08"),
        (HELLO + b"\x05\x01\x00\x03\x00" + b"\x00\x50", b"\x05\x00\x05\x08"),
        (HELLO + b"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x16", b"\x05\x00\x05\x02"),  # near
        (HELLO + b"\x05\x01\x00\x04" + bytes(15) + b"\x01\x00\x16", b"\x05\x00\x05\x02"),
    ],
)
async def test_other_requests_are_refused_by_their_code(world, sent, answer):
    """RFC 1928.  Ours: no datagrams, no listening."""
    async with world.connected(world.socks) as stream:
        await stream.send_all(sent)
        assert (await everything(stream))[: len(answer) or 1] == answer
