from typing import Literal

from protocol.wire import Wire


class GetAccountParams(Wire):
    refresh_token: bool = False


class ApiKeyAccount(Wire, tag_field="type", tag="apiKey"):
    """No further fields."""


PlanType = Literal[
    "free",
    "go",
    "plus",
    "pro",
    "prolite",
    "team",
    "self_serve_business_usage_based",
    "business",
    "enterprise_cbp_usage_based",
    "enterprise",
    "edu",
    "unknown",
]


class ChatgptAccount(Wire, tag_field="type", tag="chatgpt"):
    email: str
    plan_type: PlanType


class AmazonBedrockAccount(Wire, tag_field="type", tag="amazonBedrock"):
    """No further fields."""


Account = ApiKeyAccount | ChatgptAccount | AmazonBedrockAccount


class GetAccountResponse(Wire):
    requires_openai_auth: bool
    account: Account | None = None


class CreditsSnapshot(Wire):
    has_credits: bool
    unlimited: bool
    balance: str | None = None


class RateLimitWindow(Wire):
    used_percent: int
    resets_at: int | None = None
    window_duration_mins: int | None = None


RateLimitReachedType = Literal[
    "rate_limit_reached",
    "workspace_owner_credits_depleted",
    "workspace_member_credits_depleted",
    "workspace_owner_usage_limit_reached",
    "workspace_member_usage_limit_reached",
]


class RateLimitSnapshot(Wire):
    credits: CreditsSnapshot | None = None
    limit_id: str | None = None
    limit_name: str | None = None
    plan_type: PlanType | None = None
    primary: RateLimitWindow | None = None
    rate_limit_reached_type: RateLimitReachedType | None = None
    secondary: RateLimitWindow | None = None


class GetAccountRateLimitsResponse(Wire):
    rate_limits: RateLimitSnapshot
    rate_limits_by_limit_id: dict[str, RateLimitSnapshot] | None = None


class AccountRateLimitsUpdatedNotification(Wire):
    rate_limits: RateLimitSnapshot
