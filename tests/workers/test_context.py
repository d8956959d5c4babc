"""What stands before the conversation, and what is added when settings change."""

import msgspec
import pytest

from protocol.model import CollaborationMode, CollaborationSettings
from protocol.policy import (
    ExternalSandbox,
    GranularApproval,
    GranularSettings,
    ReadOnly,
    WorkspaceWrite,
)
from protocol.settings import Provider, Settings
from workers import wording
from workers.context import (
    base_instructions,
    initial_items,
    items,
    update_items,
)
from workers.docs import Docs
from workers.environment import Environment, environment_text

NOW = Environment("/w", "bash", "2026-11-21", "Etc/UTC")
PLAIN = Settings(
    home="/h", cwd="/w", model="gpt-5.4", provider=Provider("p", "P"), approval_policy="never"
)


def but(**changes):
    return msgspec.structs.replace(PLAIN, **changes)


def mode(kind, own=None):
    return CollaborationMode(kind, CollaborationSettings("gpt-5.4", developer_instructions=own))


def told(previous, settings):
    """(role, text) of everything that a later turn adds in the same place."""
    items = update_items(previous, settings, NOW, NOW)
    return [(item["role"], part["text"]) for item in items for part in item["content"]]


def permissions(settings):
    text = initial_items(settings, Docs(), NOW)[0]["content"][0]["text"]
    assert text.startswith("<permissions instructions>\n")
    assert text.endswith("\n</permissions instructions>")
    return text


def test_a_thread_begins_with_rules_and_surroundings():
    """Observed: the order of the parts in both messages."""
    settings = but(
        developer_instructions="Never mention the weather.",
        collaboration_mode=mode("default", "Mode rule."),
        skills=[{"name": "greeter", "description": "Greets.", "path": "/s/SKILL.md"}],
    )
    developer, user = initial_items(settings, Docs("rule"), NOW)

    texts = [part["text"] for part in developer["content"]]
    assert developer["role"] == "developer"
    assert texts[1:3] == [
        "Never mention the weather.",
        "<collaboration_mode>Mode rule.</collaboration_mode>",
    ]
    assert texts[3].startswith("<skills_instructions>\n")
    assert texts[3].endswith("\n- greeter: Greets. (file: /s/SKILL.md)\n</skills_instructions>")
    assert user["role"] == "user"
    assert [part["text"] for part in user["content"]] == [
        "# AGENTS.md instructions for /w\n\n<INSTRUCTIONS>\nrule\n</INSTRUCTIONS>",
        environment_text(NOW),
    ]


def test_what_is_not_there_has_no_part():
    """Ours: only skills are told of even when there are none, so that all else keeps its place."""
    developer, user = initial_items(PLAIN, Docs(), NOW)

    assert len(developer["content"]) == 2
    assert "none yet" in developer["content"][1]["text"]
    assert len(user["content"]) == 1


def test_a_turn_is_told_all_at_first_and_then_what_has_changed():
    """Observed: second turns repeat nothing, and a moved cwd is an environment of its own."""
    first, told_then = items(None, PLAIN, Docs("rule"))
    second, told_now = items(told_then, PLAIN, Docs("rule"))
    third, _ = items(told_now, but(cwd="/x"), Docs("rule"))

    assert [item["role"] for item in first] == ["developer", "user"]
    assert second == []
    assert [item["role"] for item in third] == ["user"]
    assert "<cwd>/x</cwd>" in third[0]["content"][0]["text"]


def test_nothing_is_told_twice():
    """Observed: effort, summary and verbosity go into the request only."""
    assert told(PLAIN, but(effort="low", summary="concise", verbosity="high")) == []


def test_changes_come_in_one_developer_message_and_the_environment_after_it():
    """Observed: model switch, rights; then the user message."""
    moved = Environment("/w/sub", "bash", "2026-11-21", "Etc/UTC")
    settings = but(model="gpt-5.2", cwd="/w/sub", approval_policy="on-request")
    developer, user = update_items(PLAIN, settings, NOW, moved)

    texts = [part["text"] for part in developer["content"]]
    assert texts[0].startswith("<model_switch>\n")
    assert "gpt-5.2" in texts[0]
    assert texts[1] == permissions(settings)
    assert len(texts) == 2
    assert user["content"] == [{"type": "input_text", "text": environment_text(moved)}]


def test_a_new_sandbox_is_told():
    """Observed: even when the rights it gives are the same."""
    external = but(sandbox_policy=ExternalSandbox("enabled"))

    assert told(external, PLAIN) == [("developer", permissions(PLAIN))]


def test_a_new_voice_is_told_where_the_model_knows_voices():
    """Observed: gpt-5.4 is told, gpt-5.2 and own base instructions are not, none says nothing."""
    [(role, text)] = told(PLAIN, but(personality="friendly"))

    assert role == "developer"
    assert text.startswith("<personality_spec>\n")
    assert wording.VOICES["friendly"] in text
    assert told(PLAIN, but(personality="pragmatic")) == []
    assert told(PLAIN, but(personality="none")) == []
    old = but(model="gpt-5.2")
    assert told(old, but(model="gpt-5.2", personality="friendly")) == []
    own = but(base_instructions="Base.")
    assert told(own, but(base_instructions="Base.", personality="friendly")) == []


def test_beside_a_model_switch_the_voice_is_in_the_base_instructions():
    """Observed: no separate part."""
    switched = told(PLAIN, but(model="gpt-5.5", personality="friendly"))

    assert [text.split("\n")[0] for _, text in switched] == ["<model_switch>"]


def test_modes_are_told_when_they_change():
    """Observed: own instructions replace ours, empty ones say nothing."""
    plan = but(collaboration_mode=mode("plan"))
    [(role, text)] = told(PLAIN, plan)

    assert role == "developer"
    assert text == f"<collaboration_mode>{wording.MODES['plan']}</collaboration_mode>"
    assert "<proposed_plan>" in text
    assert told(plan, plan) == []
    assert wording.MODES["default"] in told(plan, but(collaboration_mode=mode("default")))[0][1]
    assert told(plan, but(collaboration_mode=mode("default", ""))) == []


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (ReadOnly(), [wording.READ_ONLY, wording.OFFLINE]),
        (ReadOnly(network_access=True), [wording.READ_ONLY, wording.ONLINE]),
        (ExternalSandbox(), [wording.EXTERNAL, wording.OFFLINE]),
        (WorkspaceWrite(writable_roots=["/opt"]), ["`/w`, `/opt`, `/tmp`.", wording.OFFLINE]),
        (WorkspaceWrite(exclude_slash_tmp=True), ["`/w`.", wording.PROTECTED]),
    ],
)
def test_the_sandbox_is_described(monkeypatch, policy, words):
    """Ours: the wording; what each policy allows is the protocol's."""
    monkeypatch.delenv("TMPDIR", raising=False)
    text = permissions(but(sandbox_policy=policy))

    assert [word for word in words if word not in text] == []


def test_a_working_folder_that_moves_moves_its_rights():
    """Ours: the writable roots are named, so they must be right."""
    here = but(sandbox_policy=WorkspaceWrite())
    there = but(sandbox_policy=WorkspaceWrite(), cwd="/x")

    assert told(here, there) == [("developer", permissions(there))]
    assert told(PLAIN, but(cwd="/x")) == []


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("untrusted", wording.UNTRUSTED),
        ("on-failure", wording.ON_FAILURE),
        ("on-request", wording.ON_REQUEST),
        ("never", wording.NEVER),
    ],
)
def test_the_approval_policy_is_described(policy, words):
    """Ours: the wording; the policies are the protocol's."""
    assert words in permissions(but(approval_policy=policy))


def test_granular_approval_names_what_is_asked_and_what_is_refused():
    """Ours: the wording; the kinds are the protocol's."""
    kinds = GranularSettings(mcp_elicitations=False, rules=True, sandbox_approval=False)
    text = permissions(but(approval_policy=GranularApproval(kinds)))

    assert "are put: commands that a rule wants asked." in text
    assert wording.ON_REQUEST not in text


def test_base_instructions_speak_in_the_chosen_voice():
    """Observed: pragmatic is the default where a model knows voices; own instructions win."""
    assert wording.VOICES["pragmatic"] in base_instructions(PLAIN)
    assert wording.VOICES["friendly"] in base_instructions(but(personality="friendly"))
    plain = base_instructions(but(model="mock-model", personality="friendly"))
    assert wording.VOICES["none"] in plain
    assert "{{" not in plain
    assert base_instructions(but(base_instructions="")) == ""
