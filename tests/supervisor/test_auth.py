"""Who is let in by a token."""

import hashlib
import time

import jwt
import pytest

from supervisor.auth import load
from supervisor.options import CapabilityToken, Refused, SignedToken

KEY = b"0123456789abcdef0123456789abcdef"
RULE = {"issuer": "lab", "audience": "codex", "skew_seconds": 5}


def test_the_token_of_the_file_opens_the_door(tmp_path):
    """Observed: white space around it does not count."""
    (tmp_path / "token").write_text("secret-token\n")
    admits = load(CapabilityToken(file=str(tmp_path / "token")))
    assert admits("secret-token")
    assert not any(map(admits, ["", "secret", "secret-token ", "secret-token2", "\xff"]))


def test_the_token_of_the_digest_opens_the_door():
    """Observed: the token itself need not be on the server."""
    admits = load(CapabilityToken(digest=hashlib.sha256(b"secret-token").hexdigest().upper()))
    assert admits("secret-token")
    assert not admits("other")


@pytest.mark.parametrize(
    ("content", "cause"), [(None, "cannot read"), ("", "is empty"), (" \n", "is empty")]
)
def test_a_token_file_must_hold_a_token(tmp_path, content, cause):
    """Observed: status 1."""
    if content is not None:
        (tmp_path / "token").write_text(content)
    with pytest.raises(Refused, match=cause):
        load(CapabilityToken(file=str(tmp_path / "token")))


def test_a_short_secret_is_refused(tmp_path):
    """Observed: 32 bytes at least."""
    (tmp_path / "key").write_bytes(KEY[1:])
    with pytest.raises(Refused, match="too short"):
        load(SignedToken(str(tmp_path / "key")))


def signed(tmp_path, **rule):
    (tmp_path / "key").write_bytes(KEY + b"\n")
    return load(SignedToken(str(tmp_path / "key"), **rule))


def token(*, key=KEY, algorithm="HS256", headers=None, **claims) -> str:
    """`exp`, `nbf` and `iat` are given in seconds from now."""
    claims = {"iss": "lab", "aud": "codex", "exp": 600} | claims
    claims = {name: value for name, value in claims.items() if value is not None}
    claims |= {name: time.time() + claims[name] for name in ("exp", "nbf", "iat") if name in claims}
    return jwt.encode(claims, key, algorithm, headers)


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"aud": ["x", "codex"]},
        {"exp": -2},
        {"iat": 1000},
    ],
)
def test_a_signed_token_that_fits_opens_the_door(tmp_path, claims):
    """Observed, the skew included; what is not asked for may be anything."""
    assert signed(tmp_path, **RULE)(token(**claims))


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "other"},
        {"iss": "la"},
        {"iss": None},
        {"aud": "other"},
        {"aud": None},
        {"exp": -100},
        {"exp": None},
        {"exp": float("inf")},
        {"nbf": 300},
        {"key": b"x" * 32},
        {"key": KEY * 2, "algorithm": "HS384"},
    ],
)
def test_a_signed_token_that_does_not_fit_is_refused(tmp_path, claims):
    """Observed."""
    assert not signed(tmp_path, **RULE)(token(**claims))


@pytest.mark.parametrize(
    "text",
    ["", "a.b.c", "é", jwt.encode({"exp": 1e12}, None, "none"), "W1tb" * 3000 + ".W10.W10"],
)
def test_nonsense_is_refused(tmp_path, text):
    """Ours: a stranger's token may be anything, deeply nested JSON too."""
    assert not signed(tmp_path)(text)


def test_without_a_rule_for_them_issuer_and_audience_do_not_matter(tmp_path):
    """Observed."""
    assert signed(tmp_path)(token())
    assert signed(tmp_path)(token(iss=None, aud=None))
