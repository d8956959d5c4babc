"""WebSocket clients that write chosen bytes, and a host that echoes."""

import base64
from contextlib import asynccontextmanager, contextmanager

import trio
from trio_websocket import wrap_client_stream
from wsproto.frame_protocol import Opcode

from protocol.envelope import Request
from supervisor.connection import Connection
from supervisor.options import Tcp
from supervisor.outbox import Outbox
from supervisor.websocket import serve_websocket

ANYWHERE = Tcp("127.0.0.1", 0)


class Box(Outbox):
    given_up: trio.Event

    def close(self):
        super().close()
        self.given_up.set()


class Host:
    """Answers each request with its params; `flood` sends as many bytes as its params say.

    `left` is set when a client has gone, `given_up` when one's outbox is closed.
    """

    def __init__(self, limit: int = 16 << 20):
        self.limit = limit
        self.clients: list[Connection] = []
        self.left = trio.Event()
        self.given_up = trio.Event()

    @contextmanager
    def connect(self, form):
        connection = Connection(self, form, Box(self.limit))
        connection.outbox.given_up = self.given_up
        self.clients.append(connection)
        try:
            yield connection
        finally:
            self.clients.remove(connection)
            self.left.set()

    def request(self, client: Connection, request: Request) -> None:
        if request.method == "flood":
            client.send(b"x" * int(request.params))
        else:
            client.reply(request.id, request.params)

    def answer(self, client, answer): ...
    def gone(self, client): ...


@asynccontextmanager
async def served(host=None, auth=None):
    async with trio.open_nursery() as nursery:
        door = await nursery.start(serve_websocket, host or Host(), ANYWHERE, auth)
        with trio.fail_after(5):
            yield int(door.url.rpartition(":")[2])
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def client(port: int):
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream, talking(stream) as client:
        yield client


@asynccontextmanager
async def talking(stream, **headers):
    async with trio.open_nursery() as nursery:
        yield await wrap_client_stream(
            nursery, stream, "x", "/", max_message_size=64 << 20, **headers
        )
        nursery.cancel_scope.cancel()


HANDSHAKE = (
    "{method} {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: " + base64.b64encode(bytes(16)).decode() + "\r\n"
    "Sec-WebSocket-Version: {version}\r\n{more}\r\n"
)


def handshake(method="GET", path="/", version="13", more="") -> bytes:
    return HANDSHAKE.format(method=method, path=path, version=version, more=more).encode()


def frame(opcode: Opcode, payload: bytes, *, fin: bool = True, masked: bool = True) -> bytes:
    """A client's frame; a mask of zeros leaves the payload readable."""
    assert len(payload) < 126
    head = bytes((opcode | 0x80 * fin, len(payload) | 0x80 * masked))
    return head + (bytes(4) if masked else b"") + payload


async def converse(port: int, *sent: bytes) -> bytes:
    """All that the server says to these bytes, until it ends the connection."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        await stream.send_all(b"".join(sent))
        return b"".join([bytes(piece) async for piece in stream])


async def status(port: int, request: bytes) -> int:
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        await stream.send_all(request)
        return int((await stream.receive_some(4096)).split()[1])


CLOSE = frame(Opcode.CLOSE, b"\x03\xe8")
CLOSED = bytes((0x88, 2)) + b"\x03\xe8"
