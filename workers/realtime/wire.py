"""How a realtime session is reached: a WebSocket, and for WebRTC a call that goes before it."""

import re
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import httpx2
import msgspec
from trio_websocket import (
    ConnectionClosed,
    ConnectionRejected,
    ConnectionTimeout,
    DisconnectionTimeout,
    HandshakeError,
    WebSocketConnection,
    open_websocket_url,
)

from workers.realtime.speech import Json

CONNECT_SECONDS = 30.0
CLOSE_SECONDS = 1.0
MESSAGE_BYTES = 16 << 20
_CALL = re.compile(r"/(rtc_[^/?#]+)")


class Unreachable(Exception):
    """There is no session; the text says why."""


def address(base_url: str, path: str = "", **query: str | None) -> str:
    """Below `base_url`, which may be that of the provider, with or without `/v1/realtime`."""
    url = urlsplit(base_url)
    place = url.path.rstrip("/") or "/v1"
    if not place.endswith("/realtime"):
        place += "/realtime"
    asked = dict(parse_qsl(url.query))
    asked |= {name: value for name, value in query.items() if value is not None}
    return urlunsplit(url._replace(path=place + path, query=urlencode(asked), fragment=""))


class Wire:
    """JSON both ways, a message each."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self._socket = socket

    async def send(self, said: Json) -> None:
        """What the other end does not take any more is lost; `next` says that it has gone."""
        with suppress(ConnectionClosed):
            await self._socket.send_message(msgspec.json.encode(said).decode())

    async def next(self) -> str | bytes | None:
        """None when the other end has closed."""
        try:
            return await self._socket.get_message()
        except ConnectionClosed:
            return None


@asynccontextmanager
async def connected(url: str, headers: dict[str, str]) -> AsyncGenerator[Wire]:
    """Raises Unreachable."""
    parts = urlsplit(url)
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    socket = open_websocket_url(
        urlunsplit(parts._replace(scheme=scheme)),
        extra_headers=[(name.encode(), value.encode()) for name, value in headers.items()],
        max_message_size=MESSAGE_BYTES,
        connect_timeout=CONNECT_SECONDS,
        disconnect_timeout=CLOSE_SECONDS,
    )
    with suppress(DisconnectionTimeout):
        async with AsyncExitStack() as stack:
            try:
                opened = await stack.enter_async_context(socket)
            except (HandshakeError, OSError, ValueError) as error:
                raise Unreachable(f"cannot connect to {url}: {_why(error)}") from None
            yield Wire(opened)


def _why(error: Exception) -> str:
    if isinstance(error, ConnectionRejected):
        return f"HTTP status {error.status_code}"
    if isinstance(error, ConnectionTimeout):
        return f"no answer within {CONNECT_SECONDS:g} s"
    return str(error) or repr(error)


async def called(url: str, headers: dict[str, str], sdp: str, session: Json) -> tuple[str, str]:
    """Make a WebRTC call: the answer to the client's offer, and the call's id.

    Raises Unreachable.
    """
    parts = {
        "sdp": (None, sdp, "application/sdp"),
        "session": (None, msgspec.json.encode(session), "application/json"),
    }
    try:
        async with httpx2.AsyncClient(timeout=CONNECT_SECONDS) as client:
            answer = await client.post(url, headers=headers, files=parts)
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        raise Unreachable(f"cannot call {url}: {error}") from None
    if answer.status_code >= 300:
        raise Unreachable(
            f"unexpected status {answer.status_code}: {answer.text[:500]}, url: {url}"
        )
    call = _CALL.search(answer.headers.get("location", ""))
    if call is None:
        raise Unreachable(f"{url} has answered without the id of a call")
    return answer.text, call[1]
