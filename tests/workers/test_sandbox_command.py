"""`atrio sandbox`: what a policy does, tried by hand."""

import subprocess
import sys

import pytest

from protocol.policy import ReadOnly, WorkspaceWrite
from sandbox.probe import Missing, host, landlock
from supervisor.options import VERSION, Refused, parse
from supervisor.sandbox import policy_of
from supervisor.trial import Sandbox


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


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("-w", "x"), "--writable needs --policy workspace-write"),
        (("--profile", ":workspace", "--policy", "read-only"), "--policy says what --profile says"),
        (("--profile", ":workspace", "--network"), "leave --network out"),
    ],
)
def test_flags_that_contradict_each_other_are_refused(words, says):
    """Ours: a trial of something else than what was meant would be worse than none."""
    with pytest.raises(Refused, match=says):
        parse(["sandbox", *words, "--", "ls"])


def test_an_outer_sandbox_can_be_tried(tmp_path):
    """Observed: only the mark is set."""
    show = ["--", "sh", "-c", "echo ${CODEX_SANDBOX_NETWORK_DISABLED-unset} > said; cat said"]
    assert atrio(tmp_path, "--policy", "external-sandbox", *show)[:2] == (0, "1\n")
    opened = ["--policy", "external-sandbox", "--network"]
    assert atrio(tmp_path, *opened, *show)[:2] == (0, "unset\n")
    assert atrio(tmp_path, "--policy", "danger-full-access", *show)[:2] == (0, "unset\n")


HIDING = (
    '{"type":"managed","network":{"enabled":false},"fileSystem":{"type":"restricted","entries":['
    '{"access":"read","path":{"type":"special","value":{"kind":"root"}}},'
    '{"access":"none","path":{"type":"glob_pattern","pattern":"**/*.env"}}]}}'
)


@pytest.mark.skipif(isinstance(host(), Missing), reason="no sandbox here")
def test_a_profile_can_be_tried_as_json_or_by_its_name(tmp_path, monkeypatch):
    """Ours: what a configuration says should be tried before a thread runs with it."""
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "home/config.toml").write_text(
        'default_permissions = "mine"\n[permissions.mine.filesystem]\n":root" = "read"\n'
        '":project_roots" = { "out" = "write" }\n'
    )
    work = tmp_path / "work"
    (work / "out").mkdir(parents=True)
    (work / "a.env").write_text("secret")
    assert atrio(work, "--profile", HIDING, "--", "cat", "a.env")[1] == ""
    write = ["--", "sh", "-c", "echo x > out/x; echo x > x"]
    code, _, err = atrio(work, "--profile", "mine", *write)
    assert (code, err.count("Read-only file system")) == (2, 1)
    assert atrio(work, "--profile", ":workspace", *write)[0] == 0
    for bad, says in (("none-such", "none-such"), ('{"type":"x"}', "--profile: ")):
        code, _, err = atrio(work, "--profile", bad, "--", "true")
        assert code == 1
        assert says in err


@pytest.mark.skipif(isinstance(landlock(), Missing), reason="no Landlock here")
def test_the_reduced_level_can_be_tried(tmp_path, monkeypatch):
    """Ours: what is not kept is said before the command says anything."""
    monkeypatch.setenv("ATRIO_BWRAP", "/no/such/program")
    allowed = ["-c", "atrio.sandbox_minimum='reduced'"]
    code, out, err = atrio(tmp_path, *allowed, "--", "sh", "-c", "echo x > made; echo on; exit 3")
    assert (code, out) == (3, "on\n")
    assert "Not enforced: " in err
    assert "Permission denied" in err
    assert list(tmp_path.iterdir()) == []


def told(*words):
    done = subprocess.run(
        [sys.executable, "-m", "supervisor", *words],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return done.returncode, done.stdout.splitlines()


def test_a_version_tells_what_the_host_can_enforce_if_asked(monkeypatch):
    """Ours: an operator should not have to start a thread to know."""
    assert told("--version") == told("-V") == (0, [f"atrio {VERSION}"])
    code, [first, level, *rest] = told("--version", "--verbose")
    assert (code, first) == (0, f"atrio {VERSION}")
    assert level.startswith("sandbox: ")
    assert [line.partition(":")[0] for line in rest[-3:]] == ["landlock", "seccomp", "cgroups"]
    monkeypatch.setenv("ATRIO_BWRAP", "/no/such/program")
    assert told("--version", "--verbose")[1][1] == "sandbox: none, so what needs one is refused"
    assert told()[0] == 2


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
