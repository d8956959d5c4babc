"""What a command in the sandbox can do, on the real kernel, and what it leaves behind."""

import ast
import os
import shutil
import signal
import subprocess
import sys

import pytest

from protocol.policy import ReadOnly
from sandbox import Unenforceable
from sandbox.placeholder import stands_for_nothing


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git here")
def test_git_works_in_a_nested_repository(each):
    """Ours: builds clone what they need."""
    script = (
        "git init -q r && cd r && git -c user.name=a -c user.email=b commit -q --allow-empty -m m"
        " && git log --oneline | wc -l"
    )
    assert each.shell(script) == (0, "1")


@pytest.mark.parametrize(
    ("script", "status"), [("exit 9", 9), ("kill -9 $$", 137), ("kill -TERM $$", 143)]
)
def test_exit_codes_come_through(each, script, status):
    """Observed: a signal is 128 and its number."""
    assert each.shell(script)[0] == status


def test_a_missing_program_is_told(each):
    """Ours: the reference server tells of a panic."""
    status, output = each.run("no-such-program", env={"PATH": "/usr/bin:/bin"})
    assert status != 0
    assert "no-such-program: No such file or directory" in output


def test_the_environment_is_exactly_the_one_given(each, monkeypatch):
    """Ours: nothing of the server's own."""
    monkeypatch.setenv("SERVER_SECRET", "x")
    _, output = each.run(sys.executable, "-I", "-c", "import os; print(sorted(os.environ))")
    found = set(ast.literal_eval(output)) - {"LC_CTYPE", "PWD"}  # Python's, and bubblewrap's
    assert found == {"PATH", "CODEX_SANDBOX_NETWORK_DISABLED"}


# ---- placeholders


def protected(box):
    return sorted(path.name for path in box.work.iterdir())


def test_no_placeholder_stays_behind(box):
    """Observed; ours: also where the names cannot be made while it runs."""
    status, output = box.shell("mkdir .git .codex .agents 2>/dev/null; ls -A")
    assert (status, output.split()) == (0, [".agents", ".codex", ".git"])
    assert protected(box) == []


def running(box):
    process, prepared = box.start(["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(b"x")
    process.stdin.flush()
    assert process.stdout.read(1) == b"x"
    return process, prepared


def end(process, prepared):
    process.stdin.close()
    process.stdout.close()
    process.wait()
    os.read(prepared.gone, 1)
    prepared.close()


def test_placeholders_stay_while_another_sandbox_needs_them(box):
    """Ours: removing one would take its cover away, too."""
    first, second = running(box), running(box)
    end(*first)
    assert protected(box) == [".agents", ".codex", ".git"]
    end(*second)
    assert protected(box) == []


def test_placeholders_go_when_the_sandbox_is_killed(box):
    """Ours: the reference server leaves them for good."""
    process, prepared = running(box)
    process.send_signal(signal.SIGKILL)
    end(process, prepared)
    assert protected(box) == []


def test_placeholders_of_a_dead_server_go_with_the_next_command(box):
    """Ours: they are known by their mode."""
    (box.work / ".git").mkdir()
    (box.work / ".git").chmod(0o1555)
    (box.work / ".codex").mkdir()
    assert box.shell("true") == (0, "")
    assert protected(box) == [".codex"]


def test_what_somebody_has_put_into_a_placeholder_stays(box):
    """Ours: a user may `git init` while a command runs."""
    process, prepared = running(box)
    (box.work / ".git").chmod(0o755)
    (box.work / ".git/HEAD").write_text("ref: x")
    end(process, prepared)
    assert protected(box) == [".git"]
    assert not stands_for_nothing(str(box.work / ".git"))


def test_a_root_that_is_missing_is_left_out(each):
    """Observed: the folder of memories may not be there yet."""
    each.allow(writable_roots=[str(each.outside / "none")])
    assert each.shell("echo x > a && cat a") == (0, "x")
    assert not (each.outside / "none").exists()


def test_temporary_folders_are_writable_unless_excluded(box, monkeypatch):
    """Observed: the two switches."""
    monkeypatch.setenv("TMPDIR", str(box.outside))
    script = f"echo x > {box.outside}/new"
    assert box.shell(script)[0] != 0
    box.allow(exclude_tmpdir_env_var=False)
    assert box.shell(script) == (0, "")
    made = f"/tmp/atrio-test-{os.getpid()}"
    assert box.shell(f"echo x > {made}")[0] != 0
    box.allow(exclude_slash_tmp=False)
    assert box.shell(f"echo x > {made} && rm {made}") == (0, "")


def test_a_command_cannot_choose_the_temporary_folder(each):
    """Ours: the model may name variables, so the server's TMPDIR counts."""
    each.allow(exclude_tmpdir_env_var=False)
    status, _ = each.run(
        "/bin/sh", "-c", 'echo x > "$TMPDIR/new"', env={"TMPDIR": str(each.outside)}
    )
    assert status != 0


def test_a_sandbox_that_a_command_could_change_is_none(box, monkeypatch, bubblewrap):
    """Ours: whoever may write to the program need not escape."""
    own = box.work / "bwrap"
    shutil.copy(bubblewrap.path, own)
    changed = type(bubblewrap)(str(own), bubblewrap.binds_descriptors)
    monkeypatch.setattr("sandbox.host", lambda: changed)
    with pytest.raises(Unenforceable, match="could change"):
        box.shell("true")
    box.policy = ReadOnly()
    assert box.shell("true") == (0, "")
