"""ChatGPT's backend, as far as accounts go: what is used up, and a word to who pays."""

import math
from typing import Any, cast, get_args

import httpx2
import msgspec
from msgspec import Struct

from protocol.account import (
    AddCreditsNudgeCreditType,
    AddCreditsNudgeEmailStatus,
    CreditsSnapshot,
    GetAccountRateLimitsResponse,
    PlanType,
    RateLimitReachedType,
    RateLimitSnapshot,
    RateLimitWindow,
)
from protocol.errors import INTERNAL_ERROR, RpcError
from supervisor.chatgpt import place
from supervisor.login import Login

SECONDS = 10.0
BODY_CHARS = 2000


class Window(Struct):
    used_percent: float = 0
    limit_window_seconds: int = 0
    reset_at: int | None = None


class Limit(Struct):
    primary_window: Window | None = None
    secondary_window: Window | None = None


class Credits(Struct):
    has_credits: bool = False
    unlimited: bool = False
    balance: str | float | None = None


class More(Struct):
    limit_name: str | None = None
    metered_feature: str | None = None
    rate_limit: Limit | None = None


class Reached(Struct):
    type: str | None = None


class Usage(Struct):
    """What the backend says of what is used up."""

    plan_type: str | None = None
    rate_limit: Limit | None = None
    credits: Credits | None = None
    additional_rate_limits: list[More] | None = None
    rate_limit_reached_type: Reached | None = None


class Backend:
    """`base` is `chatgpt_base_url`, which has one of two layouts of paths (observed)."""

    def __init__(self, base: str, known: Login, user_agent: str) -> None:
        self._base = base.rstrip("/")
        self._headers = {
            "authorization": f"Bearer {known.token}",
            "user-agent": user_agent,
            **({"chatgpt-account-id": known.account_id} if known.account_id else {}),
        }

    def _url(self, chatgpt: str, codex: str) -> str:
        return place(self._base, chatgpt, codex)

    async def rate_limits(self) -> GetAccountRateLimitsResponse:
        """Raises RpcError, and Unauthorized."""
        url = self._url("/wham/usage", "/api/codex/usage")
        answer = await self.send("GET", url, "failed to fetch codex rate limits")
        try:
            return _limits(msgspec.json.decode(answer.content, type=Usage))
        except msgspec.DecodeError as error:
            problem = f"failed to fetch codex rate limits: malformed answer of {url}: {error}"
            raise RpcError(INTERNAL_ERROR, problem) from None

    async def nudge(self, credit: AddCreditsNudgeCreditType) -> AddCreditsNudgeEmailStatus:
        """Raises RpcError, and Unauthorized."""
        path = "/accounts/send_add_credits_nudge_email"
        url = self._url(f"/wham{path}", f"/api/codex{path}")
        what = "failed to notify workspace owner"
        answer = await self.send("POST", url, what, json={"credit_type": credit}, passes=(429,))
        return "cooldown_active" if answer.status_code == 429 else "sent"

    async def send(
        self, method: str, url: str, what: str, passes: tuple[int, ...] = (), **body: Any
    ) -> httpx2.Response:
        """Raises RpcError that begins with `what`, and Unauthorized."""
        try:
            async with httpx2.AsyncClient(timeout=SECONDS, headers=self._headers) as client:
                answer = await client.request(method, url, **body)
        except (httpx2.HTTPError, httpx2.InvalidURL):
            problem = f"{what}: error sending request for url ({url})"
            raise RpcError(INTERNAL_ERROR, problem) from None
        if answer.status_code == 401:
            raise Unauthorized(what, _said(method, url, answer))
        if answer.status_code >= 300 and answer.status_code not in passes:
            raise RpcError(INTERNAL_ERROR, f"{what}: {_said(method, url, answer)}")
        return answer


class Unauthorized(RpcError):
    """The token is not taken any more."""

    def __init__(self, what: str, said: str) -> None:
        super().__init__(INTERNAL_ERROR, f"{what}: {said}")


def _said(method: str, url: str, answer: httpx2.Response) -> str:
    kind = answer.headers.get("content-type", "")
    return (
        f"{method} {url} failed: {answer.status_code} {answer.reason_phrase}; "
        f"content-type={kind}; body={answer.text[:BODY_CHARS]}"
    )


def _limits(told: Usage) -> GetAccountRateLimitsResponse:
    reached = told.rate_limit_reached_type
    kind = reached.type if reached and reached.type in get_args(RateLimitReachedType) else None
    main = _snapshot("codex", None, told.rate_limit, told)
    main.credits = _credits(told.credits)
    main.rate_limit_reached_type = cast("RateLimitReachedType | None", kind)
    by_id = {"codex": main}
    for more in told.additional_rate_limits or ():
        id = more.metered_feature or more.limit_name or ""
        by_id[id] = _snapshot(id, more.limit_name, more.rate_limit, told)
    return GetAccountRateLimitsResponse(main, by_id)


def _snapshot(id: str, name: str | None, limit: Limit | None, told: Usage) -> RateLimitSnapshot:
    plan = told.plan_type if told.plan_type in get_args(PlanType) else "unknown"
    return RateLimitSnapshot(
        limit_id=id,
        limit_name=name,
        primary=_window(limit and limit.primary_window),
        secondary=_window(limit and limit.secondary_window),
        plan_type=cast("PlanType", plan) if told.plan_type else None,
    )


def _window(told: Window | None) -> RateLimitWindow | None:
    if told is None:
        return None
    seconds = told.limit_window_seconds
    return RateLimitWindow(
        used_percent=round(told.used_percent),
        window_duration_mins=math.ceil(seconds / 60) if seconds > 0 else None,
        resets_at=told.reset_at,
    )


def _credits(told: Credits | None) -> CreditsSnapshot | None:
    if told is None:
        return None
    balance = None if told.balance is None else str(told.balance)
    return CreditsSnapshot(told.has_credits, told.unlimited, balance)
