"""Which provider a configuration means."""

import pytest

from protocol.settings import Provider
from supervisor.check import typed
from supervisor.layers import ConfigError
from supervisor.login import login
from supervisor.providers import provider


def mock(**table):
    providers = {"mock": {"name": "Mock", "base_url": "http://m/v1", **table}}
    return typed({"model_provider": "mock", "model_providers": providers})


def test_a_configured_provider_keeps_what_it_says_and_defaults_the_rest(tmp_path):
    """Observed: retries may be zero."""
    found = provider(
        mock(
            env_key="KEY",
            http_headers={"X": "1"},
            env_http_headers={"Y": "VAR"},
            query_params={"v": "7"},
            request_max_retries=0,
            stream_idle_timeout_ms=5,
        ),
        None,
    )

    assert found == Provider(
        id="mock",
        name="Mock",
        base_url="http://m/v1",
        env_key="KEY",
        http_headers={"X": "1"},
        env_http_headers={"Y": "VAR"},
        query_params={"v": "7"},
        request_max_retries=0,
        stream_idle_timeout_ms=5,
    )


def test_openai_is_there_unasked_and_its_address_can_be_set(tmp_path, monkeypatch):
    """Observed: the configuration wins over OPENAI_BASE_URL; OPENAI_API_KEY is no login."""
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
    usual = provider(typed({}), None)
    assert (usual.id, usual.base_url) == ("openai", "https://api.openai.com/v1")
    assert usual.requires_openai_auth
    assert usual.bearer_token is None

    monkeypatch.setenv("OPENAI_BASE_URL", "http://env/v1")
    assert provider(typed({}), None).base_url == "http://env/v1"
    assert provider(typed({"openai_base_url": "http://c"}), None).base_url == "http://c"


def test_the_key_of_the_login_goes_to_providers_that_ask_for_it_only(tmp_path):
    """Observed: requires_openai_auth; ours: an own key or token is not replaced."""
    (tmp_path / "auth.json").write_text('{"auth_mode": "apikey", "OPENAI_API_KEY": "sk-1"}')

    def sent(**table):
        return provider(mock(**table), login(tmp_path)).bearer_token

    assert sent() is None
    assert sent(requires_openai_auth=True) == "sk-1"
    assert sent(requires_openai_auth=True, experimental_bearer_token="own") == "own"
    assert sent(requires_openai_auth=True, env_key="KEY") is None
    assert provider(typed({}), login(tmp_path)).bearer_token == "sk-1"


def test_a_script_stands_in_for_a_model(tmp_path):
    """Ours: `wire_api = "scripted"`."""
    found = provider(mock(wire_api="scripted", script="/s.json"), None)

    assert (found.wire_api, found.script) == ("scripted", "/s.json")


def test_local_servers_are_known_and_strangers_are_not(tmp_path):
    """Observed."""
    assert provider(typed({}), None, "ollama").base_url == "http://localhost:11434/v1"
    with pytest.raises(ConfigError, match="Model provider `nobody` not found"):
        provider(typed({}), None, "nobody")
