"""What a command sees of the server's environment."""

import pytest

from protocol.settings import ShellEnvironment
from workers.variables import variables

ENV = {
    "PATH": "/bin",
    "HOME": "/home/me",
    "TMPDIR": "/scratch",
    "EDITOR": "ed",
    "API_KEY": "k",
    "my_secret": "s",
    "GITHUB_TOKEN_FILE": "t",
}
THREAD = {"CODEX_THREAD_ID": "id"}
CORE = {"PATH": "/bin", "HOME": "/home/me", "TMPDIR": "/scratch"}


@pytest.mark.parametrize(
    ("policy", "seen"),
    [
        (ShellEnvironment(), ENV),
        (ShellEnvironment(inherit="core"), CORE),
        (ShellEnvironment(inherit="none"), {}),
        (ShellEnvironment(ignore_default_excludes=False), {**CORE, "EDITOR": "ed"}),
        (ShellEnvironment(inherit="core", exclude=["h*", "tmpdir"]), {"PATH": "/bin"}),
        (ShellEnvironment(inherit="none", set={"A": "1"}), {"A": "1"}),
        (ShellEnvironment(exclude=["A"], inherit="none", set={"A": "1"}), {"A": "1"}),
        (ShellEnvironment(include_only=["edit??"]), {"EDITOR": "ed"}),
        (ShellEnvironment(set={"A": "1"}, include_only=["PATH"]), {"PATH": "/bin"}),
    ],
)
def test_the_policy_is_applied_step_by_step(policy, seen):
    """Observed: inherit, exclude, set, include_only; globs without regard to case."""
    assert variables(policy, "id", ENV) == seen | THREAD
