"""The Responses API over HTTP, against a server on loopback that writes chosen bytes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2
import msgspec
import pytest
import trio

from bench.provider import ScriptServer
from protocol import settings
from workers.provider import (
    Completed,
    Created,
    ModelRequest,
    ProviderError,
    RateLimits,
    TextDelta,
    Usage,
)
from workers.responses import ResponsesProvider, warm
from workers.scripted import Message

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


async def test_events_that_arrive_together_travel_together():
    """Ours: a burst costs one step per piece of bytes."""
    async with serving(chunks(CREATED + DELTA + DELTA, COMPLETED)) as server:
        asked = provider(server.url)

        assert await said(asked) == [
            [Created(), TextDelta("m", "é"), TextDelta("m", "é")],
            [Completed()],
        ]
        await asked.aclose()


async def test_a_stream_may_be_cut_anywhere():
    """Ours: the network cuts inside characters too."""
    whole = CREATED + DELTA + COMPLETED
    pieces = [whole[at : at + 1] for at in range(len(whole))]
    async with serving(chunks(*pieces)) as server:
        asked = provider(server.url)

        assert await said(asked) == [[Created()], [TextDelta("m", "é")], [Completed()]]
        await asked.aclose()


async def test_a_stream_without_its_last_empty_line_is_whole():
    """Ours: proxies trim bodies."""
    async with serving(chunks(CREATED, COMPLETED.rstrip())) as server:
        asked = provider(server.url)

        assert await said(asked) == [[Created()], [Completed()]]
        await asked.aclose()


async def test_the_connection_is_kept_for_the_next_request():
    """Ours: a turn does not begin with a handshake."""
    async with serving(chunks(COMPLETED), plain(404), chunks(COMPLETED)) as server:
        asked = provider(server.url)
        await said(asked)
        with pytest.raises(ProviderError):
            await said(asked)
        await said(asked)

        assert server.connections == 1
        await asked.aclose()


async def test_a_stream_that_stays_open_after_its_end_does_not_hold_the_turn():
    """Ours: the response is over when it says so."""
    async with serving([*chunks(COMPLETED)[:-1], None], chunks(COMPLETED)) as server:
        asked = provider(server.url)

        assert await said(asked) == [[Completed()]]
        assert await said(asked) == [[Completed()]]
        await asked.aclose()


async def test_the_request_carries_key_headers_and_query(monkeypatch):
    """Observed: env_key, http_headers, env_http_headers and query_params of the provider."""
    monkeypatch.setenv("MOCK_KEY", "sesame")
    monkeypatch.setenv("MOCK_TEAM", "blue")
    async with serving(chunks(COMPLETED)) as server:
        asked = provider(
            server.url + "/",
            env_key="MOCK_KEY",
            http_headers={"X-Extra": "one"},
            env_http_headers={"X-Team": "MOCK_TEAM", "X-Unset": "NO_SUCH_VARIABLE"},
            query_params={"api-version": "7"},
        )
        await said(asked, ModelRequest({"input": ["é"]}, {"originator": "test"}))
        await asked.aclose()

    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    assert first == "POST /v1/responses?api-version=7 HTTP/1.1"
    assert headers["authorization"] == "bearer sesame"
    assert headers["accept"] == "text/event-stream"
    assert headers["content-type"] == "application/json"
    assert (headers["x-extra"], headers["x-team"]) == ("one", "blue")
    assert headers["originator"] == "test"
    assert "x-unset" not in headers
    assert msgspec.json.decode(body) == {"input": ["é"]}


async def test_a_bearer_token_serves_where_no_variable_is_named():
    """The configuration's experimental_bearer_token."""
    async with serving(chunks(COMPLETED)) as server:
        asked = provider(server.url, bearer_token="token")
        await said(asked)
        await asked.aclose()

    assert b"authorization: bearer token\r\n" in server.requests[0].lower()


async def test_a_missing_key_is_named_and_how_to_get_it():
    """Observed; the provider's own instructions follow."""
    asked = provider("http://127.0.0.1:9", env_key="NO_SUCH_KEY_SET")
    assert (await refusal(asked)).message == "Missing environment variable: `NO_SUCH_KEY_SET`."

    asked = provider(
        "http://127.0.0.1:9", env_key="NO_SUCH_KEY_SET", env_key_instructions="Ask Ada."
    )
    assert (await refusal(asked)).message.endswith("`NO_SUCH_KEY_SET`. Ask Ada.")


async def test_limits_in_the_headers_come_first():
    """Observed: account/rateLimits/updated precedes the items."""
    headers = b"x-codex-primary-used-percent: 7\r\n"
    async with serving(chunks(COMPLETED, headers=headers)) as server:
        asked = provider(server.url)
        (limits,), completed = await said(asked)
        await asked.aclose()

    assert isinstance(limits, RateLimits)
    assert completed == [Completed()]


# ---- what goes wrong


async def test_a_stream_that_ends_early_is_retried():
    """Observed."""
    async with serving(chunks(CREATED, DELTA)) as server:
        error = await refusal(provider(server.url))

    assert error.message == (
        "stream disconnected before completion: stream closed before response.completed"
    )
    assert (error.info, error.retry, error.http_status) == ("other", True, None)


async def test_a_broken_connection_is_retried():
    """Observed: the words are the reference server's."""
    async with serving([*chunks(CREATED)[:-1], b""]) as server:
        error = await refusal(provider(server.url))

    assert error.message == (
        "stream disconnected before completion: Transport error: network error: "
        "error decoding response body"
    )
    assert error.retry


async def test_a_failure_comes_after_the_events_before_it():
    """Observed: what had been said stays."""
    failed = (
        b'data: {"type":"response.failed","response":{"error":{"code":"x","message":"broke"}}}\n\n'
    )
    seen: list[Any] = []
    async with serving(chunks(CREATED + DELTA + failed)) as server:
        asked = provider(server.url)
        with pytest.raises(ProviderError, match="completion: broke"):
            async with asked.stream(ModelRequest({})) as batches:
                async for batch in batches:
                    seen.extend(batch)
        await asked.aclose()

    assert seen == [Created(), TextDelta("m", "é")]


@pytest.mark.parametrize("silence", [[None], [*chunks(CREATED)[:2], None]])
async def test_a_silent_provider_is_given_up(silence: list[bytes | None]):
    """Observed: stream_idle_timeout_ms bounds the wait for the next bytes; ours: for the first."""
    async with serving(silence) as server:
        error = await refusal(
            provider(server.url, stream_idle_timeout_ms=50, request_max_retries=3)
        )

    assert error.message == "stream disconnected before completion: idle timeout waiting for SSE"
    assert error.retry
    assert server.connections == 1


async def test_a_web_page_is_not_taken_for_a_stream():
    """Ours: the usual cause is a wrong base_url, so the error names it."""
    page = plain(200, b"<html>hello</html>", b"content-type: text/html; charset=utf-8\r\n")
    async with serving(page) as server:
        error = await refusal(provider(server.url))

    assert f"{server.url}/responses answered with text/html" in error.message
    assert "base_url" in error.message
    assert not error.retry


async def test_a_huge_error_body_is_read_only_in_part():
    """Ours: an error must not fill the memory."""
    endless = [b"HTTP/1.1 404 Not Found\r\n\r\n", *[b"x" * 60_000] * 5, None]
    async with serving(endless) as server:
        error = await refusal(provider(server.url))

    assert error.message.startswith("unexpected status 404 Not Found: xxxx")
    assert len(error.message) < 5000


async def test_an_unreachable_provider_is_named():
    """Observed."""
    error = await refusal(provider("http://127.0.0.1:9/v1"))

    assert error.message == (
        "stream disconnected before completion: "
        "error sending request for url (http://127.0.0.1:9/v1/responses)"
    )
    assert error.retry


@pytest.mark.parametrize("url", ["ftp://host/v1", "http://[::1/v1", "http://host:port/v1", ""])
async def test_a_base_url_that_is_none_is_not_retried(url: str):
    """Ours: the error names the provider whose configuration is wrong."""
    error = await refusal(provider(url, request_max_retries=4))

    assert "check base_url and headers of model provider `mock`" in error.message
    assert not error.retry


async def test_a_header_that_cannot_be_sent_is_not_retried():
    """Ours: a line break in a configured header would be a second header."""
    async with serving() as server:
        asked = provider(server.url, http_headers={"x": "a\r\nb: c"}, request_max_retries=4)
        error = await refusal(asked)

    assert "check base_url and headers" in error.message
    assert not server.requests


async def test_an_abandoned_response_ends_at_once():
    """Ours: an interrupted turn does not wait for the model."""
    waiting = [*chunks(CREATED)[:2], None]
    async with serving(waiting, waiting) as server:
        asked = provider(server.url)
        async with asked.stream(ModelRequest({})) as batches:
            assert await anext(aiter(batches)) == [Created()]
        with trio.CancelScope() as scope:
            async with asked.stream(ModelRequest({})) as batches:
                async for _ in batches:
                    scope.cancel()
        assert scope.cancelled_caught
        await asked.aclose()


# ---- request retries, on a clock of their own


class Answers(httpx2.AsyncBaseTransport):
    """Gives these answers without a network; an exception is raised."""

    def __init__(self, *answers: httpx2.Response | Exception) -> None:
        self.answers = list(answers)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await trio.lowlevel.checkpoint()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def ok() -> httpx2.Response:
    return httpx2.Response(200, stream=httpx2.ByteStream(COMPLETED))


async def test_a_5xx_and_a_lost_connection_are_retried_unseen(autojump_clock):
    """Observed: with request retries left the client sees nothing of the failure."""
    answers = Answers(httpx2.Response(500), httpx2.ConnectError("refused"), ok())
    asked = ResponsesProvider(settings.Provider("m", "M"), transport=answers)

    assert await said(asked) == [[Completed()]]
    assert 0.9 * 0.6 <= trio.current_time() <= 1.1 * 0.6  # 0.2 s and 0.4 s, with jitter


@pytest.mark.parametrize("status", [400, 401, 404, 429])
async def test_a_4xx_is_not_retried_unseen(status: int, autojump_clock):
    """Observed: only server errors and the transport are."""
    answers = Answers(httpx2.Response(status), ok())
    asked = ResponsesProvider(settings.Provider("m", "M"), transport=answers)

    with pytest.raises(ProviderError):
        await said(asked)
    assert len(answers.answers) == 1


async def test_request_retries_come_to_an_end(autojump_clock):
    """The configuration's request_max_retries."""
    answers = Answers(*[httpx2.Response(502)] * 4)
    asked = ResponsesProvider(settings.Provider("m", "M", request_max_retries=2), transport=answers)

    with pytest.raises(ProviderError, match="unexpected status 502 Bad Gateway"):
        await said(asked)
    assert len(answers.answers) == 1


# ---- with the scripted provider behind it


async def test_a_whole_script_comes_through():
    """Ours: bench/provider.py is the same script behind a real HTTP API."""
    server = ScriptServer([[Message("one two", pause=0)]], chunk_per_event=True)
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            asked = provider(await nursery.start(server.serve))
            batches = await said(asked, ModelRequest({"input": []}, {"x-test": "yes"}))
            await asked.aclose()
            nursery.cancel_scope.cancel()

    events = [event for batch in batches for event in batch]
    assert [event.delta for event in events if isinstance(event, TextDelta)] == ["one ", "two"]
    assert events[-1] == Completed(Usage())
    assert server.headers[0]["x-test"] == "yes"


def test_warming_needs_no_network_and_leaves_no_loop():
    """Ours: the nursery process forks afterwards."""
    warm()
    warm()
