"""Which hooks a folder has, and whether they are trusted."""

import json

import pytest

from protocol.hook import HookMetadata
from supervisor.config import Config
from supervisor.hooks import discover, fingerprint, snake

STOP = {"hooks": {"Stop": [{"matcher": "x", "hooks": [{"type": "command", "command": "j"}]}]}}


@pytest.fixture
def home(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    return home


def hooks(home, cwd="/"):
    found = discover(Config(home, etc=home / "no-etc"), str(cwd))
    return found.hooks, found.warnings


def test_a_hook_tells_all_that_a_user_must_judge(home):
    """Observed: this key, this order of events, this hash."""
    (home / "config.toml").write_text(
        '[[hooks.PreToolUse]]\nmatcher = "^Bash$"\n[[hooks.PreToolUse.hooks]]\n'
        'type = "command"\ncommand = "echo pre"\ntimeout = 5\nstatusMessage = "checking"\n'
    )

    [hook], warnings = hooks(home)

    assert not warnings
    assert hook == HookMetadata(
        current_hash="sha256:1f1dc4160e2665a33571f7e5f0e07fa684c3877d42d3bef65858cd493de234ea",
        display_order=0,
        enabled=True,
        event_name="preToolUse",
        handler_type="command",
        is_managed=False,
        key=f"{home}/config.toml:pre_tool_use:0:0",
        source="user",
        source_path=f"{home}/config.toml",
        timeout_sec=5,
        trust_status="untrusted",
        command="echo pre",
        matcher="^Bash$",
        status_message="checking",
    )


def test_files_count_before_tables_and_the_user_before_the_project(home, tmp_path):
    """Observed; a matcher of Stop is passed over, a timeout of 0 is 1."""
    codex = tmp_path / "work" / ".codex"
    codex.mkdir(parents=True)
    table = '[[hooks.Stop]]\n[[hooks.Stop.hooks]]\ntype = "command"\ncommand = "c"\ntimeout = 0\n'
    trust = f'[projects."{codex.parent}"]\ntrust_level = "trusted"\n'
    (home / "config.toml").write_text(trust + table)
    (codex / "config.toml").write_text(table)
    for folder in (home, codex):
        (folder / "hooks.json").write_text(json.dumps(STOP))

    found, _ = hooks(home, codex.parent)

    assert [(h.key, h.source, h.timeout_sec, h.matcher, h.display_order) for h in found] == [
        (f"{home}/hooks.json:stop:0:0", "user", 600, None, 0),
        (f"{home}/config.toml:stop:0:0", "user", 1, None, 1),
        (f"{codex}/hooks.json:stop:0:0", "project", 600, None, 2),
        (f"{codex}/config.toml:stop:0:0", "project", 1, None, 3),
    ]


def test_a_project_nobody_trusts_has_no_hooks_and_no_say_in_their_trust(home, tmp_path):
    """Observed for the first; ours: trust is the user's to give."""
    codex = tmp_path / ".codex"
    codex.mkdir()
    (codex / "hooks.json").write_text(json.dumps(STOP))
    assert hooks(home, tmp_path) == ([], [])

    (home / "config.toml").write_text(f'[projects."{tmp_path}"]\ntrust_level = "trusted"\n')
    key = f"{codex}/hooks.json:stop:0:0"
    own = fingerprint("stop", None, {"command": "j"})
    (codex / "config.toml").write_text(f'[hooks.state."{key}"]\ntrusted_hash = "{own}"\n')

    [hook], _ = hooks(home, tmp_path)
    assert hook.trust_status == "untrusted"


def test_the_state_says_what_is_trusted_and_what_is_off(home):
    """Observed: another hash means that the hook was changed since."""
    (home / "hooks.json").write_text(json.dumps(STOP))
    key = f"{home}/hooks.json:stop:0:0"
    own = fingerprint("stop", None, {"command": "j"})

    def state(lines):
        (home / "config.toml").write_text(f'[hooks.state."{key}"]\n{lines}')
        [hook], _ = hooks(home)
        return hook.enabled, hook.trust_status

    assert state("enabled = false\n") == (False, "untrusted")
    assert state(f'trusted_hash = "{own}"\n') == (True, "trusted")
    assert state('trusted_hash = "sha256:other"\n') == (True, "modified")


def test_what_is_not_supported_is_warned_about_and_left_out(home):
    """Observed: the place keeps its number."""
    group = [
        {"type": "prompt", "prompt": "x"},
        {"type": "agent"},
        {"type": "command", "command": "a", "async": True},
        {"type": "command", "command": "ok"},
    ]
    (home / "hooks.json").write_text(
        json.dumps(
            {
                "hooks": {
                    "UserPromptSubmit": [{"hooks": group}],
                    "PostToolUse": [{"matcher": "[", "hooks": group}],
                }
            }
        )
    )

    [hook], warnings = hooks(home)

    assert hook.key == f"{home}/hooks.json:user_prompt_submit:0:3"
    assert [warning.split()[0:2] for warning in warnings] == [
        ["invalid", "matcher"],
        ["skipping", "prompt"],
        ["skipping", "agent"],
        ["skipping", "async"],
    ]


@pytest.mark.parametrize("text", ["{broken", '{"hooks": 5}', "[]", '{"hooks": {"Stop": [5]}}'])
def test_a_broken_file_has_no_hooks(home, text):
    """Observed: one warning for what is no JSON."""
    (home / "hooks.json").write_text(text)

    found, warnings = hooks(home)

    assert not found
    assert len(warnings) == (text == "{broken")


def test_event_names_are_written_apart():
    """Observed: keys are in snake case."""
    assert snake("UserPromptSubmit") == "user_prompt_submit"
