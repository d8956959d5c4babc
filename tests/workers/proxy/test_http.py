"""The HTTP proxy, with curl as its client: what goes through, and what is said when it does not."""

import pytest
import trio

from tests.workers.proxy.conftest import everything
from workers.proxy import serve as serving


async def test_an_allowed_host_is_reached(world):
    """Observed: absolute form, with the Host of the URL."""
    world.allow("here.test", allow_local_binding=True)
    url = world.near()
    status, said = await world.curl(f"{url}a?b=c", "-H", "Host: elsewhere.test")

    assert (status, said.splitlines()[-1]) == (0, f"GET /a?b=c here.test:{world.origin.port} 0")
    assert "x-origin: yes" in said.lower()
    assert world.asked == world.told == []


async def test_a_tunnel_is_opened(world):
    """Observed: CONNECT; what goes through it is not looked at."""
    world.allow("here.test", allow_local_binding=True)
    status, said = await world.curl("-p", world.near())

    assert (status, said.splitlines()[-1]) == (0, f"GET / here.test:{world.origin.port} 0")


async def test_a_body_goes_up_whole(world):
    """Ours: bodies are streamed, with a length and without one."""
    world.allow("here.test", allow_local_binding=True)
    url, data = world.near(), "x" * 1_000_000
    await world.curl(url, "-d", data[:100_000])
    await world.curl(url, "-d", data[:100_000], "-H", "Transfer-Encoding: chunked")
    await world.curl(url, "-d", data[:100_000], "-H", "Expect: 100-continue")

    assert [len(body) for body in world.origin.bodies] == [100_000] * 3


async def test_headers_of_one_connection_are_not_passed_on(world):
    """RFC 9110, section 7.6.1: not the proxy's credentials, nor what Connection names."""
    world.allow("here.test", allow_local_binding=True)
    words = ["-H", "Connection: x-mine", "-H", "x-mine: 1", "-H", "x-kept: 2"]
    await world.curl(world.near(), *words, "-H", "Proxy-Authorization: secret")
    names = {name for name, _ in world.origin.requests[0].headers}

    assert b"x-kept" in names
    assert not names & {b"x-mine", b"proxy-authorization", b"proxy-connection"}


@pytest.mark.parametrize(
    ("network", "url", "error", "word"),
    [
        ({"denied": ["*.no.test"]}, "http://a.no.test/", "denylist", "denied by"),
        ({}, "http://other.test/", "allowlist", "not among the domains"),
        ({}, "http://127.0.0.1/", "allowlist", "private network"),
        ({}, "http://[::1]/", "allowlist", "private network"),
        ({}, "http://localhost/", "allowlist", "private network"),
        ({}, "http://169.254.169.254/latest", "allowlist", "private network"),
        ({"allowed": ["*"]}, "http://10.1.2.3/", "allowlist", "private network"),
        ({"allowed": ["*"]}, "http://0x7f.1/", "allowlist", "private network"),
    ],
)
async def test_what_is_blocked_says_why_and_what_to_do(world, network, url, error, word):
    """Observed: 403 and `x-proxy-error`.  Ours: the text says what to do."""
    world.names["0x7f.1"] = ["127.0.0.1"]
    world.network = type(world.network)(**network)
    status, said = await world.curl(url)

    assert status == 0
    assert "403 Forbidden" in said
    assert f"x-proxy-error: blocked-by-{error}" in said
    assert word in said
    assert len(world.told) == 1


async def test_an_unlisted_host_is_asked_about_and_reached_after_a_yes(world):
    """Observed."""
    world.network = type(world.network)(allow_local_binding=True)
    url = world.near()
    world.answer = True
    status, said = await world.curl(url)

    assert (status, "200" in said) == (0, True)
    assert [(t.protocol, t.host, t.port) for t in world.asked] == [
        ("http", "here.test", world.origin.port)
    ]


async def test_a_host_that_nobody_allows_is_not_even_looked_up(world):
    """Ours: a name can carry data out, to whoever answers for it."""
    await world.curl("http://secret.leak.test/")

    assert (len(world.asked), world.looked_up) == (1, [])


async def test_a_name_is_looked_up_once_and_what_was_judged_is_used(world):
    """Ours: net-proxy-rebind; a second answer could lead elsewhere."""
    world.allow("two.test", allow_local_binding=True)
    world.names["two.test"] = [["127.0.0.1"], ["127.0.0.2"]]
    await world.curl(f"http://two.test:{world.origin.port}/")

    assert world.looked_up == ["two.test"]
    assert len(world.origin.requests) == 1


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["fd00::1"]])
async def test_an_allowed_name_that_leads_near_is_blocked(world, addresses):
    """Observed: even when it is listed; one such address is enough."""
    world.allow("inner.test")
    world.names["inner.test"] = addresses
    _, said = await world.curl(f"http://inner.test:{world.origin.port}/")

    assert "403 Forbidden" in said
    assert "private network" in said
    assert world.origin.requests == []


async def test_an_address_near_is_reached_when_it_is_listed_itself(world):
    """Observed: exact literals; a pattern is not enough."""
    world.allow("127.0.0.1")
    status, said = await world.curl(f"http://127.0.0.1:{world.origin.port}/")

    assert (status, "200" in said) == (0, True)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["-X", "POST"], "method-policy"),
        (["-X", "DELETE"], "method-policy"),
        (["-p"], "mitm-required"),
    ],
)
async def test_limited_lets_only_reading_through(world, words, error):
    """Observed: GET, HEAD and OPTIONS; no tunnels, since nobody sees into them."""
    world.allow("here.test", allow_local_binding=True, mode="limited")
    url = world.near()
    _, said = await world.curl(url, *words)
    assert f"x-proxy-error: blocked-by-{error}" in said
    assert world.origin.requests == []
    assert "200" in (await world.curl(url, "-I"))[1]


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("http://missing.test/", "cannot look up missing.test: Name or service not known"),
        ("http://here.test:1/", "cannot connect to here.test:1: Connection refused"),
    ],
)
async def test_a_host_that_cannot_be_reached_is_told(world, url, word):
    """Ours: 502 with the cause."""
    world.allow("*.test", allow_local_binding=True)
    world.names["here.test"] = ["127.0.0.1"]
    _, said = await world.curl(url)

    assert "502 Bad Gateway" in said
    assert word in said


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),  # not to a proxy
        (b"GET https://a.test/ HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),
        (b"GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),
        (b"GET http://a_b\xff/ HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),
        (b"CONNECT a.test HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),
        (b"CONNECT a.test:0 HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),
        (b"CONNECT a.test:99999 HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),
        (b"CONNECT [fe80::1%25eth0]:80 HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),
        (b"GET http://a/ HTTP/1.1\r\nx-unix-socket: /run/x\r\nHost: a\r\n\r\n", b"501"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"400"),
        (b"GET http://a/ HTTP/1.1\r\nX: " + b"x" * (80 << 10), b"431"),
        (b"GET http://a/ HTTP/1.1\r\n" + b"X: y\r\n" * (20 << 10), b"431"),
    ],
)
async def test_nonsense_is_answered_and_ends_only_its_connection(world, sent, status):
    """Ours: strangers write this."""
    world.allow("here.test", allow_local_binding=True)
    async with world.connected() as stream:
        await stream.send_all(sent)
        answer = await everything(stream)

    assert answer.startswith(b"HTTP/1.1 " + status), answer
    assert "200" in (await world.curl(world.near()))[1]


async def test_a_client_that_says_nothing_is_let_go(world, monkeypatch):
    """Ours: slow heads hold places that others need."""
    monkeypatch.setattr(serving, "HEAD_SECONDS", 0.05)
    async with world.connected() as stream:
        await stream.send_all(b"GET http://a.test/ HTTP/1.1\r\n")
        assert await everything(stream) == b""
    async with world.connected(world.socks) as stream:
        await stream.send_all(b"\x05")
        assert await everything(stream) == b""


async def test_a_client_may_break_off_anywhere(world):
    """Ours: each leaves nothing behind."""
    world.allow("here.test", allow_local_binding=True)
    url = world.near()
    head = f"POST {url} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n".encode()
    for sent in (
        b"GET ht",
        head,
        head + b"12345",
        f"CONNECT {url[7:-1]} HTTP/1.1\r\n\r\n".encode(),
    ):
        async with world.connected() as stream:
            await stream.send_all(sent)

    assert "200" in (await world.curl(url))[1]


async def test_who_leaves_before_the_answer_takes_the_request_along(world, monkeypatch):
    """Ours: a command that was killed must not hold a place while a server thinks."""
    monkeypatch.setattr("workers.proxy.relay.LINGER_SECONDS", 0.05)
    world.allow("127.0.0.1")
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    port = listener.socket.getsockname()[1]
    async with listener:
        async with world.connected() as stream:
            await stream.send_all(
                f"GET http://127.0.0.1:{port}/ HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            )
            server = await listener.accept()
            await server.receive_some()
        async with server:
            assert await server.receive_some() == b""


async def test_more_connections_than_places_wait_for_one(world, monkeypatch):
    """Ours: a flood is bounded, and nobody is turned away for it."""
    monkeypatch.setattr(serving, "CONNECTIONS", 3)
    crowded = await type(world)(world._nursery).begin()
    crowded.allow("here.test", allow_local_binding=True)
    url = crowded.near()
    answers = []

    async def get():
        answers.append(await crowded.curl(url))

    async with trio.open_nursery() as nursery:
        for _ in range(12):
            nursery.start_soon(get)

    assert [status for status, _ in answers] == [0] * 12
