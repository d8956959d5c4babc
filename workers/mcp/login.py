"""One login to an MCP server: a browser is sent to its issuer and comes back to a port of ours."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import h11
import httpx2
import trio
from mcp.client.auth import OAuthClientProvider, OAuthFlowError
from mcp.shared.auth import AuthorizationCodeResult

from protocol.seldom import LogIn
from protocol.settings import McpServer
from workers.mcp.connection import McpFault
from workers.mcp.http import headers
from workers.mcp.oauth import Store, discover, metadata

TIMEOUT_SECONDS = 300.0  # for the person to log in; the reference server's default
BEFORE_SECONDS = 30.0  # for the server and its issuer to say where to log in
REQUEST_BYTES = 64 << 10
DONE = "You are logged in. You may close this window."


class Login(OAuthClientProvider):
    """`url` is set once there is where to send the browser."""

    def __init__(
        self,
        home: str,
        name: str,
        server: McpServer,
        scopes: list[str] | None,
        callback: "Callback",
    ) -> None:
        assert server.url is not None
        self.url: str | None = None
        self.sent = trio.Event()
        self._scopes = scopes or server.scopes
        self._callback = callback
        super().__init__(
            server_url=server.url,
            client_metadata=metadata(callback.redirect_uri),
            storage=Store(home, name, server.url),
            redirect_handler=self._send,
            callback_handler=callback.code,
        )

    async def _initialize(self) -> None:
        """Begin anew, whatever is stored."""
        self._initialized = True

    async def _perform_authorization(self) -> httpx2.Request:
        if self._scopes is not None:
            self.context.client_metadata.scope = " ".join(self._scopes) or None
        return await super()._perform_authorization()

    async def _send(self, url: str) -> None:
        self._callback.state = parse_qs(urlsplit(url).query)["state"][0]
        self.url = url
        self.sent.set()


class Callback:
    """Where the browser comes back to.  What comes with another state is turned away."""

    def __init__(self, redirect_uri: str) -> None:
        self.redirect_uri = redirect_uri
        self.state: str | None = None
        self._path = urlsplit(redirect_uri).path
        self._told: dict[str, str] | None = None
        self._came = trio.Event()

    async def code(self) -> AuthorizationCodeResult:
        """Raises OAuthFlowError when the issuer says no."""
        await self._came.wait()
        told = self._told or {}
        if "code" not in told:
            why = told.get("error_description") or told.get("error") or "no code came"
            raise OAuthFlowError(f"OAuth provider returned an error: {why}")
        return AuthorizationCodeResult(
            code=told["code"], state=told.get("state"), iss=told.get("iss")
        )

    async def serve(self, stream: trio.SocketStream) -> None:
        """One request, one answer."""
        peer = h11.Connection(h11.SERVER, max_incomplete_event_size=REQUEST_BYTES)
        with trio.move_on_after(10):
            async with stream:
                try:
                    status, text = self._take(await _request(peer, stream))
                    for event in _page(status, text):
                        await stream.send_all(cast("bytes", peer.send(event) or b""))
                except (h11.ProtocolError, trio.BrokenResourceError):
                    return  # whoever that was, it was no browser

    def _take(self, target: str) -> tuple[int, str]:
        parts = urlsplit(target)
        told = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path != self._path:
            return 404, "Nothing is here."
        if self.state is None or told.get("state") != self.state:
            return 400, "This is not the login that was asked for; begin again in your editor."
        self._told = self._told or told
        self._came.set()
        return (200, DONE) if "code" in told else (400, "The login was refused.")


async def _request(peer: h11.Connection, stream: trio.SocketStream) -> str:
    """The target of the request.  Raises h11.ProtocolError."""
    while True:
        match peer.next_event():
            case h11.Request(target=target):
                return target.decode("ascii", "replace")
            case h11.NEED_DATA:
                peer.receive_data(await stream.receive_some(REQUEST_BYTES))
            case _:
                raise h11.RemoteProtocolError("no request")


def _page(status: int, text: str) -> list[Any]:
    body = f"<!doctype html><title>Login</title><p>{text}</p>\n".encode()
    head = [("content-type", "text/html"), ("content-length", str(len(body)))]
    return [
        h11.Response(status_code=status, headers=[*head, ("connection", "close")]),
        h11.Data(data=body),
        h11.EndOfMessage(),
    ]


@asynccontextmanager
async def _door(port: int, url: str | None) -> AsyncGenerator[Callback]:
    """Raises McpFault when the port is taken."""
    try:
        [listener] = await trio.open_tcp_listeners(port, host="127.0.0.1")
    except OSError as error:
        raise McpFault(
            f"port {port} for the login cannot be opened ({error.strerror}); "
            "free it or change mcp_oauth_callback_port"
        ) from None
    number = listener.socket.getsockname()[1]
    callback = Callback(url or f"http://127.0.0.1:{number}/callback")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, callback.serve, [listener])
        yield callback
        nursery.cancel_scope.cancel()


async def log_in(home: str, asked: LogIn, told: Callable[[str], None]) -> None:
    """Have a person log in; `told` gets the address for the browser.  Raises McpFault."""
    server = asked.server
    assert server.url is not None
    if await discover(server.url) is None:
        raise McpFault("No authorization support detected")
    async with _door(asked.port, asked.callback_url) as callback:
        login = Login(home, asked.name, server, asked.scopes, callback)
        seconds = TIMEOUT_SECONDS if asked.timeout_secs is None else asked.timeout_secs
        with trio.move_on_after(BEFORE_SECONDS) as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_tell, login, told, scope, seconds)
                await _ask(asked.name, server, login)
                nursery.cancel_scope.cancel()
        if scope.cancelled_caught:
            raise McpFault("timed out waiting for OAuth callback")


async def _tell(
    login: Login, told: Callable[[str], None], scope: trio.CancelScope, seconds: float
) -> None:
    """The person's time begins when there is where to go."""
    await login.sent.wait()
    told(login.url or "")
    scope.deadline = trio.current_time() + seconds


async def _ask(name: str, server: McpServer, login: Login) -> None:
    """A request that the server will not answer without a login."""
    async with httpx2.AsyncClient(headers=headers(name, server), auth=login) as client:
        try:
            answer = await client.post(
                server.url or "",
                json={"jsonrpc": "2.0", "id": 0, "method": "ping"},
                headers={"accept": "application/json, text/event-stream"},
            )
        except (OAuthFlowError, httpx2.HTTPError, ValueError) as error:
            raise McpFault(str(error) or type(error).__name__) from None
    if login.url is None:
        raise McpFault(f"the server wanted no login (HTTP {answer.status_code})")
    if answer.status_code == 401:
        raise McpFault("the server does not take the token that its issuer gave")
