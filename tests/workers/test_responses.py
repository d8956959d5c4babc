"""The Responses API over HTTP, against a server on loopback that writes chosen bytes."""

import msgspec
import pytest
import trio

from bench.provider import ScriptServer
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
    RateLimits,
    TextDelta,
    Usage,
)
from workers.responses import warm
from workers.scripted import Message


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
