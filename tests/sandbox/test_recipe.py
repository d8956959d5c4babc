"""bubblewrap's options for a policy: pure, so they hold where there is no bubblewrap."""

import errno
import os
import threading
from pathlib import Path

import pytest

from protocol.policy import ReadOnly, WorkspaceWrite
from sandbox import Unenforceable, placeholder, plan
from sandbox.probe import Bubblewrap, Missing, bubblewrap, host

FOUND = Bubblewrap("/usr/bin/bwrap", binds_descriptors=True)


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.setattr("sandbox.host", lambda: FOUND)
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "home/auth.json").write_text("x")
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def planned(work, policy, cwd=None):
    return plan(policy, ["ls", "-l"], str(cwd or work), {"A": "b"}, project=str(work))


def words(work, policy):
    """The options as bubblewrap gets them; descriptors are told as FD."""
    prepared = planned(work, policy).prepare()
    try:
        descriptors = {str(fd) for fd in prepared.pass_fds}
        at = int(prepared.argv[2])
        data = os.pread(at, 1 << 20, 0).decode().split("\0")[:-1]
        assert prepared.argv == ["/usr/bin/bwrap", "--args", str(at), "--", "ls", "-l"]
        return ["FD" if word in descriptors else word for word in data], prepared
    finally:
        prepared.close()


def mounts(options):
    """(option, target) in order."""
    two = {"--bind-fd", "--ro-bind-fd", "--ro-bind", "--bind"}
    one = {"--dev", "--proc", "--tmpfs"}
    found = []
    for at, word in enumerate(options):
        if word in two:
            found.append((word, options[at + 2]))
        elif word in one:
            found.append((word, options[at + 1]))
    return found


def test_read_only_binds_the_disk_and_hides_the_credentials(work):
    """Ours: SANDBOX.md, section 6."""
    options, prepared = words(work, ReadOnly())
    auth = str(work.parent / "home/auth.json")
    assert mounts(options) == [
        ("--ro-bind-fd", "/"),
        ("--dev", "/dev"),
        ("--proc", "/proc"),
        ("--ro-bind", auth),
    ]
    for option in ("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-net"):
        assert option in options
    assert options[options.index("--cap-drop") + 1] == "ALL"
    assert {"--die-with-parent", "--new-session", "--disable-userns"} <= {*options}
    assert options[options.index("--clearenv") :] == [
        *("--clearenv", "--setenv", "A", "b"),
        *("--setenv", "CODEX_SANDBOX_NETWORK_DISABLED", "1"),
    ]
    assert prepared.env == {"PATH": "/usr/bin:/bin"}


def test_an_open_network_is_not_unshared(work):
    """Observed: networkAccess; the variable is not set then."""
    options, _ = words(work, ReadOnly(network_access=True))
    assert "--unshare-net" not in options
    assert "CODEX_SANDBOX_NETWORK_DISABLED" not in options


def test_writable_roots_are_bound_from_the_outside_in(work):
    """Ours: a root inside another one would else be covered by it, or its protection be lost."""
    inner = work / ".codex/memories"
    inner.mkdir(parents=True)
    no_tmp = {"exclude_slash_tmp": True, "exclude_tmpdir_env_var": True}
    options, _ = words(work, WorkspaceWrite(writable_roots=[str(inner)], **no_tmp))
    places = [
        (option, target.removeprefix(str(work)))
        for option, target in mounts(options)
        if target.startswith(str(work))
    ]
    assert places[0] == ("--bind-fd", "")
    assert sorted(places[1:4]) == [("--ro-bind-fd", f"/{n}") for n in (".agents", ".codex", ".git")]
    assert places[4] == ("--bind-fd", "/.codex/memories")
    assert len(places) == 8  # and its own three names


def test_placeholders_are_taken_back_when_nothing_is_started(work):
    """Ours: a failed start leaves nothing."""
    words(work, WorkspaceWrite())
    assert list(work.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "needed"), [(errno.EROFS, False), (errno.EACCES, True), (errno.ENOSPC, True)]
)
def test_a_name_that_cannot_be_made_needs_no_placeholder(work, monkeypatch, code, needed):
    """Ours: a root may lie on a read-only disk; but the owner of a folder could open it."""

    def hold(path):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("sandbox.placeholder.hold", hold)
    if needed:
        with pytest.raises(Unenforceable, match="cannot be kept from being made"):
            words(work, WorkspaceWrite())
    else:
        options, _ = words(work, WorkspaceWrite())
        assert str(work / ".git") not in options


def descriptors():
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


def test_no_descriptor_stays_open(work):
    """Ours: neither after a start nor instead of one."""
    before = descriptors()
    words(work, WorkspaceWrite())
    (work / ".git").symlink_to("x")
    with pytest.raises(Unenforceable):
        words(work, WorkspaceWrite())
    for thread in threading.enumerate():
        if thread.name == placeholder.CLOSING:
            thread.join(5)
    assert descriptors() == before


def test_the_commands_cwd_is_no_writable_root(work, tmp_path):
    """Ours: a model may name any workdir; the project is what the policy is about."""
    options = planned(work, WorkspaceWrite(exclude_slash_tmp=True), tmp_path).fence
    assert options is not None
    assert str(tmp_path) not in [mount.target for mount in options.mounts]


# ---- what is missing


@pytest.fixture
def probing():
    bubblewrap.cache_clear()
    yield host
    bubblewrap.cache_clear()


def program(tmp_path, script):
    fake = tmp_path / "bwrap"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    return str(fake)


def reason(monkeypatch, probing, path):
    monkeypatch.setenv("ATRIO_BWRAP", path)
    found = probing()
    assert isinstance(found, Missing)
    assert "danger-full-access" in found.cure
    return found.reason


HELP = 'case $1 in --help) echo "--disable-userns --clearenv --perms --ro-bind-fd"; exit;; esac;'


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo --help", "too old, it lacks --disable-userns"),
        (f"{HELP} echo 'bwrap: No permissions to create new namespace'; exit 1", "No permissions"),
        (f"{HELP} echo 'files outside of the sandbox can be written'; exit 3", "can be written"),
        (f'{HELP} shift 3; exec "$@"', "can be written"),
        (HELP, "does not work here"),
    ],
)
def test_a_bubblewrap_that_does_not_confine_is_not_used(
    tmp_path, monkeypatch, probing, script, says
):
    """Ours: one that merely starts is not enough."""
    assert says in reason(monkeypatch, probing, program(tmp_path, script))


def test_a_missing_bubblewrap_is_told_with_its_cure(tmp_path, monkeypatch, probing):
    """Ours."""
    assert "cannot be started" in reason(monkeypatch, probing, str(tmp_path / "none"))
    monkeypatch.delenv("ATRIO_BWRAP")
    monkeypatch.setenv("PATH", f"{tmp_path}:relative")
    bubblewrap.cache_clear()
    found = probing()
    assert isinstance(found, Missing)
    assert found.reason == "bubblewrap (bwrap) is not installed"
