"""The issuer of ChatGPT's tokens: codes become tokens, old tokens new ones, and some are revoked.

`CODEX_APP_SERVER_LOGIN_ISSUER` names another issuer, `CODEX_REFRESH_TOKEN_URL_OVERRIDE` and
`CODEX_REVOKE_TOKEN_URL_OVERRIDE` single addresses, as in the reference server.
"""

import base64
import hashlib
import os
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx2
import msgspec

from supervisor.login import Tokens

CLIENT_ID = "app_EMoamEEZ73f0CkXaXp7hrann"  # of the Codex clients (observed)
SCOPES = "openid profile email offline_access api.connectors.read api.connectors.invoke"
SECONDS = 30.0
# What the issuer says of a refresh token that is of no use any more (observed).
SPENT = {
    "refresh_token_expired": "your refresh token has expired",
    "refresh_token_reused": "your refresh token was already used",
    "refresh_token_invalidated": "your refresh token was revoked",
}


class IssuerError(Exception):
    """The issuer said no, or nothing; the text says what."""


class Spent(IssuerError):
    """The refresh token is of no use any more: somebody has to log in again."""


@dataclass(frozen=True)
class Proof:
    """PKCE, RFC 7636."""

    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(64))

    @property
    def challenge(self) -> str:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


@dataclass(frozen=True)
class DeviceCode:
    id: str
    user_code: str
    seconds: float
    """Between two questions whether it was used."""


def issuer() -> str:
    return os.environ.get("CODEX_APP_SERVER_LOGIN_ISSUER", "https://auth.openai.com").rstrip("/")


def authorization_url(
    redirect_uri: str, state: str, proof: Proof, originator: str, workspace: str | None
) -> str:
    told = {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": redirect_uri,
        "scope": SCOPES,
        "code_challenge": proof.challenge,
        "code_challenge_method": "S256",
        "id_token_add_organizations": "true",
        "codex_cli_simplified_flow": "true",
        "state": state,
        "originator": originator,
    }
    if workspace is not None:
        told["allowed_workspace_id"] = workspace
    return f"{issuer()}/oauth/authorize?{urlencode(told)}"


async def exchange(code: str, redirect_uri: str, verifier: str) -> Tokens:
    """Raises IssuerError."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "client_id": CLIENT_ID,
        "code_verifier": verifier,
    }
    answer = await _post(f"{issuer()}/oauth/token", data=form)
    if answer.status_code != 200:
        raise IssuerError(f"Token exchange failed: {_said(answer)}")
    return _tokens(answer)


async def refresh(tokens: Tokens) -> Tokens:
    """New ones; what the issuer does not renew stays.  Raises Spent and IssuerError."""
    url = os.environ.get("CODEX_REFRESH_TOKEN_URL_OVERRIDE") or f"{issuer()}/oauth/token"
    told = {
        "client_id": CLIENT_ID,
        "grant_type": "refresh_token",
        "refresh_token": tokens.refresh_token,
    }
    answer = await _post(url, json=told)
    if answer.status_code != 200:
        raise _refusal(answer)
    fresh = _tokens(answer)
    return Tokens(
        id_token=fresh.id_token or tokens.id_token,
        access_token=fresh.access_token or tokens.access_token,
        refresh_token=fresh.refresh_token or tokens.refresh_token,
        account_id=tokens.account_id,
    )


def _refusal(answer: httpx2.Response) -> IssuerError:
    if answer.status_code not in (400, 401):
        return IssuerError(f"Failed to refresh token: {_said(answer)}")
    why = SPENT.get(_code(answer), "the issuer does not take it any more")
    return Spent(
        f"Your access token could not be refreshed because {why}. Please log out and sign in again."
    )


def _code(answer: httpx2.Response) -> str:
    match _json(answer):
        case {"error": {"code": str(code)}} | {"error": str(code)} | {"code": str(code)}:
            return code
        case _:
            return ""


async def revoke(refresh_token: str) -> None:
    """Raises IssuerError."""
    url = os.environ.get("CODEX_REVOKE_TOKEN_URL_OVERRIDE") or f"{issuer()}/oauth/revoke"
    told = {
        "token": refresh_token,
        "token_type_hint": "refresh_token",
        "client_id": CLIENT_ID,
    }
    answer = await _post(url, json=told)
    if answer.status_code >= 400:
        raise IssuerError(_said(answer))


async def device_code() -> DeviceCode:
    """Raises IssuerError."""
    url = f"{issuer()}/api/accounts/deviceauth/usercode"
    answer = await _post(url, json={"client_id": CLIENT_ID})
    if answer.status_code == 404:
        raise IssuerError("device code login is not enabled for this issuer; use the browser login")
    match _json(answer):
        case {"device_auth_id": str(id), "user_code": str(code), **rest} | {
            "device_auth_id": str(id),
            "usercode": str(code),
            **rest,
        } if answer.status_code == 200:
            return DeviceCode(id, code, _seconds(rest.get("interval")))
        case _:
            raise IssuerError(_said(answer))


def _seconds(interval: object) -> float:
    try:
        return max(0.0, float(str(interval)))
    except ValueError:
        return 5.0


def verification_url() -> str:
    return f"{issuer()}/codex/device"


async def device_tokens(device: DeviceCode) -> Tokens | None:
    """None while nobody has used the code.  Raises IssuerError."""
    url = f"{issuer()}/api/accounts/deviceauth/token"
    told = {"device_auth_id": device.id, "user_code": device.user_code}
    answer = await _post(url, json=told)
    if answer.status_code in (403, 404):
        return None
    match _json(answer):
        case {"authorization_code": str(code), "code_verifier": str(verifier)}:
            return await exchange(code, f"{issuer()}/deviceauth/callback", verifier)
        case _:
            raise IssuerError(f"device auth failed: {_said(answer)}")


async def _post(url: str, **body: Any) -> httpx2.Response:
    try:
        async with httpx2.AsyncClient(timeout=SECONDS) as client:
            return await client.post(url, **body)
    except (httpx2.HTTPError, httpx2.InvalidURL):
        raise IssuerError(f"error sending request for url ({url})") from None


def _tokens(answer: httpx2.Response) -> Tokens:
    try:
        return msgspec.json.decode(answer.content, type=Tokens)
    except msgspec.DecodeError as error:
        raise IssuerError(f"the issuer's answer is malformed: {error}") from None


def _json(answer: httpx2.Response) -> Any:
    try:
        return msgspec.json.decode(answer.content)
    except msgspec.DecodeError:
        return None


def _said(answer: httpx2.Response) -> str:
    return f"{answer.status_code} {answer.reason_phrase}: {answer.text[:500]}"
