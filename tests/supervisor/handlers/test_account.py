"""What clients are told of the account."""

from types import SimpleNamespace

import pytest

from protocol.account import ApiKeyAccount, GetAccountParams, GetAccountResponse
from protocol.errors import RpcError
from protocol.methods import ACCOUNT_RATE_LIMITS_READ, ACCOUNT_READ
from protocol.wire import Nothing
from supervisor.config import Config
from supervisor.handlers import HANDLERS
from supervisor.handlers import account as _  # noqa: F401 - enters its handlers

KEY = '{"auth_mode": "apikey", "OPENAI_API_KEY": "sk-1"}'


@pytest.fixture
def host(tmp_path):
    return SimpleNamespace(home=tmp_path, config=Config(tmp_path, etc=tmp_path / "no-etc"))


async def call(host, row, params):
    return await HANDLERS[row.name](host, None, params)


async def test_the_account_counts_where_the_provider_asks_for_one(host):
    """Observed: a provider of one's own needs no login, and then none is shown."""

    async def read():
        return await call(host, ACCOUNT_READ, GetAccountParams())

    assert await read() == GetAccountResponse(requires_openai_auth=True)
    (host.home / "auth.json").write_text(KEY)
    assert await read() == GetAccountResponse(requires_openai_auth=True, account=ApiKeyAccount())
    (host.home / "config.toml").write_text(
        'model_provider = "mock"\n[model_providers.mock]\nname = "Mock"\n'
    )
    assert await read() == GetAccountResponse(requires_openai_auth=False)


@pytest.mark.parametrize(
    ("auth", "text"),
    [
        (None, "codex account authentication required to read rate limits"),
        (KEY, "chatgpt authentication required to read rate limits"),
    ],
)
async def test_rate_limits_are_chatgpts_to_tell(host, auth, text):
    """Observed."""
    if auth:
        (host.home / "auth.json").write_text(auth)

    with pytest.raises(RpcError, match=text):
        await call(host, ACCOUNT_RATE_LIMITS_READ, Nothing())
