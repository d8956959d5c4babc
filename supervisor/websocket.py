"""Clients that speak WebSocket, over TCP or over a Unix socket: a message is a text frame.

The library does the handshake, and all that is read: fragments, pings, the client's close.  What
is said to a client leaves as frames that are ready made, the same bytes for everybody; they take
turns with the library's own frames at the one place where both are written, `Wire`.
"""

import ipaddress
import logging
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream

from supervisor.auth import load
from supervisor.connection import Connection
from supervisor.options import Tcp, WsAuth, default_socket
from supervisor.outbox import Closed
from supervisor.sockets import keep_alive, listen_tcp, listen_unix, removed_at_end
from supervisor.transport import Door, Host
from supervisor.upgrade import HEAD_LIMIT, Rule, judge, parse, response

MESSAGE_LIMIT = 16 << 20  # the reference server's
READ_BYTES = 64 << 10
HANDSHAKE_SECONDS = 10.0  # a client that says nothing holds a descriptor no longer
OVERRUN_SECONDS = 1.0  # how long a client may be behind by a whole outbox
CLOSE_SECONDS = 2.0  # for the client to answer our close frame
LINGER_SECONDS = 1.0  # for the client to read our last word while it is still sending

GOING_AWAY = 1001  # RFC 6455, section 7.4.1
TRY_AGAIN_LATER = 1013
BROKEN = (1002, 1007)  # what the library finds: a protocol error, text that is not UTF-8
CLOSE_FRAME = b"\x88"  # its first byte

log = logging.getLogger(__name__)


async def serve_websocket(
    host: Host,
    address: Tcp,
    auth: WsAuth | None,
    *,
    task_status: trio.TaskStatus[Door] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until the door is shut and everybody has left.  Raises Refused if it cannot start."""
    rule = Rule(admits=None if auth is None else load(auth))
    listener, real = listen_tcp(address)
    _say(f"listening on {real.url} (http: /readyz, /healthz)")
    if auth is None and not ipaddress.ip_address(real.host).is_loopback:
        _say("anybody who reaches this address may use this server; add --ws-auth")
    await _serve(host, listener, rule, Door(real.url), task_status)


async def serve_unix(
    host: Host,
    path: Path | None,
    *,
    task_status: trio.TaskStatus[Door] = trio.TASK_STATUS_IGNORED,
) -> None:
    """The same on a Unix socket, None being the one under CODEX_HOME.

    Who may open the file may come in, from a web page too: pages cannot open files.
    """
    where = default_socket() if path is None else path
    listener = listen_unix(where)
    with removed_at_end(where):
        _say(f"listening on unix://{where}")
        await _serve(host, listener, Rule(browsers=True), Door(f"unix://{where}"), task_status)


def _say(text: str) -> None:
    with suppress(OSError):  # nobody may be reading stderr, which is no reason to stop
        print(f"atrio: {text}", file=sys.stderr, flush=True)  # noqa: T201


async def _serve(
    host: Host,
    listener: trio.SocketListener,
    rule: Rule,
    door: Door,
    task_status: trio.TaskStatus[Door],
) -> None:
    async with trio.open_nursery() as clients, trio.open_nursery() as accepting:
        greet = partial(_greet, host, rule)
        serve = partial(trio.serve_listeners, greet, [listener], handler_nursery=clients)
        await accepting.start(serve)
        task_status.started(door)
        await door.wait_shut()
        accepting.cancel_scope.cancel()


async def _greet(host: Host, rule: Rule, stream: trio.SocketStream) -> None:
    """One visitor, from its first byte to its last.

    Whatever goes wrong with it stays with it, a fault in the library included: the other clients
    go on.
    """
    async with stream:
        keep_alive(stream)
        try:
            if received := await _admit(rule, stream):
                await _converse(host, Wire(stream, received))
            await _linger(stream)
        except* (trio.BrokenResourceError, trio.ClosedResourceError, ConnectionClosed):
            pass  # the client has gone, which it may do at any time
        except* Exception:
            log.exception("a WebSocket client was dropped")


async def _admit(rule: Rule, stream: trio.SocketStream) -> bytes:
    """What the client has sent so far, when it may come in; else it has had its answer."""
    with trio.move_on_after(HANDSHAKE_SECONDS):
        received = await _receive_head(stream)
        end = received.find(b"\r\n\r\n")
        head = parse(received[:end]) if end >= 0 else None
        status = judge(head, rule) if end >= 0 else 431
        if status == 101 or not received:
            return received
        await stream.send_all(response(status, body=head is None or head.method != "HEAD"))
    return b""


async def _receive_head(stream: trio.SocketStream) -> bytes:
    """Bytes up to the empty line and perhaps beyond; without one if the head is too long."""
    received = b""
    while b"\r\n\r\n" not in received and len(received) < HEAD_LIMIT:
        data = await stream.receive_some(HEAD_LIMIT)
        if not data:
            return b""
        received += data
    return received


async def _linger(stream: trio.SocketStream) -> None:
    """Let the client read our last word: closing over unread input would reset the connection."""
    with trio.move_on_after(LINGER_SECONDS):
        await stream.send_eof()
        while await stream.receive_some(READ_BYTES):
            pass


class Wire(trio.abc.Stream):
    """The stream under one conversation; the library's frames and ours are sent in turns.

    It begins with what has been read of it already.  Frames that came along with the head are held
    back until the handshake is over: the library would not look at them before the next ones come.
    When the library closes it, it stays open for a close frame, which the library omits if it was
    the client that broke the protocol.
    """

    def __init__(self, stream: trio.SocketStream, received: bytes) -> None:
        self.stream = stream
        self.turn = trio.StrictFIFOLock()
        self.upgraded = trio.Event()
        self.ending = False  # we have begun to close, and say nothing more
        self.closed = False  # the library has closed it
        self.goodbye = False  # a close frame has been sent
        head, end, rest = received.partition(b"\r\n\r\n")
        self._head = head + end
        self._rest = rest

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        if self._head:
            data, self._head = self._head, b""
            await trio.lowlevel.checkpoint()
            return data
        await self.upgraded.wait()
        if self.closed:
            raise trio.ClosedResourceError
        if self._rest:
            data, self._rest = self._rest, b""
            return data
        return await self.stream.receive_some(max_bytes)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        async with self.turn:
            if self.closed:
                raise trio.ClosedResourceError
            self.goodbye = data[:1] == CLOSE_FRAME
            await self.stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        async with self.turn:
            await self.stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        self.closed = True
        await trio.lowlevel.checkpoint()


async def _converse(host: Host, wire: Wire) -> None:
    async with trio.open_nursery() as nursery:
        websocket = await _upgrade(nursery, wire)
        if websocket is None:
            nursery.cancel_scope.cancel()
            return
        with host.connect("frame") as connection:
            talk = Talk(websocket, wire, connection)
            nursery.start_soon(talk.write)
            nursery.start_soon(talk.mind_overrun)
            await talk.read()
            if wire.ending:
                await talk.ended.wait()
        nursery.cancel_scope.cancel()
    if websocket.closed and websocket.closed.code in BROKEN and not wire.goodbye:
        await wire.stream.send_all(CLOSE_FRAME + b"\x02" + websocket.closed.code.to_bytes(2))


async def _upgrade(nursery: trio.Nursery, wire: Wire) -> WebSocketConnection | None:
    """None if the library finds fault with the handshake; it has answered, or nobody listens."""
    with trio.move_on_after(HANDSHAKE_SECONDS):
        request = await wrap_server_stream(
            nursery, wire, max_message_size=MESSAGE_LIMIT, receive_buffer_size=READ_BYTES
        )
        websocket = await request.accept()
        wire.upgraded.set()
        return websocket
    return None


class Talk:
    """One upgraded client: three tasks, of which `read` ends the others."""

    def __init__(self, websocket: WebSocketConnection, wire: Wire, connection: Connection) -> None:
        self.websocket = websocket
        self.wire = wire
        self.connection = connection
        self.ended = trio.Event()

    async def read(self) -> None:
        """Return when either side has begun to close.  Binary frames mean nothing (observed)."""
        with suppress(ConnectionClosed):
            while True:
                message = await self.websocket.get_message()
                if isinstance(message, str):
                    self.connection.receive(message.encode())

    async def write(self) -> None:
        """Write what is queued; when nothing more will be, say goodbye."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while True:
                try:
                    frames = await self.connection.outbox.take()
                except Closed:
                    return await self.end(GOING_AWAY, "the server is stopping")
                async with self.wire.turn:
                    if self.wire.ending or self.websocket.closed:
                        return None
                    await self.wire.stream.send_all(frames)

    async def mind_overrun(self) -> None:
        """Close when the client has been behind by a whole outbox for too long."""
        while True:
            await self.connection.overrun.wait()
            with trio.move_on_after(OVERRUN_SECONDS) as patience:
                await self.connection.outbox.wait_room()
            if patience.cancelled_caught:
                break
            self.connection.overrun = trio.Event()
        self.connection.outbox.close()
        await self.end(TRY_AGAIN_LATER, "too far behind: connect again and resume the threads")

    async def end(self, code: int, reason: str) -> None:
        """Close with a frame, and without one when the client does not take it in time."""
        if self.wire.ending:
            return
        self.wire.ending = True
        with trio.move_on_after(CLOSE_SECONDS):
            await self.websocket.aclose(code, reason)
        self.ended.set()
