"""account/*: who the host is logged in as, and what that account may use."""

from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from protocol.account import (
    ApiKeyLoggedIn,
    ApiKeyLogin,
    CancelLoginAccountParams,
    CancelLoginAccountResponse,
    ChatgptBegun,
    ChatgptLogin,
    DeviceCodeBegun,
    DeviceCodeLogin,
    ExternalLoggedIn,
    ExternalLogin,
    GetAccountParams,
    GetAccountRateLimitsResponse,
    GetAccountResponse,
    GetAuthStatusParams,
    GetAuthStatusResponse,
    LoginAccountParams,
    LoginAccountResponse,
    LogoutAccountResponse,
    SendAddCreditsNudgeEmailParams,
    SendAddCreditsNudgeEmailResponse,
)
from protocol.errors import RpcError, invalid
from protocol.methods import (
    ACCOUNT_LOGIN_CANCEL,
    ACCOUNT_LOGIN_START,
    ACCOUNT_LOGOUT,
    ACCOUNT_RATE_LIMITS_READ,
    ACCOUNT_READ,
    ACCOUNT_SEND_ADD_CREDITS_NUDGE_EMAIL,
    GET_AUTH_STATUS,
)
from protocol.wire import Nothing
from supervisor.accounts import needs_chatgpt
from supervisor.chatgpt import USUAL
from supervisor.connection import Connection
from supervisor.handlers import serves
from supervisor.handlers.initialize import user_agent
from supervisor.host import Host
from supervisor.layers import ConfigError
from supervisor.login import Login
from supervisor.providers import provider

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from supervisor.backend import Backend

R = TypeVar("R")

EXTERNAL = (
    "External auth is active. Use account/login/start (chatgptAuthTokens) to update it "
    "or account/logout to clear it."
)


@serves(ACCOUNT_READ)
async def account_read(
    host: Host, _client: Connection, params: GetAccountParams
) -> GetAccountResponse:
    """A provider that does not ask for an OpenAI login has no account (observed)."""
    needed = _needed(host)
    known = host.config.login() if needed else None
    if params.refresh_token and known is not None:
        known = await _refreshed(host, known)
    return GetAccountResponse(needed, known.account if known else None)


@serves(GET_AUTH_STATUS)
async def get_auth_status(
    host: Host, _client: Connection, params: GetAuthStatusParams
) -> GetAuthStatusResponse:
    needed = _needed(host)
    known = host.config.login() if needed else None
    if params.refresh_token and known is not None:
        known = await _refreshed(host, known)
    token = known.token if known and params.include_token else None
    return GetAuthStatusResponse(known.mode if known else None, token, needed)


def _needed(host: Host) -> bool:
    try:
        return provider(host.config.toml(), host.config.login()).requires_openai_auth
    except ConfigError:
        return True


async def _refreshed(host: Host, known: Login) -> Login | None:
    """A refresh that fails leaves the login as it is: whoever uses the token will see."""
    try:
        return await host.accounts.fresh()
    except RpcError:
        return known


@serves(ACCOUNT_LOGIN_START)
async def account_login_start(
    host: Host, client: Connection, params: LoginAccountParams
) -> LoginAccountResponse:
    forced, workspace = host.config.forced_login()
    _check_forced(forced, params)
    now = host.config.login()
    is_external = now is not None and now.mode == "chatgptAuthTokens"
    if is_external and not isinstance(params, ExternalLogin):
        raise invalid(EXTERNAL)
    match params:
        case ApiKeyLogin(api_key=key):
            host.accounts.by_key(key, client)
            return ApiKeyLoggedIn()
        case ExternalLogin():
            if workspace is not None and params.chatgpt_account_id != workspace:
                raise invalid(f"External auth must use workspace {workspace}.")
            host.accounts.by_client(params, client)
            return ExternalLoggedIn()
        case ChatgptLogin():
            assert client.info is not None
            signing, url = await host.accounts.in_browser(client.info.name, workspace)
            return ChatgptBegun(auth_url=url, login_id=signing.id)
        case DeviceCodeLogin():
            from supervisor.issuer import verification_url  # noqa: PLC0415 - it is loaded by then

            signing, device = await host.accounts.by_code(workspace)
            return DeviceCodeBegun(
                login_id=signing.id,
                user_code=device.user_code,
                verification_url=verification_url(),
            )


def _check_forced(forced: str | None, params: LoginAccountParams) -> None:
    if forced == "chatgpt" and isinstance(params, ApiKeyLogin):
        raise invalid("API key login is disabled. Use ChatGPT login instead.")
    if forced == "api" and isinstance(params, ExternalLogin):
        raise invalid("External ChatGPT auth is disabled. Use API key login instead.")
    if forced == "api" and not isinstance(params, ApiKeyLogin):
        raise invalid("ChatGPT login is disabled. Use API key login instead.")


@serves(ACCOUNT_LOGIN_CANCEL)
def account_login_cancel(
    host: Host, _client: Connection, params: CancelLoginAccountParams
) -> CancelLoginAccountResponse:
    try:
        UUID(params.login_id)
    except ValueError:
        raise invalid(f"invalid login id: {params.login_id}") from None
    found = host.accounts.cancel(params.login_id)
    return CancelLoginAccountResponse("canceled" if found else "notFound")


@serves(ACCOUNT_LOGOUT)
def account_logout(host: Host, client: Connection, _params: Nothing) -> LogoutAccountResponse:
    host.accounts.log_out(client)
    return LogoutAccountResponse()


@serves(ACCOUNT_RATE_LIMITS_READ)
async def account_rate_limits_read(
    host: Host, client: Connection, _params: Nothing
) -> GetAccountRateLimitsResponse:
    needs_chatgpt(host.config.login(), "read rate limits")
    return await _with_backend(host, client, lambda backend: backend.rate_limits())


@serves(ACCOUNT_SEND_ADD_CREDITS_NUDGE_EMAIL)
async def account_send_add_credits_nudge_email(
    host: Host, client: Connection, params: SendAddCreditsNudgeEmailParams
) -> SendAddCreditsNudgeEmailResponse:
    needs_chatgpt(host.config.login(), "notify workspace owner")
    status = await _with_backend(host, client, lambda backend: backend.nudge(params.credit_type))
    return SendAddCreditsNudgeEmailResponse(status)


async def _with_backend(
    host: Host, client: Connection, ask: "Callable[[Backend], Awaitable[R]]"
) -> R:
    """Ask the backend, once more with a fresh token if it does not take the one of now."""
    from supervisor.backend import Backend, Unauthorized  # noqa: PLC0415 - an HTTP library

    base, agent = host.config.chatgpt_base_url() or USUAL, user_agent(host.version, client)
    known = needs_chatgpt(await host.accounts.fresh(), "do that")
    try:
        return await ask(Backend(base, known, agent))
    except Unauthorized:
        known = needs_chatgpt(await host.accounts.fresh(refused=known.token), "do that")
    return await ask(Backend(base, known, agent))
