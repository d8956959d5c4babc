"""Logins, at an issuer of ours, through the whole server."""

import base64
import json
import stat
from pathlib import Path

import httpx2
import pytest
import trio

from protocol.account import (
    CancelLoginAccountParams,
    ChatgptAuthTokensRefreshResponse,
    ChatgptLogin,
    DeviceCodeLogin,
    ExternalLogin,
    GetAccountParams,
    SendAddCreditsNudgeEmailParams,
)
from protocol.errors import RpcError
from protocol.methods import (
    ACCOUNT_LOGIN_CANCEL,
    ACCOUNT_LOGIN_COMPLETED,
    ACCOUNT_LOGIN_START,
    ACCOUNT_LOGOUT,
    ACCOUNT_RATE_LIMITS_READ,
    ACCOUNT_READ,
    ACCOUNT_SEND_ADD_CREDITS_NUDGE_EMAIL,
    ACCOUNT_UPDATED,
    CHATGPT_TOKENS_REFRESH,
    TURN_COMPLETED,
)
from protocol.wire import Nothing
from tests.issuer import Asked, Issuer, Said


def jwt(**more) -> str:
    claims = {
        "email": "u@example.com",
        "https://api.openai.com/auth": {"chatgpt_plan_type": "pro", "chatgpt_account_id": "acc"},
        **more,
    }
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{body}.x"


@pytest.fixture
async def issuer(home: Path, monkeypatch):
    """Also ChatGPT's backend, which takes the newest token only."""
    issuer = Issuer()
    issuer.extra = {"id_token": jwt()}

    def usage(asked: Asked) -> Said:
        if asked.headers.get("authorization") != f"Bearer {issuer.token}":
            return Said(401, {"error": "expired"})
        assert asked.headers["chatgpt-account-id"] == "acc"
        return Said(body={"plan_type": "pro", "rate_limit": {"primary_window": {
            "used_percent": 41.6, "limit_window_seconds": 3600, "reset_at": 9}}})  # fmt: skip

    issuer.pages["/backend-api/wham/usage"] = usage
    issuer.pages["/oauth/revoke"] = lambda _: Said()
    async with trio.open_nursery() as nursery:
        await nursery.start(issuer.serve)
        monkeypatch.setenv("CODEX_APP_SERVER_LOGIN_ISSUER", issuer.url)
        file = home / "config.toml"
        base = f'chatgpt_base_url = "{issuer.url}/backend-api/"\n'
        file.write_text(
            base
            + file.read_text().replace("request_max", "requires_openai_auth = true\nrequest_max")
        )
        yield issuer
        nursery.cancel_scope.cancel()


async def browse(url: str) -> tuple[int, str]:
    """What a browser shows in the end."""
    async with httpx2.AsyncClient() as browser:
        back = (await browser.get(url)).headers["location"].replace("localhost", "127.0.0.1")
        page = await browser.get(back)
        return page.status_code, page.text


def stored(home: Path) -> dict:
    return json.loads((home / "auth.json").read_text())


async def test_a_login_in_a_browser_is_kept_told_and_taken_back(issuer, home, connect_stdio):
    """Observed: PKCE, the file, the order of what is told, a logout that the issuer hears of."""
    client = await connect_stdio()
    begun = await client.call(ACCOUNT_LOGIN_START, ChatgptLogin())
    status, page = await browse(begun.auth_url)
    assert (status, "You are logged in" in page) == (200, True)
    done = await client.next(ACCOUNT_LOGIN_COMPLETED)
    assert (done.login_id, done.success) == (begun.login_id, True)
    assert (await client.next(ACCOUNT_UPDATED)).plan_type == "pro"
    assert stat.S_IMODE((home / "auth.json").stat().st_mode) == 0o600
    assert stored(home)["tokens"]["account_id"] == "acc"
    read = await client.call(ACCOUNT_READ, GetAccountParams())
    assert read.account.email == "u@example.com"

    limits = await client.call(ACCOUNT_RATE_LIMITS_READ, Nothing())
    assert (limits.rate_limits.primary.used_percent, limits.rate_limits.plan_type) == (42, "pro")
    issuer.token = "another"  # nothing that we know is taken any more
    issuer._given = 1
    limits = await client.call(ACCOUNT_RATE_LIMITS_READ, Nothing())
    assert limits.rate_limits.limit_id == "codex"
    assert stored(home)["tokens"]["access_token"] == "access-2"

    await client.call(ACCOUNT_LOGOUT, Nothing())
    assert (await client.next(ACCOUNT_UPDATED)).auth_mode is None
    assert not (home / "auth.json").exists()
    with trio.fail_after(5):
        while not issuer.count("/oauth/revoke"):
            await trio.sleep(0.01)  # it is told beside the logout


async def test_a_login_that_does_not_come_about_says_why(issuer, home, connect_stdio):
    """Observed: cancelled, another begun, another state, an issuer that says no."""
    client = await connect_stdio()
    first = await client.call(ACCOUNT_LOGIN_START, ChatgptLogin())
    second = await client.call(ACCOUNT_LOGIN_START, ChatgptLogin())
    assert (await client.next(ACCOUNT_LOGIN_COMPLETED)).login_id == first.login_id
    told = httpx2.URL(second.auth_url).params
    back = told["redirect_uri"].replace("localhost", "127.0.0.1")
    async with httpx2.AsyncClient() as browser:
        wrong = await browser.get(back, params={"code": "x", "state": "wrong"})
        assert wrong.status_code == 400
        no = {"error": "access_denied", "state": told["state"]}
        assert "access_denied" in (await browser.get(back, params=no)).text
    done = await client.next(ACCOUNT_LOGIN_COMPLETED)
    assert (done.success, done.error) == (False, "Login server error: access_denied")

    third = await client.call(ACCOUNT_LOGIN_START, ChatgptLogin())
    gone = await client.call(ACCOUNT_LOGIN_CANCEL, CancelLoginAccountParams(third.login_id))
    assert gone.status == "canceled"
    assert not (await client.next(ACCOUNT_LOGIN_COMPLETED)).success
    assert not (home / "auth.json").exists()


async def test_a_login_with_a_code_waits_until_it_is_used(issuer, connect_stdio):
    """Observed."""
    polls = iter([Said(403), Said(404), Said(body={
        "authorization_code": "code-1", "code_verifier": "v" * 43})])  # fmt: skip
    issuer.pages |= {
        "/api/accounts/deviceauth/usercode": lambda _: Said(
            body={"device_auth_id": "d", "user_code": "ABCD", "interval": "0"}
        ),
        "/api/accounts/deviceauth/token": lambda _: next(polls),
        "/oauth/token": lambda _: Said(body=issuer.tokens()),
    }
    client = await connect_stdio()
    begun = await client.call(ACCOUNT_LOGIN_START, DeviceCodeLogin())
    assert (begun.user_code, begun.verification_url) == ("ABCD", f"{issuer.url}/codex/device")
    assert (await client.next(ACCOUNT_LOGIN_COMPLETED)).success
    issuer.pages["/api/accounts/deviceauth/usercode"] = lambda _: Said(404)
    with pytest.raises(RpcError, match="device code login is not enabled"):
        await client.call(ACCOUNT_LOGIN_START, DeviceCodeLogin())


async def test_two_threads_with_a_token_that_is_refused_cost_one_refresh(
    issuer, home, connect_stdio, provider
):
    """Ours: a refresh token can be used once, so whoever needs it waits for the same refresh."""
    issuer.tokens()
    tokens = {"id_token": jwt(), "access_token": "old", "refresh_token": "refresh-1"}
    (home / "auth.json").write_text(json.dumps({"auth_mode": "chatgpt", "tokens": tokens}))
    provider.takes = lambda: issuer.token
    provider.says("one")
    provider.says("two")
    client = await connect_stdio()
    threads = [await client.start(), await client.start()]
    for thread in threads:
        await client.begin(thread)
    for _ in threads:
        assert (await client.next(TURN_COMPLETED)).turn.status == "completed"
    assert issuer.count("/oauth/token") == 1
    assert stored(home)["tokens"]["access_token"] == "access-2"

    issuer.token = "never again"
    issuer.pages["/oauth/token"] = lambda _: Said(401, {"error": {"code": "refresh_token_reused"}})
    await client.begin(threads[0])
    failed = (await client.next(TURN_COMPLETED)).turn
    assert failed.status == "failed"
    assert "log out and sign in again" in failed.error.message


async def test_a_client_that_keeps_the_tokens_is_asked_for_new_ones(issuer, home, connect_stdio):
    """Observed: nothing is stored, and the client has ten seconds."""
    client = await connect_stdio()
    issuer.token = "next"
    old = ExternalLogin(access_token=jwt(n=1), chatgpt_account_id="acc")
    await client.call(ACCOUNT_LOGIN_START, old)
    assert (await client.next(ACCOUNT_UPDATED)).auth_mode == "chatgptAuthTokens"
    assert not (home / "auth.json").exists()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.call, ACCOUNT_RATE_LIMITS_READ, Nothing())
        id, asked = await client.question(CHATGPT_TOKENS_REFRESH)
        assert (asked.reason, asked.previous_account_id) == ("unauthorized", "acc")
        issuer.token = jwt(n=2)
        await client.answer(id, ChatgptAuthTokensRefreshResponse(issuer.token, "acc"))
    issuer.pages["/backend-api/wham/accounts/send_add_credits_nudge_email"] = lambda _: Said(429)
    sent = await client.call(
        ACCOUNT_SEND_ADD_CREDITS_NUDGE_EMAIL, SendAddCreditsNudgeEmailParams("credits")
    )
    assert sent.status == "cooldown_active"
