"""The account's limits in a response's headers."""

from protocol.account import CreditsSnapshot, RateLimitSnapshot, RateLimitWindow
from workers.ratelimits import snapshot


def test_without_headers_there_is_nothing_to_tell():
    """Ours: a provider that knows no limits causes no notification."""
    assert snapshot({"content-type": "text/event-stream"}) is None
    assert snapshot({"x-codex-primary-used-percent": "nan"}) is None


def test_windows_and_credits_are_read():
    """Observed: these headers, rounded so."""
    headers = {
        "x-codex-primary-used-percent": "12.5",
        "x-codex-primary-window-minutes": "300",
        "x-codex-primary-reset-at": "1999999999",
        "x-codex-secondary-used-percent": "3",
        "x-codex-credits-has-credits": "true",
        "x-codex-credits-unlimited": "False",
        "x-codex-credits-balance": "9.99",
    }

    assert snapshot(headers) == RateLimitSnapshot(
        limit_id="codex",
        primary=RateLimitWindow(13, 1999999999, 300),
        secondary=RateLimitWindow(3),
        credits=CreditsSnapshot(has_credits=True, unlimited=False, balance="9.99"),
    )
