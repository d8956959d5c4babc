"""What hooks may say, event by event."""

import json

import pytest

from protocol.hook import HookMetadata
from protocol.hookprompt import stored, tagged
from protocol.item import HookPromptFragment
from workers.hooks.output import understood
from workers.hooks.program import Ran
from workers.hooks.runs import _is_for
from workers.hooks.subject import of_command, of_mcp, of_patch


def said(event, **output):
    effect = understood(event, Ran(0, json.dumps(output)))
    return effect, effect.status, [(entry.kind, entry.text) for entry in effect.entries]


def ran(event, code, stdout="", stderr=""):
    effect = understood(event, Ran(code, stdout, stderr))
    return effect.status, [(entry.kind, entry.text) for entry in effect.entries]


@pytest.mark.parametrize(
    ("event", "output", "problem"),
    [
        ("preToolUse", {"decision": "approve"}, "unsupported decision:approve"),
        ("preToolUse", {"continue": False}, "unsupported continue:false"),
        ("preToolUse", {"stopReason": "x"}, "unsupported stopReason"),
        ("preToolUse", {"suppressOutput": True}, "unsupported suppressOutput"),
        ("preToolUse", {"reason": "x"}, "reason without decision"),
        ("preToolUse", {"decision": "block"}, "decision:block without a non-empty reason"),
        ("permissionRequest", {"continue": False}, "unsupported continue:false"),
        ("postToolUse", {"suppressOutput": True}, "unsupported suppressOutput"),
        ("postToolUse", {"reason": "x"}, "reason without decision"),
        ("postToolUse", {"decision": "block", "reason": " "}, "without a non-empty reason"),
        ("userPromptSubmit", {"decision": "block"}, "without a non-empty reason"),
        ("stop", {"decision": "block", "reason": ""}, "without a non-empty reason"),
    ],
)
def test_what_an_event_has_no_use_for_is_an_error(event, output, problem):
    """Observed: the words, and that nothing else comes of it."""
    effect, status, [(kind, text)] = said(event, **output)
    assert (status, kind) == ("failed", "error")
    assert text.endswith(problem)
    assert not (effect.objections or effect.stops or effect.allows)


@pytest.mark.parametrize(
    ("event", "specific", "problem"),
    [
        ("preToolUse", {"permissionDecision": "allow"}, "unsupported permissionDecision:allow"),
        ("preToolUse", {"permissionDecision": "ask"}, "unsupported permissionDecision:ask"),
        (
            "preToolUse",
            {"permissionDecision": "allow", "updatedInput": {}},
            "unsupported updatedInput",
        ),
        (
            "preToolUse",
            {"permissionDecision": "deny"},
            "permissionDecision:deny without a non-empty permissionDecisionReason",
        ),
        (
            "preToolUse",
            {"permissionDecisionReason": "x"},
            "permissionDecisionReason without permissionDecision",
        ),
        ("postToolUse", {"updatedMCPToolOutput": {}}, "unsupported updatedMCPToolOutput"),
        (
            "permissionRequest",
            {"decision": {"behavior": "allow", "updatedInput": {}}},
            "unsupported updatedInput",
        ),
        (
            "permissionRequest",
            {"decision": {"behavior": "deny", "interrupt": True}},
            "unsupported interrupt:true",
        ),
    ],
)
def test_so_is_what_an_event_has_no_use_for_in_particular(event, specific, problem):
    """Observed: as above."""
    effect, status, entries = said(event, hookSpecificOutput=specific)
    assert status == "failed"
    assert entries[-1][1].endswith(problem)
    assert not (effect.objections or effect.allows)


@pytest.mark.parametrize("event", ["preToolUse", "permissionRequest", "userPromptSubmit", "stop"])
def test_exit_code_2_objects_for_the_reason_on_stderr(event):
    """Observed."""
    assert ran(event, 2, stderr=" no \n") == ("blocked", [("feedback", "no")])
    status, [(kind, text)] = ran(event, 2)
    assert (status, kind) == ("failed", "error")
    assert "exited with code 2 but did not write" in text


def test_other_ends():
    """Observed: behind a tool an objection blocks nothing; compactions and starts know none."""
    assert ran("postToolUse", 2, stderr="no") == ("completed", [("feedback", "no")])
    assert ran("preCompact", 2, stderr="no") == ("failed", [("error", "no")])
    assert ran("sessionStart", 2, stderr="no") == ("failed", [("error", "hook exited with code 2")])
    assert ran("stop", 3, stderr="no") == ("failed", [("error", "hook exited with code 3")])
    assert ran("stop", 0, "words") == (
        "failed",
        [("error", "hook returned invalid stop hook JSON output")],
    )
    assert ran("preToolUse", 0, "words") == ("completed", [])
    assert ran("sessionStart", 0, "words\n") == ("completed", [("context", "words")])
    assert ran("sessionStart", 0, '{"what": 1}')[0] == "failed"


def test_stopping():
    """Observed: after a tool its output gives way to the reason."""
    effect, status, entries = said("postToolUse", **{"continue": False})
    assert (status, entries) == ("stopped", [("stop", "PostToolUse hook stopped execution")])
    assert effect.objections == ["PostToolUse hook stopped execution"]
    effect, status, entries = said("stop", **{"continue": False}, systemMessage="careful")
    assert (status, entries, effect.stops) == ("stopped", [("warning", "careful")], True)


def hook(event, matcher=None):
    return HookMetadata(
        "", 0, True, event, "command", False, "", "user", "", 1, "trusted", "", matcher
    )


@pytest.mark.parametrize(
    ("matcher", "matches"),
    [
        (None, True),
        ("", True),
        ("*", True),
        ("Write", True),
        ("Bash|Edit", True),
        ("Wri", False),
        ("^Wri", True),
        ("apply.*", True),
        ("Bash", False),
    ],
)
def test_matchers_are_names_or_patterns(matcher, matches):
    """Observed: a patch goes by several names."""
    names = of_patch("c", "").names
    assert _is_for(hook("preToolUse", matcher), "preToolUse", names) is matches
    assert not _is_for(hook("postToolUse", matcher), "preToolUse", names)


def test_subjects():
    """Observed: the words of Claude Code."""
    assert of_command("c", ["bash", "-lc", "ls {a}"]).input == {"command": "ls {a}"}
    assert of_command("c", ["ls", "a b"], "why").input == {
        "command": "ls 'a b'",
        "description": "why",
    }
    assert of_command("c", ["ls", "{}"]).blocked("no").endswith("Command: ls '{}'")
    assert of_mcp("c", "lab", "spell", None).names == ("mcp__lab__spell",)


def test_prompts_of_hooks_are_found_in_a_rollout():
    """Observed: the tags; other messages with such words are none."""
    fragment = HookPromptFragment('stop:0:/a "b"', "1 < 2\n&")
    head = b'{"timestamp":"2026-01-01T00:00:00.000Z","type":"response_item","payload":'

    def line(role, text):
        message = {
            "type": "message",
            "role": role,
            "content": [{"type": "input_text", "text": text}],
        }
        return head + json.dumps(message).encode() + b"}\n"

    assert stored(line("user", tagged(fragment))) == [fragment]
    assert stored(line("assistant", tagged(fragment))) == []
    assert stored(line("user", "about <hook_prompt and so on")) == []
    assert stored(head + b'{"type":"message"}}\n') == []
    assert stored(b"<hook_prompt torn") == []
