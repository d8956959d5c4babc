"""What a failed request to the model means: the words, what clients are told, and whether to retry.

The messages and infos are the reference server's (observed, release 0.130.0) wherever clients
might look at them; ours add what the user can do about it.
"""

import calendar
import re
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

import msgspec

from protocol.errors import DECODE_ERRORS
from protocol.turn import CodexErrorInfo, DetailedErrorInfo, HttpStatus
from workers.provider import ProviderError

MAX_MESSAGE_CHARS = 4000  # of a provider's own words; a web page would drown the client

_CAPACITY = "Selected model is at capacity. Please try a different model."
_CONTEXT = (
    "Codex ran out of room in the model's context window. "
    "Start a new thread or clear earlier history before retrying."
)
_DEMAND = "We're currently experiencing high demand, which may cause temporary errors."
_QUOTA = "Quota exceeded. Check your plan and billing details."
_NOT_INCLUDED = (
    "To use Codex with your ChatGPT plan, upgrade to Plus: https://chatgpt.com/explore/plus."
)
_CREDITS = "isit https://chatgpt.com/codex/settings/usage to purchase more credits or "
_PLUS = "Upgrade to Plus to continue using Codex (https://chatgpt.com/explore/plus), or "

# What each plan can do about a limit, before "try again"; the other plans can only wait.
_WAYS_OUT = {
    "free": _PLUS,
    "go": _PLUS,
    "plus": f"Upgrade to Pro (https://chatgpt.com/explore/pro), v{_CREDITS}",
    "pro": f"V{_CREDITS}",
    "team": "To get more access now, send a request to your admin or ",
}

# A failure that the same request would meet again: its message (None: the provider's), its info.
_FINAL: dict[str, tuple[str | None, CodexErrorInfo]] = {
    "context_length_exceeded": (_CONTEXT, "contextWindowExceeded"),
    "insufficient_quota": (_QUOTA, "usageLimitExceeded"),
    "usage_not_included": (_NOT_INCLUDED, "usageLimitExceeded"),
    "usage_limit_reached": (None, "usageLimitExceeded"),
    "server_is_overloaded": (_CAPACITY, "serverOverloaded"),
    "slow_down": (_CAPACITY, "serverOverloaded"),
    "invalid_prompt": (None, "other"),
    "cyber_policy": (None, "cyberPolicy"),
}

_DELAY = re.compile(r"try again in\s*(\d+(?:\.\d+)?)\s*(ms|s|seconds?)\b", re.IGNORECASE)


def disconnected(reason: str, http_status: int | None = None) -> ProviderError:
    """A stream that broke; the same request may be sent again."""
    return ProviderError(
        f"stream disconnected before completion: {reason}", retry=True, http_status=http_status
    )


def idle() -> ProviderError:
    """The provider was silent for its `stream_idle_timeout_ms`."""
    return disconnected("idle timeout waiting for SSE")


def failed(error: Any) -> ProviderError:
    """Explain the `error` object of a `response.failed` or `error` event."""
    code, message = _text(error, "code"), _text(error, "message")
    if final := _FINAL.get(code):
        return ProviderError(final[0] or message or "Invalid request.", final[1])
    failure = disconnected(message or code or "response.failed event received")
    if code == "rate_limit_exceeded":
        failure.delay_s = _delay(message)
    return failure


def incomplete(details: Any) -> ProviderError:
    """Explain the `incomplete_details` of a `response.incomplete` event."""
    reason = _text(details, "reason") or "unknown"
    return disconnected(f"Incomplete response returned, reason: {reason}")


def refused(status: int, body: bytes, headers: Mapping[str, str], url: str) -> ProviderError:
    """Explain an answer with an error status; `body` is its beginning."""
    error = _error_object(body)
    code, kind = _text(error, "code"), _text(error, "type")
    if status == 400:
        return _bad_request(code, body)
    if status == 429:
        return _too_many(code, kind, error, headers)
    if status == 503 and code in ("server_is_overloaded", "slow_down"):
        return ProviderError(_CAPACITY, "serverOverloaded", http_status=status)
    if status == 500:
        return ProviderError(_DEMAND, "internalServerError", retry=True)
    text = _text(error, "message") or _shortened(body) or _elsewhere(headers) or "Unknown error"
    message = f"unexpected status {_status(status)}: {text}, url: {url}{_request_id(headers)}"
    return ProviderError(message, retry=True, http_status=status)


def web_page(url: str, content_type: str) -> ProviderError:
    """Something else than the API answered, which a retry does not change."""
    return ProviderError(
        f"{url} answered with {content_type} instead of an event stream: "
        "check the provider's base_url, and any proxy in between"
    )


def _bad_request(code: str, body: bytes) -> ProviderError:
    if code == "context_length_exceeded":
        return ProviderError(_CONTEXT, "contextWindowExceeded", http_status=400)
    message = _shortened(body) or "the provider refused the request (400) and gave no reason"
    return ProviderError(message, http_status=400)


def _too_many(code: str, kind: str, error: Any, headers: Mapping[str, str]) -> ProviderError:
    if kind == "usage_limit_reached":
        return ProviderError(_limit(error), "usageLimitExceeded", http_status=429)
    for name in (code, kind):
        if name in ("insufficient_quota", "usage_not_included"):
            return ProviderError(_FINAL[name][0] or _QUOTA, _FINAL[name][1], http_status=429)
    info = DetailedErrorInfo(response_too_many_failed_attempts=HttpStatus(429))
    message = f"exceeded retry limit, last status: {_status(429)}{_request_id(headers)}"
    return ProviderError(message, info, http_status=429)


def _limit(error: Any) -> str:
    resets_at = _get(error, "resets_at")
    when = f"at {_moment(resets_at)}" if isinstance(resets_at, int | float) else "later"
    way_out = _WAYS_OUT.get(_text(error, "plan_type"))
    again = f"{way_out}try again" if way_out else "Try again"
    return f"You've hit your usage limit. {again} {when}."


def _moment(seconds: float) -> str:
    """Write a time as clients show it: `3:33 AM`, with the date unless it is today."""
    try:
        then, now = time.localtime(seconds), time.localtime()
    except (OverflowError, ValueError, OSError):
        return "a later time"
    clock = f"{then.tm_hour % 12 or 12}:{then.tm_min:02} {'PM' if then.tm_hour >= 12 else 'AM'}"
    if then[:3] == now[:3]:
        return clock
    day = then.tm_mday
    ordinal = "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{calendar.month_name[then.tm_mon]} {day}{ordinal}, {then.tm_year} {clock}"


def _delay(message: str) -> float | None:
    found = _DELAY.search(message)
    if not found:
        return None
    return float(found[1]) / 1000 if found[2].lower() == "ms" else float(found[1])


def _error_object(body: bytes) -> Any:
    try:
        decoded = msgspec.json.decode(body)
    except DECODE_ERRORS:
        return None
    return _get(decoded, "error")


def _get(value: Any, key: str) -> Any:
    return cast("dict[str, Any]", value).get(key) if isinstance(value, dict) else None


def _text(value: Any, key: str) -> str:
    text = _get(value, key)
    return text.strip()[:MAX_MESSAGE_CHARS] if isinstance(text, str) else ""


def _shortened(body: bytes) -> str:
    text = body.decode(errors="replace").strip()
    return text if len(text) <= MAX_MESSAGE_CHARS else text[:MAX_MESSAGE_CHARS] + "..."


def _status(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} <unknown status code>"


def _elsewhere(headers: Mapping[str, str]) -> str:
    """A redirection is not followed: it would take the key and the conversation to strangers."""
    location = headers.get("location")
    return f"it redirects to {location}, which base_url could name instead" if location else ""


def _request_id(headers: Mapping[str, str]) -> str:
    request_id = headers.get("x-request-id") or headers.get("x-oai-request-id")
    return f", request id: {request_id}" if request_id else ""
