"""Who the host is logged in as: what `auth.json` in the home says, read anew at each use."""

import base64
from pathlib import Path
from typing import Any, Literal, cast, get_args

import msgspec
from msgspec import Struct

from protocol.account import Account, ApiKeyAccount, ChatgptAccount, PlanType


class Tokens(Struct):
    id_token: str = ""
    access_token: str = ""


class Auth(Struct):
    """The file's shape.  Without `auth_mode`, an older version's, the key alone counts."""

    auth_mode: str | None = None
    api_key: str | None = msgspec.field(default=None, name="OPENAI_API_KEY")
    tokens: Tokens | None = None


class Login(Struct):
    """`token` is the bearer token that requests to OpenAI carry."""

    mode: Literal["apikey", "chatgpt"]
    token: str
    account: Account


def login(home: Path) -> Login | None:
    """None if nobody is logged in; a file that cannot be read counts as none (observed)."""
    try:
        auth = msgspec.json.decode((home / "auth.json").read_bytes(), type=Auth)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if auth.tokens is not None and auth.auth_mode in (None, "chatgpt"):
        return Login("chatgpt", auth.tokens.access_token, _account(auth.tokens.id_token))
    if auth.api_key and auth.auth_mode in (None, "apikey"):
        return Login("apikey", auth.api_key, ApiKeyAccount())
    return None


def _account(id_token: str) -> ChatgptAccount:
    """What the token claims; it is the user's own file, so the signature is not ours to check."""
    claims = _claims(id_token)
    plan = cast("dict[str, Any]", claims.get("https://api.openai.com/auth", {}))
    kind = plan.get("chatgpt_plan_type")
    known = kind if kind in get_args(PlanType) else "unknown"
    return ChatgptAccount(email=str(claims.get("email", "")), plan_type=cast("PlanType", known))


def _claims(token: str) -> dict[str, Any]:
    body = (token.split(".") + [""] * 2)[1]
    try:
        return msgspec.json.decode(
            base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)), type=dict[str, Any]
        )
    except (ValueError, UnicodeDecodeError):
        return {}
