"""WebSocket: frames, closing, slow clients, HTTP on the same port, Unix sockets."""

import socket

import pytest
import trio
from trio_websocket import ConnectionClosed
from wsproto.frame_protocol import Opcode

from supervisor import visitor, websocket
from supervisor.options import Refused, Tcp
from supervisor.websocket import serve_websocket
from tests.supervisor.upgrading import (
    ANYWHERE,
    CLOSE,
    CLOSED,
    Host,
    client,
    converse,
    frame,
    handshake,
    served,
    status,
)


async def test_a_text_frame_is_a_message():
    """DESIGN 8: JSON-RPC in text frames."""
    async with served() as port, client(port) as websocket:
        await websocket.send_message('{"id":1,"method":"echo","params":"é"}')
        assert await websocket.get_message() == '{"id":1,"result":"é"}'


async def test_binary_frames_and_nonsense_are_ignored():
    """Observed."""
    async with served() as port, client(port) as websocket:
        await websocket.send_message(b'{"id":1,"method":"echo"}')
        await websocket.send_message("not json")
        await websocket.send_message('{"id":2,"method":"echo"}')
        assert await websocket.get_message() == '{"id":2,"result":null}'


async def test_one_pong_answers_one_ping_between_fragments():
    """RFC 6455, section 5.4; ours: the reference answers with two pongs."""
    async with served() as port:
        said = await converse(
            port,
            handshake(),
            frame(Opcode.TEXT, b'{"id":1,"met', fin=False),
            frame(Opcode.PING, b"ping"),
            frame(Opcode.CONTINUATION, b'hod":"echo"}'),
            frame(Opcode.PING, b"2"),
            CLOSE,
        )
        head, _, frames = said.partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 101 ")
    answer = b'\x81\x16{"id":1,"result":null}'
    assert frames.startswith(b"\x8a\x04ping")
    assert frames.endswith(CLOSED)
    assert frames.count(b"\x8a") == 2
    assert answer in frames or frames == b"\x8a\x04ping\x8a\x012" + CLOSED


async def test_a_close_is_answered_with_a_close():
    """RFC 6455, section 5.5.1; ours: the reference just hangs up."""
    async with served() as port:
        said = await converse(port, handshake(), CLOSE)
        assert said.endswith(b"\r\n\r\n" + CLOSED)


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (frame(Opcode.TEXT, b"{}", masked=False), 1002),
        (frame(Opcode.TEXT, b"\xff\xfe"), 1007),
        (b"\x83\x81\0\0\0\0x", 1002),
    ],
    ids=["unmasked", "not UTF-8", "reserved opcode"],
)
async def test_broken_frames_end_the_connection_with_their_code(bad, code):
    """Observed that it ends; the codes are RFC 6455's, section 7.4.1."""
    async with served() as port:
        _, _, frames = (await converse(port, handshake(), bad)).partition(b"\r\n\r\n")
        assert frames[0] == 0x88
        assert int.from_bytes(frames[2:4]) == code
        assert await status(port, handshake()) == 101


async def test_a_message_beyond_the_limit_is_refused_with_1009(monkeypatch):
    """Observed: 16 MiB."""
    monkeypatch.setattr(websocket, "MESSAGE_LIMIT", 1000)
    async with served() as port, client(port) as chatty:
        await chatty.send_message("x" * 1001)
        with pytest.raises(ConnectionClosed) as caught:
            await chatty.get_message()
        assert caught.value.reason.code == 1009


async def test_several_megabytes_are_one_message():
    """Observed: 4 MiB."""
    async with served() as port, client(port) as websocket:
        text = "y" * (4 << 20)
        await websocket.send_message(f'{{"id":1,"method":"echo","params":"{text}"}}')
        assert len(await websocket.get_message()) == len(text) + len('{"id":1,"result":""}')


async def test_a_client_that_stays_behind_is_closed_with_1013(monkeypatch):
    """DESIGN 7.  It gets the frame if it reads on in time."""
    monkeypatch.setattr(websocket, "OVERRUN_SECONDS", 0.01)
    host = Host(limit=1 << 20)
    async with served(host) as port, client(port) as slow:
        (theirs,) = host.clients
        for _ in range(12):  # beyond the socket buffers and what the client takes in unasked
            theirs.send(b"x" * (1 << 20))
            await trio.testing.wait_all_tasks_blocked()
        await host.given_up.wait()
        with pytest.raises(ConnectionClosed) as caught:
            while True:
                await slow.get_message()
        assert caught.value.reason.code == 1013
        assert "too far behind" in caught.value.reason.reason


async def test_a_client_that_never_reads_is_dropped_and_delays_nobody(monkeypatch):
    """Ours: without room for a close frame the connection just ends."""
    monkeypatch.setattr(websocket, "OVERRUN_SECONDS", 0.01)
    monkeypatch.setattr(websocket, "CLOSE_SECONDS", 0.01)
    host = Host(limit=1 << 20)
    async with served(host) as port, client(port) as other:
        stuck = await trio.open_tcp_stream("127.0.0.1", port)
        flood = frame(Opcode.TEXT, b'{"id":1,"method":"flood","params":8000000}')
        await stuck.send_all(handshake() + flood * 3)
        await other.send_message('{"id":2,"method":"echo"}')
        assert await other.get_message() == '{"id":2,"result":null}'
        await host.left.wait()
        assert len(host.clients) == 1
        await stuck.aclose()


async def test_a_big_answer_alone_is_no_overrun(monkeypatch):
    """Ours: a client is slow when it stays behind, not when much is said at once."""
    host = Host(limit=1 << 20)
    async with served(host) as port, client(port) as websocket:
        for _ in range(3):
            await websocket.send_message('{"id":1,"method":"flood","params":9000000}')
            assert len(await websocket.get_message()) == 9_000_000


async def test_closing_the_outbox_writes_what_waits_and_says_goodbye():
    """DESIGN 6: how a server that stops lets its clients go."""
    host = Host()
    async with served(host) as port, client(port) as websocket:
        host.clients[0].send(b"the last word")
        host.clients[0].close()
        assert await websocket.get_message() == "the last word"
        with pytest.raises(ConnectionClosed) as caught:
            await websocket.get_message()
        assert caught.value.reason.code == 1001


async def test_a_shut_door_keeps_those_who_are_inside():
    """DESIGN 6: stop accepting, let running turns drain."""
    async with trio.open_nursery() as nursery:
        door = await nursery.start(serve_websocket, Host(), ANYWHERE, None)
        port = int(door.url.rpartition(":")[2])
        with trio.fail_after(5):
            async with client(port) as websocket:
                door.shut()
                await trio.testing.wait_all_tasks_blocked()
                with pytest.raises(OSError, match="all attempts to connect"):
                    await trio.open_tcp_stream("127.0.0.1", port)
                await websocket.send_message('{"id":1,"method":"echo"}')
                assert await websocket.get_message() == '{"id":1,"result":null}'


async def test_dismissed_clients_hear_what_waits_and_the_server_ends_with_the_last():
    """DESIGN 6: ask, and the caller bounds the time."""
    host = Host()
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            door = await nursery.start(serve_websocket, host, ANYWHERE, None)
            port = int(door.url.rpartition(":")[2])
            async with client(port) as one, client(port) as other:
                for connection in host.clients:
                    connection.send(b"the last word")
                door.dismiss()
                for websocket in (one, other):
                    assert await websocket.get_message() == "the last word"
                    with pytest.raises(ConnectionClosed) as caught:
                        await websocket.get_message()
                    assert caught.value.reason.code == 1001


async def test_a_fault_with_one_client_leaves_the_others_alone(caplog):
    """Ours: what goes wrong with a visitor stays with it, and is logged."""
    host = Host()
    async with served(host) as port, client(port) as good, client(port) as bad:
        await bad.send_message('{"id":1,"method":"flood","params":"no number"}')
        with pytest.raises(ConnectionClosed):
            await bad.get_message()
        await good.send_message('{"id":2,"method":"echo"}')
        assert await good.get_message() == '{"id":2,"result":null}'

    assert "a WebSocket client was dropped" in caplog.text


async def test_visitors_who_leave_early_leave_no_trace():
    """Observed: the server survives clients that hang up at any moment."""
    host = Host()
    async with served(host) as port:
        for sent in (b"", b"GET", handshake(), handshake() + b"\x81\xff"):
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            await stream.send_all(sent)
            await stream.aclose()
        assert await status(port, b"GET /readyz HTTP/1.1\r\n\r\n") == 200
        await host.left.wait()
        await trio.testing.wait_all_tasks_blocked()
        assert host.clients == []


async def test_a_visitor_who_says_nothing_is_let_go(monkeypatch):
    """Ours: a descriptor each would otherwise be theirs for ever."""
    monkeypatch.setattr(visitor, "HANDSHAKE_SECONDS", 0.01)
    async with served() as port:
        assert await converse(port, b"GET / HTTP/1.1\r\n") == b""


async def test_a_handshake_that_only_the_library_refuses_ends_as_well(monkeypatch):
    """Ours: the library answers and waits; we do not."""
    monkeypatch.setattr(websocket, "HANDSHAKE_SECONDS", 0.2)
    async with served() as port:
        said = await converse(port, handshake(more="Bad header\x01: x\r\n"))
        assert said.startswith(b"HTTP/1.1 400 ")


async def test_a_head_that_does_not_end_is_refused():
    """Ours: what a stranger makes us keep is bounded."""
    async with served() as port:
        assert (await converse(port, b"GET / HTTP/1.1\r\nx: " + b"y" * 20000))[
            :12
        ] == b"HTTP/1.1 431"


async def test_small_frames_are_not_held_back(monkeypatch):
    """PERFORMANCE: the reference leaves Nagle's algorithm on and pays 40 ms for a delta."""
    seen = []

    def watch(stream):
        seen.append(stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    monkeypatch.setattr(websocket, "keep_alive", watch)
    async with served() as port, client(port):
        assert seen == [1]


async def test_a_port_in_use_is_refused_with_a_cure():
    """Observed: status 1."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(Refused, match=r"in use.*choose another"):
            await serve_websocket(Host(), Tcp(*taken.getsockname()), None)


@pytest.mark.parametrize(("ip", "warned"), [("127.0.0.1", False), ("0.0.0.0", True)])
async def test_an_open_door_to_the_network_is_warned_of(nursery, capsys, ip, warned):
    """Observed: a note about authentication, and no refusal."""
    await nursery.start(serve_websocket, Host(), Tcp(ip, 0), None)
    nursery.cancel_scope.cancel()

    assert ("--ws-auth" in capsys.readouterr().err) is warned
