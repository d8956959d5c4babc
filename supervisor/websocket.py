"""Clients that speak WebSocket, over TCP or over a Unix socket: a message is a text frame.

The library does the handshake, and all that is read: fragments, pings, the client's close.  What
is said to a client leaves as frames that are ready made, the same bytes for everybody; they take
turns with the library's own frames at the one place where both are written, `Wire`.
"""

import ipaddress
import logging
import math
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

import trio
from trio_websocket import (
    ConnectionClosed,
    WebSocketConnection,
    wrap_client_stream,
    wrap_server_stream,
)

from protocol.envelope import Answer, Request, decode
from protocol.framing import line
from supervisor.auth import load
from supervisor.connection import Connection
from supervisor.options import Tcp, WsAuth, default_socket
from supervisor.outbox import Closed, Outbox
from supervisor.sockets import keep_alive, listen_tcp, listen_unix, removed_at_end
from supervisor.stdio import Input, Output, converse
from supervisor.transport import Door, Host
from supervisor.upgrade import Rule
from supervisor.visitor import CLOSE_FRAME, HANDSHAKE_SECONDS, READ_BYTES, Wire, admit, linger

MESSAGE_LIMIT = 16 << 20  # the reference server's
ANSWER_LIMIT = 1 << 30  # of what our own server says; it bounds that itself
OVERRUN_SECONDS = 1.0  # how long a client may be behind by a whole outbox
CLOSE_SECONDS = 1.0  # for the client to answer our close frame

GOING_AWAY = 1001  # RFC 6455, section 7.4.1
TRY_AGAIN_LATER = 1013
BROKEN = (1002, 1007)  # what the library finds: a protocol error, text that is not UTF-8

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
    listener = listen_unix(where, private_folder=path is None)
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
        greet = partial(_greet, host, rule, door)
        serve = partial(trio.serve_listeners, greet, [listener], handler_nursery=clients)
        await accepting.start(serve)
        task_status.started(door)
        await door.wait_shut()
        accepting.cancel_scope.cancel()


async def _greet(host: Host, rule: Rule, door: Door, stream: trio.SocketStream) -> None:
    """One visitor, from its first byte to its last.

    Whatever goes wrong with it stays with it, a fault in the library included: the other clients
    go on.
    """
    async with stream:
        keep_alive(stream)
        try:
            if received := await admit(rule, stream):
                await _converse(host, door, Wire(stream, received))
        except* (trio.BrokenResourceError, trio.ClosedResourceError, ConnectionClosed):
            pass  # the client has gone, which it may do at any time
        except* Exception:
            log.exception("a WebSocket client was dropped")


async def _converse(host: Host, door: Door, wire: Wire) -> None:
    async with trio.open_nursery() as nursery:
        if websocket := await _upgrade(nursery, wire):
            with host.connect("frame") as connection, door.holding(connection):
                await Talk(websocket, wire, connection).run()
        nursery.cancel_scope.cancel()
    if not wire.ending:  # else the client has had its time to answer
        reason = websocket and websocket.closed
        if reason and reason.code in BROKEN and not wire.goodbye:
            await wire.stream.send_all(CLOSE_FRAME + b"\x02" + reason.code.to_bytes(2))
        await linger(wire.stream)


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
    """One upgraded client: what it says, what it is told, and whether it keeps up."""

    def __init__(self, websocket: WebSocketConnection, wire: Wire, connection: Connection) -> None:
        self.websocket = websocket
        self.wire = wire
        self.connection = connection
        self.scope = trio.CancelScope()

    async def run(self) -> None:
        """Return when either side has closed."""
        with self.scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.read)
                nursery.start_soon(self.write)
                nursery.start_soon(self.mind_overrun)

    async def read(self) -> None:
        """Hand in what comes.  Binary frames mean nothing (observed)."""
        with suppress(ConnectionClosed):
            while True:
                message = await self.websocket.get_message()
                if isinstance(message, str):
                    self.connection.receive(message.encode())
        if not self.wire.ending:  # else it is `end` that knows when all is over
            self.scope.cancel()

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
        self.scope.cancel()


class Relay:
    """Somebody who sends and wants JSON lines, towards a server that wants WebSocket."""

    def __init__(self, websocket: WebSocketConnection) -> None:
        self.outbox = Outbox()
        self.in_flight = 0
        self._websocket = websocket
        self._up, self._waiting = trio.open_memory_channel[bytes](math.inf)

    def receive(self, message: bytes) -> None:
        self.in_flight += isinstance(decode(message), Request)
        self._up.send_nowait(message)

    async def upwards(self) -> None:
        with suppress(ConnectionClosed):
            async for message in self._waiting:
                await self._websocket.send_message(message.decode(errors="replace"))

    async def downwards(self) -> None:
        with suppress(ConnectionClosed):
            while True:
                message = str(await self._websocket.get_message()).encode()
                self.in_flight -= isinstance(decode(message), Answer)
                self.outbox.put(line(message))
        self.outbox.close()


async def speak_for(stdin: Input, stdout: Output, server: trio.SocketStream) -> None:
    """Be a WebSocket client on behalf of a stdio client.  Return when either has ended."""
    async with trio.open_nursery() as nursery:
        websocket = await wrap_client_stream(
            nursery, server, "localhost", "/", max_message_size=ANSWER_LIMIT
        )
        relay = Relay(websocket)
        nursery.start_soon(relay.upwards)
        nursery.start_soon(relay.downwards)
        await converse(relay, stdin, stdout)
        with trio.move_on_after(CLOSE_SECONDS):
            await websocket.aclose()
        nursery.cancel_scope.cancel()
