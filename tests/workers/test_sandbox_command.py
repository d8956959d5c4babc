"""`atrio sandbox`: what a policy does, tried by hand."""

import subprocess
import sys

import pytest

from protocol.policy import ReadOnly, WorkspaceWrite
from sandbox.probe import Missing, host
from supervisor.options import Sandbox, parse
from supervisor.sandbox import policy_of


def test_the_command_line_names_a_policy_and_a_command(monkeypatch, tmp_path):
    """Ours: read-only unless something else is asked for."""
    assert parse(["sandbox", "--", "ls", "-l"]) == Sandbox(["ls", "-l"], "read-only")
    monkeypatch.chdir(tmp_path)
    asked = parse(["sandbox", "--policy", "workspace-write", "-w", "x", "--network", "--", "ls"])
    assert isinstance(asked, Sandbox)
    assert policy_of(asked) == WorkspaceWrite(
        network_access=True, writable_roots=[str(tmp_path / "x")]
    )
    assert policy_of(Sandbox([], network=True)) == ReadOnly(network_access=True)


def atrio(folder, *words):
    done = subprocess.run(
        [sys.executable, "-m", "supervisor", "sandbox", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.skipif(isinstance(host(), Missing), reason="no sandbox here")
def test_a_command_runs_as_its_policy_lets_it(tmp_path):
    """Ours: exit codes are the command's, and nothing is left behind."""
    code, out, err = atrio(tmp_path, "--", "sh", "-c", "echo x > made; echo said; exit 3")
    assert (code, out) == (3, "said\n")
    assert "Read-only file system" in err
    inside = ["--policy", "workspace-write", "--", "sh", "-c", "echo x > made; kill -9 $$"]
    assert atrio(tmp_path, *inside)[0] == 137
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_what_cannot_be_confined_is_not_run(tmp_path, monkeypatch):
    """Ours: never weaker than asked for."""
    monkeypatch.setenv("ATRIO_BWRAP", "/no/such/program")
    code, out, err = atrio(tmp_path, "--", "echo", "x")
    assert (code, out) == (125, "")
    assert "cannot enforce the sandbox policy read-only" in err
