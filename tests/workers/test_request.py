"""What the provider is asked: keys, per-model facts and headers."""

import json
from typing import Any

import pytest
from msgspec import UNSET

from protocol.policy import DangerFullAccess, ExternalSandbox, ReadOnly, WorkspaceWrite
from protocol.settings import Provider, Settings
from workers.provider import ModelRequest
from workers.request import build, sandbox_tag

TOOL = {"type": "function", "name": "exec_command"}


def settings(model: str = "gpt-5.4", **more: Any) -> Settings:
    known = {"home": "/home", "cwd": "/work", "originator": "test", "installation_id": "inst"}
    return Settings(**known, model=model, provider=Provider("mock", "Mock"), **more)


def asked(settings: Settings, **more: Any) -> ModelRequest:
    usual: dict[str, Any] = {"items": [], "tools": [TOOL], "instructions": "Be good.", "window": 0}
    ids = {"thread_id": "t", "turn_id": "u", "started_at_ms": 1000}
    return build(settings, **{**usual, **ids, **more})


def test_a_known_model_gets_every_key():
    """Observed: turn_text."""
    item = {"type": "message", "role": "user", "content": []}

    assert asked(settings(), items=[item]).body == {
        "model": "gpt-5.4",
        "instructions": "Be good.",
        "input": [item],
        "tools": [TOOL],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "reasoning": {"effort": "xhigh"},
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "t",
        "text": {"verbosity": "low"},
        "client_metadata": {"x-codex-installation-id": "inst"},
    }


def test_an_unknown_model_gets_no_frills():
    """Observed: a model that is not in the catalogue."""
    body = asked(settings("mock-model")).body

    assert body["reasoning"] is None
    assert body["include"] == []
    assert body["parallel_tool_calls"] is False
    assert "text" not in body


@pytest.mark.parametrize(
    ("model", "more", "reasoning"),
    [
        ("gpt-5.2", {}, {"effort": "medium", "summary": "auto"}),
        (
            "gpt-5.2",
            {"effort": "low", "summary": "concise"},
            {"effort": "low", "summary": "concise"},
        ),
        ("gpt-5.2", {"effort": "high", "summary": "none"}, {"effort": "high"}),
        ("gpt-5.4", {"summary": "detailed"}, {"effort": "xhigh", "summary": "detailed"}),
    ],
)
def test_effort_and_summary_come_from_the_settings_or_the_model(
    model: str, more: dict[str, Any], reasoning: dict[str, str]
):
    """Observed: turn overrides and the models' defaults."""
    assert asked(settings(model, **more)).body["reasoning"] == reasoning


def test_an_output_schema_becomes_the_texts_format():
    """Observed: turn/start's outputSchema."""
    schema = {"type": "object"}
    expected = {"type": "json_schema", "strict": True, "schema": schema}

    text = asked(settings(verbosity="high"), output_schema=schema).body["text"]

    assert text == {"verbosity": "high", "format": {**expected, "name": "codex_output_schema"}}
    assert "format" not in asked(settings(), output_schema=UNSET).body["text"]


def test_without_tools_there_are_no_parallel_calls():
    """Observed: compaction sends no tools."""
    assert asked(settings(), tools=[]).body["parallel_tool_calls"] is False


def test_a_service_tier_is_told_in_the_apis_words():
    """The API calls the fast tier `priority`."""
    assert asked(settings(service_tier="fast")).body["service_tier"] == "priority"
    assert asked(settings(service_tier="flex")).body["service_tier"] == "flex"


def test_the_headers_say_whose_request_it_is():
    """Observed: turn_text, after one compaction."""
    headers = asked(settings(), window=1).headers

    assert json.loads(headers.pop("x-codex-turn-metadata")) == {
        "session_id": "t",
        "thread_id": "t",
        "turn_id": "u",
        "sandbox": "none",
        "turn_started_at_unix_ms": 1000,
    }
    assert headers == {
        "originator": "test",
        "user-agent": "atrio",
        "session_id": "t",
        "thread_id": "t",
        "x-client-request-id": "t",
        "x-codex-window-id": "t:1",
        "x-codex-beta-features": "terminal_resize_reflow",
    }


def test_a_thread_that_works_for_another_says_so():
    """Observed: a review."""
    more = {"session_id": "s", "thread_source": "subagent", "subagent": "review"}
    headers = asked(settings(), workspaces={"/ö": {"has_changes": False}}, **more).headers

    assert (headers["session_id"], headers["thread_id"]) == ("s", "t")
    assert headers["x-openai-subagent"] == "review"
    metadata = json.loads(headers["x-codex-turn-metadata"])
    assert (metadata["session_id"], metadata["thread_source"]) == ("s", "subagent")
    assert metadata["workspaces"] == {"/ö": {"has_changes": False}}
    assert headers["x-codex-turn-metadata"].isascii()


def test_a_client_adds_to_the_metadata_and_replaces_nothing():
    """Observed: responsesapiClientMetadata; ours: not our own names."""
    headers = asked(settings(), client_metadata={"ticket": "A-1", "turn_id": "x"}).headers

    metadata = json.loads(headers["x-codex-turn-metadata"])
    assert (metadata["ticket"], metadata["turn_id"]) == ("A-1", "u")


def test_features_that_are_on_are_told():
    """Observed: with goals."""
    on = asked(settings(features={"goals": True})).headers
    off = asked(settings(features={"terminal_resize_reflow": False})).headers

    assert on["x-codex-beta-features"] == "terminal_resize_reflow,goals"
    assert "x-codex-beta-features" not in off


def test_a_clients_name_cannot_become_a_header():
    """Ours: names come from strangers."""
    headers = asked(settings(user_agent="é\r\nx: y")).headers

    assert headers["user-agent"] == "___x: y"


def test_each_policy_has_its_tag(monkeypatch):
    """Observed on Linux."""
    monkeypatch.setattr("sys.platform", "linux")
    policies = [DangerFullAccess(), ExternalSandbox(), ReadOnly(), WorkspaceWrite()]

    assert [sandbox_tag(policy) for policy in policies] == [
        "none",
        "external",
        "seccomp",
        "seccomp",
    ]
