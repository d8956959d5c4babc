"""Where a browser comes back to from a login: a small HTTP server on the user's own machine."""

import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from html import escape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import h11
import trio

PORTS = (1455, 1457)  # those that the issuer knows of this client (observed)
PATH = "/auth/callback"
REQUEST_BYTES = 64 << 10
PATIENCE_SECONDS = 10.0  # for one request


class Callback:
    """`told` is what the browser brings; what comes with another state is turned away."""

    def __init__(self, port: int) -> None:
        self.redirect_uri = f"http://localhost:{port}{PATH}"
        self.state = secrets.token_urlsafe(32)
        self.told: dict[str, str] = {}
        self._came = trio.Event()
        self._settled = trio.Event()
        self._problem: str | None = None

    async def code(self) -> str | None:
        """What came back; None when the issuer said no."""
        await self._came.wait()
        return self.told.get("code")

    def settle(self, problem: str | None) -> None:
        """What to show in the browser, once it is known how the login went."""
        self._problem = problem
        self._settled.set()

    async def serve(self, stream: trio.SocketStream) -> None:
        peer = h11.Connection(h11.SERVER, max_incomplete_event_size=REQUEST_BYTES)
        async with stream:
            try:
                with trio.move_on_after(PATIENCE_SECONDS):
                    target = await _target(peer, stream)
                    status, text = await self._take(target)
                    await _answer(peer, stream, status, text)
            except (h11.ProtocolError, trio.BrokenResourceError):
                return  # whoever that was, it was no browser

    async def _take(self, target: str) -> tuple[int, str]:
        parts = urlsplit(target)
        told = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path != PATH:
            return 404, "Nothing is here."
        if told.get("state") != self.state:
            return 400, "This is not the login that was asked for; begin again."
        if self._came.is_set():
            return 400, "This login is over."
        self.told = told
        self._came.set()
        await self._settled.wait()
        if self._problem is not None:
            return 400, f"You are not logged in: {escape(self._problem)}"
        return 200, "You are logged in. You may close this window."


async def _target(peer: h11.Connection, stream: trio.SocketStream) -> str:
    while True:
        match peer.next_event():
            case h11.Request(target=target):
                return target.decode("ascii", "replace")
            case h11.NEED_DATA:
                peer.receive_data(await stream.receive_some(REQUEST_BYTES))
            case _:
                raise h11.RemoteProtocolError("no request")


async def _answer(peer: h11.Connection, stream: trio.SocketStream, status: int, text: str) -> None:
    body = f"<!doctype html><title>Login</title><p>{text}</p>\n".encode()
    head = [
        ("content-type", "text/html; charset=utf-8"),
        ("content-length", str(len(body))),
        ("connection", "close"),
    ]
    connection: Any = peer
    said = (
        h11.Response(status_code=status, headers=head),
        h11.Data(data=body),
        h11.EndOfMessage(),
    )
    for event in said:
        await stream.send_all(connection.send(event) or b"")


@asynccontextmanager
async def listening() -> AsyncGenerator[Callback]:
    """Raises OSError when all ports are taken."""
    listener = await _open()
    callback = Callback(listener.socket.getsockname()[1])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, callback.serve, [listener])
        yield callback
        nursery.cancel_scope.cancel()


async def _open() -> trio.SocketListener:
    for port in PORTS[:-1]:
        try:
            return (await trio.open_tcp_listeners(port, host="127.0.0.1"))[0]
        except OSError:
            continue
    return (await trio.open_tcp_listeners(PORTS[-1], host="127.0.0.1"))[0]
