"""The Responses API over HTTP: one POST per model request, server-sent events in the answer.

Events that arrive in one piece of bytes leave as one batch, so that a burst costs one step of the
turn and not thousands.  Import this module late: it brings the HTTP library with it, which costs
more time and memory than all the rest of a worker.
"""

import contextlib
import functools
import ipaddress
import random
import socket
import ssl
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpcore2
import httpx2
import msgspec
import trio

from protocol import settings
from workers import ratelimits, refusal
from workers.events import decode, served_by
from workers.provider import (
    ModelRequest,
    ProviderError,
    ProviderEvent,
    RateLimits,
    Renew,
    ServedBy,
)
from workers.signing import signed
from workers.sse import EventTooLong, Splitter

BACKOFF_SECONDS = 0.2  # before the first request retry, doubled for each further one
CONNECT_SECONDS = 30.0  # to reach the provider, unless the idle timeout is shorter
DRAIN_SECONDS = 0.05  # for the end of the body after the last event; it saves a new connection
ERROR_BODY_BYTES = 64 << 10  # of an error's body that are read; more is noise
ERROR_BODY_SECONDS = 10.0  # for them to arrive
KEEPALIVE_SECONDS = 300.0  # a user reads and thinks between turns

# Before an answer, these would only come again.  A silent provider is among them: it has used up
# the idle timeout once already.
HOPELESS = (httpx2.ReadTimeout, httpx2.UnsupportedProtocol, httpx2.LocalProtocolError)


class ResponsesProvider:
    """A connection to one provider, kept open between the turns of a thread.

    `transport` replaces the network in tests.
    """

    def __init__(
        self,
        provider: settings.Provider,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
        renew: Renew | None = None,
    ) -> None:
        self._provider = provider
        self._renew = renew
        query = urlencode(provider.query_params)
        self._url = f"{provider.base_url.rstrip('/')}/responses{'?' if query else ''}{query}"
        self._transport = transport
        self._client: httpx2.AsyncClient | None = None

    @asynccontextmanager
    async def stream(
        self, request: ModelRequest
    ) -> AsyncGenerator[AsyncIterator[list[ProviderEvent]]]:
        response = await self._open(request)
        try:
            async with aclosing(self._batches(response)) as batches:
                yield batches
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _open(self, request: ModelRequest) -> httpx2.Response:
        """Send the request until there is an answer that is not a 5xx, or no retry is left."""
        post, renewed = self._request(request), False
        for retries_left in range(self._provider.request_max_retries, -1, -1):
            try:
                response = await self._connected().send(post, stream=True)
            except httpx2.TransportError as error:
                if isinstance(error, HOPELESS) or not retries_left:
                    raise self._unanswered(error) from error
            else:
                if response.status_code == 401 and not renewed and await self._renewed():
                    renewed = True
                    await response.aclose()
                    post = self._request(request)
                    response = await self._connected().send(post, stream=True)
                if response.status_code < 500 or not retries_left:
                    return await self._checked(response)
                await response.aclose()
            await trio.sleep(self._backoff(retries_left))
        raise AssertionError("the last attempt returns or raises")

    def _request(self, request: ModelRequest) -> httpx2.Request:
        headers = self._headers(request)
        body = msgspec.json.encode(request.body)
        try:
            return self._connected().build_request("POST", self._url, headers=headers, content=body)
        except (httpx2.InvalidURL, ValueError) as error:
            raise self._unsendable(error) from error

    def _headers(self, request: ModelRequest) -> dict[str, str]:
        """Ours first, then the provider's own, which may replace them."""
        return {
            "accept": "text/event-stream",
            "accept-encoding": "identity",  # an event must not wait for its compressed neighbours
            "content-type": "application/json",
            **request.headers,
            **signed(self._provider),
        }

    async def _renewed(self) -> bool:
        """Whether there is another token of the host's login.  Raises ProviderError."""
        provider = self._provider
        if self._renew is None or not provider.uses_login or provider.bearer_token is None:
            return False
        token = await self._renew(provider.bearer_token)
        if token is not None:
            provider.bearer_token = token
        return token is not None

    def _backoff(self, retries_left: int) -> float:
        attempt = self._provider.request_max_retries - retries_left
        return BACKOFF_SECONDS * 2**attempt * random.uniform(0.9, 1.1)  # noqa: S311 - spreads load

    def _connected(self) -> httpx2.AsyncClient:
        if self._client is None:
            self._client = _client(self._provider, self._transport)
        return self._client

    def _unanswered(self, error: Exception) -> ProviderError:
        if isinstance(error, httpx2.ReadTimeout):
            return refusal.idle()
        if isinstance(error, HOPELESS):
            return self._unsendable(error)
        return refusal.disconnected(f"error sending request for url ({self._url})")

    def _unsendable(self, error: Exception) -> ProviderError:
        return ProviderError(
            f"the request to {self._url} cannot be sent ({error}): check base_url and headers of "
            f"model provider `{self._provider.id}`"
        )

    async def _checked(self, response: httpx2.Response) -> httpx2.Response:
        """Return the response if it is a stream; raise what it says otherwise."""
        content_type = response.headers.get("content-type", "")
        if response.is_success and "html" not in content_type:
            _acknowledge(response)
            return response
        try:
            body = await _beginning(response)
        finally:
            await response.aclose()
        if response.is_success:
            raise refusal.web_page(self._url, content_type)
        raise refusal.refused(response.status_code, body, response.headers, self._url)

    async def _batches(self, response: httpx2.Response) -> AsyncGenerator[list[ProviderEvent]]:
        if snapshot := ratelimits.snapshot(response.headers):
            yield [RateLimits(snapshot)]
        if model := served_by(response.headers):
            yield [ServedBy(model)]
        pieces = self._lines(response)
        patience = 0.0
        try:
            async for lines in pieces:
                decoded = decode(lines)
                if decoded.events:
                    yield decoded.events
                if decoded.failure or decoded.complete:
                    patience = DRAIN_SECONDS
                    break
            else:
                raise refusal.disconnected("stream closed before response.completed")
        finally:
            await _finish(pieces, patience)
        if decoded.failure:
            raise decoded.failure

    async def _lines(self, response: httpx2.Response) -> AsyncGenerator[list[bytes]]:
        """Yield, for each piece of the body, the data of the events that it completes."""
        splitter = Splitter()
        encoded = "content-encoding" in response.headers
        body = response.aiter_bytes() if encoded else response.aiter_raw()
        try:
            async for piece in body:
                yield splitter.feed(piece)
            yield splitter.end()
        except httpx2.ReadTimeout as error:
            raise refusal.idle() from error
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            reason = "Transport error: network error: error decoding response body"
            raise refusal.disconnected(reason) from error
        except EventTooLong as error:
            raise refusal.disconnected(str(error)) from error


def _acknowledge(response: httpx2.Response) -> None:
    """Acknowledge the head of the answer now: a server without TCP_NODELAY waits for that before
    it sends the first event, and the system would let it wait 40 ms."""
    stream = response.extensions.get("network_stream")
    if stream is not None and sys.platform == "linux":
        with contextlib.suppress(OSError):
            stream.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


async def _beginning(response: httpx2.Response) -> bytes:
    """Read an error's body as far as it is of use; what breaks it off is of no interest."""
    body = b""
    pieces = response.aiter_bytes()
    with trio.move_on_after(ERROR_BODY_SECONDS), contextlib.suppress(httpx2.HTTPError):
        async for piece in pieces:
            body += piece
            if len(body) >= ERROR_BODY_BYTES:
                break
    await _finish(pieces, 0)
    return body[:ERROR_BODY_BYTES]


async def _finish(pieces: AsyncGenerator[Any], seconds: float) -> None:
    """Read what is left of a body for so long, then give it up.

    A body that is read to its end leaves the connection usable.  One that is given up must be
    cancelled from within: the library's generators do not close the ones that they wrap.
    """
    with trio.move_on_after(seconds), contextlib.suppress(ProviderError, httpx2.HTTPError):
        async for _ in pieces:
            pass
    await pieces.aclose()


def _client(
    provider: settings.Provider, transport: httpx2.AsyncBaseTransport | None
) -> httpx2.AsyncClient:
    url = urlsplit(provider.base_url)
    idle = provider.stream_idle_timeout_ms / 1000
    return httpx2.AsyncClient(
        transport=transport,
        verify=_tls() if url.scheme == "https" else _no_tls(),
        trust_env=not _is_loopback(url.hostname or ""),  # a proxy cannot reach our loopback
        timeout=httpx2.Timeout(idle, connect=min(idle, CONNECT_SECONDS), pool=None),
        limits=httpx2.Limits(keepalive_expiry=KEEPALIVE_SECONDS),
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


@functools.cache
def _tls() -> ssl.SSLContext:
    """The system's trusted authorities; reading them costs about 20 ms, once per process."""
    return httpx2.create_ssl_context()


@functools.cache
def _no_tls() -> ssl.SSLContext:
    """For plain http: trusts nobody, and costs nothing."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def warm() -> None:
    """Run the HTTP library once, without a network, so that forked workers begin with all of it."""
    _tls()
    "localhost".encode("idna")  # as the resolver does; the codec has tables to load
    trio.run(_exchange)


async def _exchange() -> None:
    answer = [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", b"ok"]
    async with httpcore2.AsyncConnectionPool(
        network_backend=httpcore2.AsyncMockBackend(answer), ssl_context=_no_tls()
    ) as pool:
        await pool.request("POST", "http://provider/", content=b"{}")
    nobody = settings.Provider(id="none", name="none", base_url="http://127.0.0.1")
    async with _client(nobody, None):
        pass
