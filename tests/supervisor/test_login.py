"""What auth.json says."""

import base64
import json
import stat

import pytest

from protocol.account import ApiKeyAccount, ChatgptAccount
from supervisor.login import Login, Tokens, forget, keep_key, keep_tokens, login


def token(**claims) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"head.{body}.sign"


@pytest.mark.parametrize("text", [None, "{broken", "[]", "{}", b"\xff", '{"OPENAI_API_KEY": 5}'])
def test_a_file_that_says_nothing_is_no_login(tmp_path, text):
    """Observed for a broken file."""
    if text is not None:
        (tmp_path / "auth.json").write_bytes(text if isinstance(text, bytes) else text.encode())

    assert login(tmp_path) is None


@pytest.mark.parametrize("mode", [{}, {"auth_mode": "apikey"}])
def test_an_api_key_is_a_login_with_and_without_a_mode(tmp_path, mode):
    """Observed: older files have no mode."""
    (tmp_path / "auth.json").write_text(json.dumps({**mode, "OPENAI_API_KEY": "sk-1"}))

    assert login(tmp_path) == Login("apikey", "sk-1", ApiKeyAccount())


def test_what_is_stored_is_read_back_and_what_is_not_ours_stays(tmp_path, monkeypatch):
    """Observed: shape and mode.  Ours: members that we do not know stay, and a full disk leaves
    the file as it was."""
    keep_tokens(tmp_path, Tokens("i", "a", "r", "acc"))
    file = tmp_path / "auth.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "newer": 1}))
    keep_tokens(tmp_path, Tokens("i", token(exp=1), "r2", "acc"))
    assert json.loads(file.read_text())["newer"] == 1
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    found = login(tmp_path)
    assert (found.account_id, found.refresh_token, found.is_stale) == ("acc", "r2", True)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("supervisor.login.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        keep_key(tmp_path, "sk")
    assert login(tmp_path).refresh_token == "r2"
    assert [path.name for path in tmp_path.iterdir()] == ["auth.json"]
    forget(tmp_path)
    assert login(tmp_path) is None


def test_a_chatgpt_login_names_the_account_that_its_token_claims(tmp_path):
    """Observed: email and plan; an unknown plan is `unknown`."""
    auth = {"https://api.openai.com/auth": {"chatgpt_plan_type": "pro"}}
    tokens = {"id_token": token(email="u@example.com", **auth), "access_token": "at"}
    file = tmp_path / "auth.json"
    file.write_text(json.dumps({"OPENAI_API_KEY": None, "tokens": tokens}))

    assert login(tmp_path) == Login("chatgpt", "at", ChatgptAccount("u@example.com", "pro"))

    file.write_text(json.dumps({"tokens": {"id_token": "garbage"}}))
    assert login(tmp_path) == Login("chatgpt", "", ChatgptAccount("", "unknown"))
