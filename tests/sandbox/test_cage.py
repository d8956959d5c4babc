"""The reduced level: what it can say, what it refuses to say, and the process that keeps it."""

import os
import signal
import subprocess
import sys
from functools import partial

import psutil
import pytest

from protocol.policy import (
    ExactPath,
    GlobPatternPath,
    ManagedPermissions,
    NetworkPermissions,
    ReadOnly,
    SpecialPath,
    SpecialRoot,
    UnrestrictedFileSystem,
)
from protocol.profile import entry, managed
from sandbox import Unenforceable, landlock
from sandbox.cage import gaps

ROOT = entry(SpecialPath(SpecialRoot("root")), "read")


def profile(*entries, network=False):
    return managed([ROOT, *entries], network=network)


def place(path, access):
    return entry(ExactPath(str(path)), access)


# ---- what rules that only allow cannot say


def test_a_home_in_a_writable_root_is_refused(cage):
    """Ours: who may write the configuration, or read the credentials, is not confined."""
    cage.allow(writable_roots=[str(cage.home.parent)])
    with pytest.raises(Unenforceable, match="lies in a folder that may be written"):
        cage.shell("true")


def test_credentials_that_the_whole_disk_would_give_are_refused(cage):
    """Ours: where all may be written there is nothing to hide behind."""
    cage.profile = ManagedPermissions(UnrestrictedFileSystem(), NetworkPermissions(False))
    with pytest.raises(Unenforceable, match=r"auth\.json must not be read"):
        cage.shell("true")


@pytest.mark.parametrize("access", ["read", "none"])
def test_an_exception_in_a_writable_folder_is_refused(cage, access):
    """Ours: protected names are the known gap; what somebody has asked for is none."""
    (cage.work / "kept").write_text("x")
    cage.profile = profile(place(cage.work, "write"), place(cage.work / "kept", access))
    with pytest.raises(Unenforceable, match="the reduced level .* has no exceptions"):
        cage.shell("true")


def test_a_protected_name_that_must_not_even_be_read_is_refused(cage):
    """Ours: the gap is in writing."""
    (cage.work / ".git").mkdir()
    cage.profile = profile(place(cage.work, "write"), place(cage.work / ".git", "none"))
    with pytest.raises(Unenforceable, match="must not be read"):
        cage.shell("true")


def test_a_hidden_folder_is_refused(cage):
    """Ours: its names could be listed."""
    cage.profile = profile(place(cage.outside, "none"))
    with pytest.raises(Unenforceable, match="lies in one that may be read"):
        cage.shell("true")


def test_an_interpreter_that_a_command_could_change_is_refused(cage, monkeypatch):
    """Ours: it makes the sandbox of the next command."""
    monkeypatch.setattr(sys, "executable", str(cage.work / "python"))
    with pytest.raises(Unenforceable, match="could change"):
        cage.shell("true")


# ---- what they can


def test_hidden_files_cannot_be_read_and_their_neighbours_can(cage):
    """Ours: everything around them is allowed, one by one."""
    for name in ("a.env", "b.env", "c.txt"):
        (cage.outside / name).write_text(name)
    hidden = entry(GlobPatternPath(f"{cage.outside}/*.env"), "none")
    cage.profile = profile(place(cage.work, "write"), hidden)
    status, output = cage.shell(f"cat {cage.outside}/a.env {cage.outside}/b.env {cage.outside}/*t")
    assert status != 0
    assert output.count("Permission denied") == 2
    assert output.endswith("c.txt")


def test_a_profile_that_names_what_may_be_read_hides_the_rest(cage):
    """Observed: minimal."""
    minimal = entry(SpecialPath(SpecialRoot("minimal")), "read")
    cage.profile = managed([minimal, place(cage.work, "write")], network=False)
    (cage.work / "own").write_text("x")
    status, output = cage.shell(f"cat own /etc/passwd > /dev/null && cat {cage.outside}/there")
    assert status == 1
    assert output.endswith("Permission denied")


def test_the_whole_disk_without_the_network(cage):
    """Ours: only the filter is left to do anything."""
    (cage.home / "auth.json").unlink()
    cage.profile = ManagedPermissions(UnrestrictedFileSystem(), NetworkPermissions(False))
    said = cage.python("attempt(put, outside + '/new'); attempt(lambda: socket.socket())")
    assert said == "ok EPERM"


def test_an_open_network_has_no_unix_sockets(cage):
    """Ours: those of container engines could not be hidden."""
    cage.allow(network_access=True)
    said = cage.python(
        "s = socket.create_server(('127.0.0.1', 0));"
        "attempt(socket.create_connection, s.getsockname(), 2);"
        "attempt(lambda: socket.socket(socket.AF_UNIX))"
    )
    assert said == "ok EPERM"


@pytest.mark.parametrize("abi", [3, 4, 5, 6])
def test_older_kernels_keep_files_and_sockets_too(cage, monkeypatch, abi):
    """Ours: what a version does not know is left out of the rules, and the filter stays."""
    if landlock.abi() < abi:
        pytest.skip(f"this kernel's Landlock is older than {abi}")
    monkeypatch.setattr(landlock, "abi", lambda: abi)
    said = cage.python(
        "attempt(put, 'a'); attempt(put, outside + '/there'); attempt(os.truncate, outside + "
        "'/there', 0); attempt(lambda: open(home + '/auth.json').read());"
        "attempt(lambda: socket.socket())"
    )
    assert said == "ok EACCES EACCES EACCES EPERM"


def test_what_is_not_kept_is_said_for_what_there_is():
    """Ours: a warning is about this thread and this kernel."""
    assert ".git" in gaps(6, writable=True)
    assert ".git" not in gaps(6, writable=False)
    assert "can be sent signals" in gaps(5, writable=True)
    assert "can be sent signals" not in gaps(6, writable=True)


def test_nothing_stands_for_names_that_are_not_protected(cage):
    """Ours: a placeholder without a cover would only be in the way."""
    assert cage.shell("ls -A; git() { :; }; mkdir .git && ls -A") == (0, ".git")


# ---- its keeper


@pytest.fixture
def running(cage):
    """Start a script that says when it is up; its keeper and its processes."""
    started = []

    def start(script):
        process, prepared = cage.start(
            ["/bin/sh", "-c", f"{script}; echo up; read x"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        started.append((process, prepared))
        assert process.stdout.readline() == b"up\n"
        return process, prepared, psutil.Process(process.pid).children(recursive=True)

    yield start
    for process, prepared in started:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
        prepared.close()


DAEMONS = "for i in 1 2 3; do setsid sh -c 'sleep 604 & sleep 604' > /dev/null < /dev/null & done"


def gone(processes):
    return not psutil.wait_procs(processes, timeout=10)[1]


def test_nothing_survives_its_command(running):
    """Ours: SANDBOX.md, life-daemon; without a PID namespace somebody has to look for them."""
    process, _, family = running(f"{DAEMONS}; sleep 0.2")
    assert len(family) > 3
    process.stdin.write(b"go\n")
    process.stdin.flush()
    assert process.wait(timeout=10) == 0
    assert gone(family)


def test_asked_to_end_it_passes_that_on(running):
    """Ours: a command may have lock files to remove."""
    process, _, family = running("trap 'echo bye; exit 7' TERM")
    process.terminate()
    assert process.wait(timeout=10) == 7
    assert process.stdout.read() == b"bye\n"
    assert gone(family)


@pytest.mark.parametrize("by", ["the worker", "anybody"])
def test_killed_it_leaves_nothing(running, by):
    """Ours: SANDBOX.md, life-kill9; whoever does not know of it gets the command at least."""
    process, prepared, family = running(DAEMONS if by == "the worker" else "true")
    process.send_signal(prepared.killing if by == "the worker" else signal.SIGKILL)
    assert process.wait(timeout=10) == -signal.SIGKILL
    assert gone(family)


def test_killing_the_command_ends_what_it_has_started(running):
    """Ours: SANDBOX.md, life-kill9."""
    process, _, family = running(DAEMONS)
    psutil.Process(process.pid).children()[0].kill()
    assert process.wait(timeout=10) == 128 + signal.SIGKILL
    assert gone(family)


def test_it_ends_with_its_worker(cage):
    """Ours: whoever forked it may be killed at any time."""
    read, write = os.pipe()
    worker = os.fork()
    if worker == 0:
        start = partial(cage.start, ["/bin/sh", "-c", "sleep 605 & echo $! $$; exec sleep 605"])
        start(stdout=write)
        signal.pause()
    os.close(write)
    with os.fdopen(read) as said:
        family = [psutil.Process(int(pid)) for pid in said.readline().split()]
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)
        assert gone(family)


def test_read_only_has_no_shared_memory(cage):
    """Ours: /dev/shm is the host's, so who may write nothing may not write there."""
    cage.policy = ReadOnly()
    assert cage.python("attempt(put, '/dev/shm/atrio-test')") == "EACCES"
