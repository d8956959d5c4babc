"""What auth.json says."""

import base64
import json

import pytest

from protocol.account import ApiKeyAccount, ChatgptAccount
from supervisor.login import Login, login


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


def test_a_chatgpt_login_names_the_account_that_its_token_claims(tmp_path):
    """Observed: email and plan; an unknown plan is `unknown`."""
    auth = {"https://api.openai.com/auth": {"chatgpt_plan_type": "pro"}}
    tokens = {"id_token": token(email="u@example.com", **auth), "access_token": "at"}
    file = tmp_path / "auth.json"
    file.write_text(json.dumps({"OPENAI_API_KEY": None, "tokens": tokens}))

    assert login(tmp_path) == Login("chatgpt", "at", ChatgptAccount("u@example.com", "pro"))

    file.write_text(json.dumps({"tokens": {"id_token": "garbage"}}))
    assert login(tmp_path) == Login("chatgpt", "", ChatgptAccount("", "unknown"))
