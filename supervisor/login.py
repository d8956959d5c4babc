"""Who the host is logged in as: what `auth.json` in the home says, read anew at each use.

The file is the reference server's, so a login with either holds for both.  Members that we do not
know stay as they are.
"""

import base64
import json
import os
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, cast, get_args

import msgspec
from msgspec import Struct

from protocol.account import Account, ApiKeyAccount, ChatgptAccount, PlanType

FILE = "auth.json"
CLAIMS = "https://api.openai.com/auth"  # where a token says what account it is for
SKEW_SECONDS = 30  # a token that ends so soon is refreshed before it is used
OLD_SECONDS = 8 * 24 * 3600  # and one that has not been for so long (observed)


class Tokens(Struct):
    id_token: str = ""
    access_token: str = ""
    refresh_token: str = ""
    account_id: str | None = None


class Auth(Struct):
    """The file's shape.  Without `auth_mode`, an older version's, the key alone counts."""

    auth_mode: str | None = None
    api_key: str | None = msgspec.field(default=None, name="OPENAI_API_KEY")
    tokens: Tokens | None = None
    last_refresh: str | None = None


class Login(Struct):
    """`token` is the bearer token that requests to OpenAI carry."""

    mode: Literal["apikey", "chatgpt", "chatgptAuthTokens"]
    token: str
    account: Account
    account_id: str | None = None
    refresh_token: str = ""
    is_stale: bool = False

    @property
    def plan(self) -> PlanType | None:
        return self.account.plan_type if isinstance(self.account, ChatgptAccount) else None


def login(home: Path) -> Login | None:
    """None if nobody is logged in; a file that cannot be read counts as none (observed)."""
    try:
        auth = msgspec.json.decode((home / FILE).read_bytes(), type=Auth)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if auth.tokens is not None and auth.auth_mode in (None, "chatgpt"):
        return by_tokens(auth.tokens, auth.last_refresh)
    if auth.api_key and auth.auth_mode in (None, "apikey"):
        return Login("apikey", auth.api_key, ApiKeyAccount())
    return None


def by_tokens(tokens: Tokens, last_refresh: str | None = None) -> Login:
    known = claims(tokens.id_token)
    own = known.get(CLAIMS)
    told = own.get("chatgpt_account_id") if isinstance(own, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - JSON
    return Login(
        "chatgpt",
        tokens.access_token,
        account_of(known),
        account_id=tokens.account_id or cast("str | None", told),
        refresh_token=tokens.refresh_token,
        is_stale=_is_stale(tokens.access_token, last_refresh),
    )


def _is_stale(token: str, last_refresh: str | None) -> bool:
    expiry = claims(token).get("exp")
    if isinstance(expiry, int) and time.time() + SKEW_SECONDS >= expiry:
        return True
    with suppress(ValueError, TypeError):
        return time.time() - datetime.fromisoformat(last_refresh or "").timestamp() > OLD_SECONDS
    return False


def account_of(known: dict[str, Any], plan: str | None = None) -> ChatgptAccount:
    """What the token claims; it is the user's own file, so the signature is not ours to check."""
    own = cast("dict[str, Any]", known.get(CLAIMS, {}))
    kind = plan or own.get("chatgpt_plan_type")
    sort = kind if kind in get_args(PlanType) else "unknown"
    return ChatgptAccount(email=str(known.get("email", "")), plan_type=cast("PlanType", sort))


def claims(token: str) -> dict[str, Any]:
    """Empty for what is no JWT."""
    body = (token.split(".") + [""] * 2)[1]
    try:
        return msgspec.json.decode(
            base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)), type=dict[str, Any]
        )
    except (ValueError, UnicodeDecodeError):
        return {}


# ---- writing


def keep_key(home: Path, key: str) -> None:
    """Raises OSError."""
    _write(home, {"auth_mode": "apikey", "OPENAI_API_KEY": key})


def keep_tokens(home: Path, tokens: Tokens) -> None:
    """Raises OSError.  A refresh keeps what else is in the file."""
    before = _members(home)
    told = msgspec.to_builtins(tokens)
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    kept = before if before.get("auth_mode") in (None, "chatgpt") else {}
    usual = {"auth_mode": "chatgpt", "OPENAI_API_KEY": None}
    _write(home, {**usual, **kept, "tokens": told, "last_refresh": now})


def forget(home: Path) -> None:
    """Raises OSError."""
    (home / FILE).unlink(missing_ok=True)


def id_token(home: Path) -> str:
    """The stored one, which a refresh need not renew."""
    match _members(home).get("tokens"):
        case {"id_token": str(token)}:
            return token
        case _:
            return ""


def _members(home: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode((home / FILE).read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError):
        return {}


def _write(home: Path, members: dict[str, Any]) -> None:
    """Readable by its owner only, and whole or not at all."""
    handle, name = tempfile.mkstemp(dir=home, prefix=".auth-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(members, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(home / FILE)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
