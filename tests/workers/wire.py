"""A provider that writes chosen bytes in chosen pieces."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio

from protocol import settings
from workers.provider import (
    ModelRequest,
    ProviderError,
)
from workers.responses import ResponsesProvider

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
CREATED = b'data: {"type":"response.created","response":{"id":"r"}}\n\n'
DELTA = 'data: {"type":"response.output_text.delta","item_id":"m","delta":"é"}\n\n'.encode()
COMPLETED = b'data: {"type":"response.completed","response":{"id":"r"}}\n\n'


@dataclass
class Server:
    """Plays one list of pieces per request; None pauses for ever, a closed list ends the stream."""

    answers: list[list[bytes | None]]
    url: str = ""
    requests: list[bytes] = field(default_factory=list[bytes])
    connections: int = 0

    async def connection(self, stream: trio.SocketStream) -> None:
        self.connections += 1
        with suppress(trio.BrokenResourceError):
            while head := await self._head(stream):
                self.requests.append(head)
                for piece in self.answers.pop(0):
                    if piece is None:
                        await trio.sleep_forever()
                    elif piece == b"":
                        return
                    else:
                        await stream.send_all(piece)

    async def _head(self, stream: trio.SocketStream) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data or not data.endswith(b"}"):
            more = await stream.receive_some()
            if not more:
                return b""
            data += more
        return data


def chunks(*pieces: bytes, headers: bytes = b"") -> list[bytes | None]:
    """An event stream in these HTTP chunks."""
    body: list[bytes | None] = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
    return [HEAD + headers + b"transfer-encoding: chunked\r\n\r\n", *body, b"0\r\n\r\n"]


def plain(status: int, body: bytes = b"", headers: bytes = b"") -> list[bytes | None]:
    head = b"HTTP/1.1 %d Reason\r\ncontent-length: %d\r\n" % (status, len(body))
    return [head + headers + b"\r\n" + body]


@asynccontextmanager
async def serving(*answers: list[bytes | None]) -> AsyncIterator[Server]:
    server = Server(list(answers))
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
            server.url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}/v1"
            nursery.start_soon(trio.serve_listeners, server.connection, listeners)
            yield server
            nursery.cancel_scope.cancel()


def provider(url: str, **more: Any) -> ResponsesProvider:
    retries = {"request_max_retries": 0, **more}
    return ResponsesProvider(settings.Provider("mock", "Mock", url, **retries))


async def said(provider: ResponsesProvider, request: ModelRequest | None = None) -> list[Any]:
    """All batches of one response."""
    async with provider.stream(request or ModelRequest({"input": []})) as batches:
        return [batch async for batch in batches]


async def refusal(provider: ResponsesProvider) -> ProviderError:
    with pytest.raises(ProviderError) as raised:
        await said(provider)
    await provider.aclose()
    return raised.value
