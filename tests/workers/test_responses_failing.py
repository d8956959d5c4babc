"""The Responses API over HTTP, against a server on loopback that writes chosen bytes."""

from typing import Any

import httpx2
import pytest
import trio

from protocol import settings
from tests.workers.wire import (
    COMPLETED,
    CREATED,
    DELTA,
    chunks,
    plain,
    provider,
    refusal,
    said,
    serving,
)
from workers.provider import (
    Completed,
    Created,
    ModelRequest,
    ProviderError,
    TextDelta,
)
from workers.responses import ResponsesProvider

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
