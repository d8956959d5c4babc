"""Who the host is logged in as, and what that account may use."""

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


# ---- logging in


class ApiKeyLogin(Wire, tag_field="type", tag="apiKey"):
    api_key: str


class ChatgptLogin(Wire, tag_field="type", tag="chatgpt"):
    codex_streamlined_login: bool = False


class DeviceCodeLogin(Wire, tag_field="type", tag="chatgptDeviceCode"):
    """No further fields."""


class ExternalLogin(Wire, tag_field="type", tag="chatgptAuthTokens"):
    access_token: str
    chatgpt_account_id: str
    chatgpt_plan_type: str | None = None


LoginAccountParams = ApiKeyLogin | ChatgptLogin | DeviceCodeLogin | ExternalLogin


class ApiKeyLoggedIn(Wire, tag_field="type", tag="apiKey"):
    """No further fields."""


class ChatgptBegun(Wire, tag_field="type", tag="chatgpt"):
    auth_url: str
    login_id: str


class DeviceCodeBegun(Wire, tag_field="type", tag="chatgptDeviceCode"):
    login_id: str
    user_code: str
    verification_url: str


class ExternalLoggedIn(Wire, tag_field="type", tag="chatgptAuthTokens"):
    """No further fields."""


LoginAccountResponse = ApiKeyLoggedIn | ChatgptBegun | DeviceCodeBegun | ExternalLoggedIn


class CancelLoginAccountParams(Wire):
    login_id: str


CancelLoginAccountStatus = Literal["canceled", "notFound"]


class CancelLoginAccountResponse(Wire):
    status: CancelLoginAccountStatus


class LogoutAccountResponse(Wire):
    """Nobody is logged in any more."""


class AccountLoginCompletedNotification(Wire):
    success: bool
    error: str | None = None
    login_id: str | None = None


AuthMode = Literal["apikey", "chatgpt", "chatgptAuthTokens", "agentIdentity"]


class AccountUpdatedNotification(Wire):
    auth_mode: AuthMode | None = None
    plan_type: PlanType | None = None


ChatgptAuthTokensRefreshReason = Literal["unauthorized"]


class ChatgptAuthTokensRefreshParams(Wire):
    reason: ChatgptAuthTokensRefreshReason
    previous_account_id: str | None = None


class ChatgptAuthTokensRefreshResponse(Wire):
    access_token: str
    chatgpt_account_id: str
    chatgpt_plan_type: str | None = None


class GetAuthStatusParams(Wire):
    include_token: bool | None = None
    refresh_token: bool | None = None


class GetAuthStatusResponse(Wire):
    auth_method: AuthMode | None
    auth_token: str | None
    requires_openai_auth: bool


AddCreditsNudgeCreditType = Literal["credits", "usage_limit"]


class SendAddCreditsNudgeEmailParams(Wire):
    credit_type: AddCreditsNudgeCreditType


AddCreditsNudgeEmailStatus = Literal["sent", "cooldown_active"]


class SendAddCreditsNudgeEmailResponse(Wire):
    status: AddCreditsNudgeEmailStatus
