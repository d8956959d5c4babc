"""What a failed request means, and whether it is sent again."""

import time
from typing import Any

import msgspec
import pytest

from protocol.turn import DetailedErrorInfo, HttpStatus
from workers.provider import ProviderError
from workers.refusal import failed, incomplete, refused

URL = "http://provider/v1/responses"


def told(error: ProviderError) -> tuple[str, Any, bool, int | None]:
    return error.message, error.info, error.retry, error.http_status


def answer(status: int, body: Any = None, **headers: str) -> ProviderError:
    encoded = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return refused(status, encoded, headers, URL)


def scripted(status: int) -> dict[str, Any]:
    return {"error": {"message": f"scripted failure {status}", "type": "scripted"}}


@pytest.mark.parametrize(
    ("status", "phrase"),
    [(401, "Unauthorized"), (403, "Forbidden"), (404, "Not Found"), (503, "Service Unavailable")],
)
def test_most_statuses_are_named_and_count_against_the_stream_retries(status: int, phrase: str):
    """Observed, with the status in the notice of the retry."""
    words = f"unexpected status {status} {phrase}: scripted failure {status}, url: {URL}"

    assert told(answer(status, scripted(status))) == (words, "other", True, status)


def test_the_notice_of_a_retry_names_the_status():
    """Observed: null for a 500 and for a broken stream."""
    for error, status in ((answer(503), 503), (answer(500), None), (failed({}), None)):
        expected = DetailedErrorInfo(response_stream_disconnected=HttpStatus(status))
        assert error.retry_info == expected


def test_a_500_names_no_status():
    """Observed, whatever its body."""
    words = "We're currently experiencing high demand, which may cause temporary errors."

    assert told(answer(500, scripted(500))) == (words, "internalServerError", True, None)
    assert told(answer(500, b"")) == (words, "internalServerError", True, None)


def test_a_400_is_told_as_it_came():
    """Observed: the raw body is the message, and it is never retried."""
    assert told(answer(400, b'{"error": {"message": "bad"}}')) == (
        '{"error": {"message": "bad"}}',
        "other",
        False,
        400,
    )


def test_a_429_is_final():
    """Observed."""
    assert told(answer(429, scripted(429))) == (
        "exceeded retry limit, last status: 429 Too Many Requests",
        DetailedErrorInfo(response_too_many_failed_attempts=HttpStatus(429)),
        False,
        429,
    )


@pytest.mark.parametrize(
    ("plan", "way_out"),
    [
        (
            "plus",
            "Upgrade to Pro (https://chatgpt.com/explore/pro), visit https://chatgpt.com/codex",
        ),
        ("pro", "Visit https://chatgpt.com/codex/settings/usage to purchase more credits or try"),
        ("free", "Upgrade to Plus to continue using Codex (https://chatgpt.com/explore/plus), or"),
        ("team", "To get more access now, send a request to your admin or try again at"),
        ("odd", "Try again at May 18th"),
    ],
)
def test_a_usage_limit_says_what_the_plan_can_do_and_until_when(
    plan: str, way_out: str, monkeypatch
):
    """Observed, for each of these plans."""
    monkeypatch.setattr(time, "localtime", time.gmtime)
    error = answer(
        429,
        {"error": {"type": "usage_limit_reached", "plan_type": plan, "resets_at": 1999999999}},
    )

    assert error.message.startswith(f"You've hit your usage limit. {way_out}")
    assert error.message.endswith("ry again at May 18th, 2033 3:33 AM.")
    assert (error.info, error.retry, error.http_status) == ("usageLimitExceeded", False, 429)


@pytest.mark.parametrize("resets_at", [None, "soon", 1e300, -1e300, True])
def test_a_usage_limit_without_a_usable_time_is_a_usage_limit(resets_at: Any):
    """Ours: the time is a stranger's."""
    error = {"type": "usage_limit_reached", "resets_at": resets_at}

    assert answer(429, {"error": error}).info == "usageLimitExceeded"


def test_a_quota_that_is_used_up_is_not_too_many_requests():
    """Ours: the API sends 429 for an empty account, and clients should know the difference."""
    error = answer(429, {"error": {"code": "insufficient_quota", "message": "no money"}})

    assert (error.info, error.retry) == ("usageLimitExceeded", False)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"\xff", b"[]", b'{"error": "text"}', b"[" * 9999]
)
def test_any_body_can_be_explained(body: bytes):
    """Ours: an error must not hide behind its own body."""
    for status in (400, 401, 418, 429, 500, 503, 599, 777):
        assert answer(status, body).message


def test_a_redirection_is_named_and_not_followed():
    """Ours: the reference server follows it."""
    error = answer(307, b"", location="https://elsewhere/v1")

    assert "it redirects to https://elsewhere/v1" in error.message


def test_the_request_id_of_the_provider_is_kept():
    """Observed."""
    error = answer(404, scripted(404), **{"x-request-id": "req_7"})

    assert error.message.endswith(f"url: {URL}, request id: req_7")


@pytest.mark.parametrize(
    ("code", "message", "info"),
    [
        ("insufficient_quota", "Quota exceeded. Check your plan and billing details.", "usage"),
        (
            "server_is_overloaded",
            "Selected model is at capacity. Please try a different model.",
            "serverOverloaded",
        ),
        ("slow_down", "Selected model is at capacity. Please try a different model.", "server"),
        ("invalid_prompt", "as told", "other"),
        ("cyber_policy", "as told", "cyberPolicy"),
        ("context_length_exceeded", "Codex ran out of room in the model's context window.", "con"),
    ],
)
def test_some_failures_would_only_come_again(code: str, message: str, info: str):
    """Observed: these codes of response.failed end the turn."""
    error = failed({"code": code, "message": "as told"})

    assert error.message.startswith(message)
    assert str(error.info).startswith(info)
    assert not error.retry


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Please try again in 1.5s.", 1.5),
        ("Try again in 250ms", 0.25),
        ("try again in 12 seconds", 12.0),
        ("slow down", None),
    ],
)
def test_a_rate_limit_may_name_a_delay(text: str, seconds: float | None):
    """Observed: rate_limit_exceeded is retried, after the time that its message names."""
    error = failed({"code": "rate_limit_exceeded", "message": text})

    assert told(error) == (f"stream disconnected before completion: {text}", "other", True, None)
    assert error.delay_s == seconds


@pytest.mark.parametrize("error", [None, "text", {}, {"code": 3, "message": []}])
def test_any_failure_can_be_explained(error: Any):
    """Ours: the object is a stranger's."""
    assert failed(error).retry
    assert incomplete(error).message.endswith("reason: unknown")


def test_an_incomplete_response_names_its_reason():
    """Observed."""
    assert incomplete({"reason": "max_output_tokens"}).message == (
        "stream disconnected before completion: Incomplete response returned, "
        "reason: max_output_tokens"
    )
