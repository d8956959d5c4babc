"""Whom a WebSocket listener lets in: a secret read at start, and a test of each bearer token."""

import hashlib
import hmac
from collections.abc import Callable
from pathlib import Path

from supervisor.options import CapabilityToken, Refused, SignedToken, WsAuth

SECRET_BYTES = 32  # the least that HS256 may be keyed with (RFC 7518, section 3.2)

Admits = Callable[[str], bool]  # does this bearer token open the door?


def load(auth: WsAuth) -> Admits:
    """Read what the rule needs.  Raises Refused when a file is missing, empty or too short."""
    match auth:
        case CapabilityToken(digest=str(digest)):
            return _knows(bytes.fromhex(digest))
        case CapabilityToken(file=file):
            return _knows(hashlib.sha256(_read(file)).digest())
        case SignedToken():
            return _signed(auth, _secret(auth.secret_file))


def _read(file: str) -> bytes:
    try:
        content = Path(file).read_bytes().strip()
    except OSError as error:
        raise Refused(f"cannot read {file} ({error.strerror}); give a readable file") from None
    if not content:
        raise Refused(f"{file} is empty; write the secret into it")
    return content


def _secret(file: str) -> bytes:
    secret = _read(file)
    if len(secret) < SECRET_BYTES:
        raise Refused(f"the secret in {file} is too short; use {SECRET_BYTES} bytes or more")
    return secret


def _knows(digest: bytes) -> Admits:
    """Digests are compared, so neither length nor content of the token shows in the time."""
    return lambda token: hmac.compare_digest(hashlib.sha256(token.encode()).digest(), digest)


def _signed(rule: SignedToken, secret: bytes) -> Admits:
    import jwt  # noqa: PLC0415 - only who signs tokens pays for it

    def admits(token: str) -> bool:
        try:
            jwt.decode(  # pyright: ignore[reportUnknownMemberType] - it knows of more than secrets
                token,
                secret,
                algorithms=["HS256"],
                issuer=rule.issuer,
                audience=rule.audience,
                leeway=rule.skew_seconds,
                options={
                    "require": ["exp"],
                    "verify_aud": rule.audience is not None,
                    "verify_iss": rule.issuer is not None,
                    "verify_iat": False,  # RFC 7519 makes no condition of it
                },
            )
        # A header that is nested deeply or an expiry of 1e999 comes through as it was raised.
        except (jwt.PyJWTError, ValueError, RecursionError, OverflowError):
            return False
        return True

    return admits
