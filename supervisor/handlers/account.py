"""account/*: who the host is logged in as, read from the home at each question."""

from protocol.account import (
    GetAccountParams,
    GetAccountRateLimitsResponse,
    GetAccountResponse,
)
from protocol.errors import INTERNAL_ERROR, RpcError, invalid
from protocol.methods import ACCOUNT_RATE_LIMITS_READ, ACCOUNT_READ
from protocol.wire import Nothing
from supervisor.connection import Connection
from supervisor.handlers import serves
from supervisor.host import Host
from supervisor.layers import ConfigError
from supervisor.login import login
from supervisor.providers import provider


@serves(ACCOUNT_READ)
def account_read(host: Host, _client: Connection, _params: GetAccountParams) -> GetAccountResponse:
    """A provider that does not ask for an OpenAI login has no account (observed)."""
    try:
        needed = provider(host.config.toml(), host.home).requires_openai_auth
    except ConfigError:
        needed = True
    known = login(host.home) if needed else None
    return GetAccountResponse(needed, known.account if known else None)


@serves(ACCOUNT_RATE_LIMITS_READ)
def account_rate_limits_read(
    host: Host, _client: Connection, _params: Nothing
) -> GetAccountRateLimitsResponse:
    """ChatGPT's backend would know, and Atrio does not talk to it."""
    known = login(host.home)
    if known is None:
        raise invalid("codex account authentication required to read rate limits")
    if known.mode != "chatgpt":
        raise invalid("chatgpt authentication required to read rate limits")
    raise RpcError(
        INTERNAL_ERROR,
        "failed to fetch codex rate limits: Atrio does not ask ChatGPT's backend for them",
    )
