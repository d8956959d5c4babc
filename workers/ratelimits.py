"""The account's limits, as the `x-codex-*` headers of a response tell them."""

import math
from collections.abc import Mapping

from protocol.account import CreditsSnapshot, RateLimitSnapshot, RateLimitWindow


def snapshot(headers: Mapping[str, str]) -> RateLimitSnapshot | None:
    """Return what the headers say, None when they say nothing."""
    primary, secondary = _window(headers, "primary"), _window(headers, "secondary")
    credits = _credits(headers)
    if primary is None and secondary is None and credits is None:
        return None
    return RateLimitSnapshot(
        limit_id="codex",
        limit_name=headers.get("x-codex-limit-name"),
        primary=primary,
        secondary=secondary,
        credits=credits,
    )


def _window(headers: Mapping[str, str], name: str) -> RateLimitWindow | None:
    used = _number(headers.get(f"x-codex-{name}-used-percent"))
    if used is None:
        return None
    return RateLimitWindow(
        used_percent=int(used + 0.5),
        window_duration_mins=_whole(headers.get(f"x-codex-{name}-window-minutes")),
        resets_at=_whole(headers.get(f"x-codex-{name}-reset-at")),
    )


def _credits(headers: Mapping[str, str]) -> CreditsSnapshot | None:
    has_credits = _truth(headers.get("x-codex-credits-has-credits"))
    unlimited = _truth(headers.get("x-codex-credits-unlimited"))
    if has_credits is None or unlimited is None:
        return None
    return CreditsSnapshot(
        has_credits=has_credits,
        unlimited=unlimited,
        balance=headers.get("x-codex-credits-balance"),
    )


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _whole(text: str | None) -> int | None:
    number = _number(text)
    return None if number is None else round(number)


def _truth(text: str | None) -> bool | None:
    return {"true": True, "1": True, "false": False, "0": False}.get((text or "").strip().lower())
