import pytest

from protocol.policy import (
    DangerFullAccess,
    DisabledPermissions,
    ExternalPermissions,
    ExternalSandbox,
    ManagedPermissions,
    NetworkPermissions,
    ReadOnly,
    UnrestrictedFileSystem,
    WorkspaceWrite,
)
from protocol.settings import Provider, Settings
from workers.judgement import Judgement, judge, open_sandbox
from workers.rules import Rules

OFF = NetworkPermissions(enabled=False)


def settings(**more):
    return Settings(home="/", cwd="/work", model="m", provider=Provider(id="p", name="P"), **more)


@pytest.mark.parametrize(
    ("more", "unconfined"),
    [
        ({"sandbox_policy": DangerFullAccess()}, True),
        ({"sandbox_policy": ExternalSandbox()}, True),
        ({"sandbox_policy": ReadOnly()}, False),
        ({"sandbox_policy": WorkspaceWrite()}, False),
        ({"permission_profile": DisabledPermissions()}, True),
        ({"permission_profile": ExternalPermissions(OFF)}, True),
        ({"permission_profile": ManagedPermissions(UnrestrictedFileSystem(), OFF)}, False),
    ],
)
def test_a_permission_profile_decides_whether_there_is_a_sandbox(more, unconfined):
    """Ours: a profile says more than a policy, so it is believed first."""
    assert open_sandbox(settings(**more)) == unconfined


def test_the_strictest_part_of_a_script_counts(tmp_path):
    """Observed: a script is as strict as its strictest command."""
    (tmp_path / "a.rules").write_text(
        'prefix_rule(["a"])\n'
        'prefix_rule(["b"], decision="prompt")\n'
        'prefix_rule(["c"], decision="forbidden")\n'
    )
    rules = Rules(str(tmp_path))

    def found(script):
        return judge(settings(), rules, ["bash", "-c", script], script)

    assert found("a; a") == Judgement("allow", unsandboxed=True)
    assert found("a; b") == Judgement("prompt", "`a; b` requires approval by policy")
    assert found("c; b").decision == "forbidden"


def test_the_words_of_a_here_document_command_meet_rules_but_are_not_known_safe(tmp_path):
    """Observed for the rules; ours: what is fed to a command is part of what it does."""
    (tmp_path / "a.rules").write_text('prefix_rule(["python3", "-"], decision="forbidden")')
    rules = Rules(str(tmp_path))
    ask = settings(approval_policy="untrusted")

    assert judge(ask, rules, ["bash", "-c", "python3 - <<X\n1\nX"], "").decision == "forbidden"
    assert judge(ask, rules, ["bash", "-c", "cat <<X\n1\nX"], "").decision == "prompt"
