"""Permission profiles in the real sandbox, and what a patch may do under them."""

import os

import pytest

from protocol.policy import (
    DangerFullAccess,
    DisabledPermissions,
    ExactPath,
    ExternalPermissions,
    GlobPatternPath,
    ManagedPermissions,
    NetworkPermissions,
    SpecialPath,
    SpecialRoot,
    UnrestrictedFileSystem,
)
from protocol.profile import entry, in_project, managed, special
from sandbox import Unenforceable
from sandbox.policy import may_write

READ_ALL = entry(special("root"), "read")


@pytest.fixture
def work(box):
    (box.work / "sub").mkdir()
    (box.work / "sub/x").write_text("x\n")
    (box.work / "secret").write_text("secret\n")
    return box


def confine(box, *entries, network=False):
    # The policy must not count: it would allow everything.
    box.policy, box.profile = DangerFullAccess(), managed([*entries], network=network)


def writes(box, path):
    """Whether a command, and a patch, may write there: the two must agree."""
    status, _ = box.shell(f"echo y >> {path}")
    patch = may_write(box.policy, path, str(box.work), profile=box.profile)
    assert patch == (status == 0)
    return patch


def test_a_profile_counts_before_the_policy(work):
    """Observed."""
    confine(work, READ_ALL)
    assert not writes(work, "secret")
    assert work.shell("cat secret") == (0, "secret")


def test_the_deepest_entry_counts(work):
    """Observed: read below write; ours: and write below that."""
    exact = [ExactPath(str(work.work / p)) for p in ("", "sub", "sub/deep")]
    (work.work / "sub/deep").mkdir()
    confine(
        work, READ_ALL, entry(exact[0], "write"), entry(exact[1], "read"), entry(exact[2], "write")
    )
    assert writes(work, "top")
    assert not writes(work, "sub/x")
    assert writes(work, "sub/deep/y")
    assert not writes(work, "sub/deep/.git/hooks")


def test_what_is_denied_can_be_neither_read_nor_written(work):
    """Observed for a file, which is empty; ours: a folder that cannot be listed."""
    denied = [entry(ExactPath(str(work.work / p)), "none") for p in ("secret", "sub")]
    confine(work, READ_ALL, entry(in_project(), "write"), *denied)
    assert work.shell("cat secret") == (0, "")
    assert work.shell("cat sub/x")[0] != 0
    assert work.shell("ls sub")[0] != 0
    assert not writes(work, "secret")
    assert not writes(work, "sub/new")
    assert (work.work / "secret").read_text() == "secret\n"


def test_something_in_a_denied_folder_can_be_allowed(work):
    """Ours: the deepest entry counts."""
    (work.work / "sub/y").write_text("y\n")
    shown = entry(ExactPath(str(work.work / "sub/x")), "read")
    confine(work, READ_ALL, entry(in_project("sub"), "none"), shown)
    assert work.shell("cat sub/x") == (0, "x")
    assert work.shell("cat sub/y")[0] != 0


def test_a_pattern_denies_what_it_names(work):
    """Ours: as it names it when the command starts."""
    (work.work / "sub/.env").write_text("secret\n")
    confine(work, READ_ALL, entry(GlobPatternPath("**/.env"), "none"))
    assert work.shell("cat sub/.env") == (0, "")
    assert work.shell("cat sub/x") == (0, "x")


def test_many_denied_files_are_denied(work):
    """Ours: beyond what there are descriptors for, reading is an error."""
    for number in range(300):
        (work.work / f"sub/{number}.key").write_text("secret")
    confine(work, READ_ALL, entry(GlobPatternPath("sub/*.key"), "none"))
    status, output = work.shell("cat sub/*.key | grep -c secret")
    assert (status, output.splitlines()[-1]) == (1, "0")


@pytest.mark.parametrize(
    "wrong", [entry(GlobPatternPath("*"), "write"), entry(SpecialPath(SpecialRoot("moon")), "read")]
)
def test_what_cannot_be_expressed_is_refused(work, wrong):
    """Ours: never a weaker sandbox than was asked for; nor a patch."""
    confine(work, READ_ALL, wrong)
    with pytest.raises(Unenforceable, match="permission profile"):
        work.shell("true")
    assert not may_write(work.policy, "x", str(work.work), profile=work.profile)


def test_with_minimal_reading_programs_start_and_see_nothing_else(work):
    """Ours: the reference server cannot start anything there."""
    confine(work, entry(special("minimal"), "read"), entry(in_project(), "write"))
    assert work.shell("cat secret; ls /; ls /root /home") != (0, "")
    status, output = work.shell(f"cat secret; ls -d {work.outside} {work.home} 2>/dev/null")
    assert (status != 0, output) == (True, "secret")
    assert not writes(work, "/new")
    assert writes(work, "new")


def test_a_hidden_working_directory_is_refused(work):
    """Ours: the command could not be started there."""
    confine(work, entry(special("minimal"), "read"))
    with pytest.raises(Unenforceable, match="hides the working directory"):
        work.shell("true")


def test_everything_may_be_written_without_the_network(work):
    """Observed: unrestricted files, network off."""
    work.policy = DangerFullAccess()
    work.profile = ManagedPermissions(UnrestrictedFileSystem(), NetworkPermissions(enabled=False))
    assert writes(work, str(work.outside / "new"))
    assert work.shell("echo $CODEX_SANDBOX_NETWORK_DISABLED") == (0, "1")
    assert "EPERM" in work.python("attempt(lambda: socket.socket(socket.AF_UNIX))")


@pytest.mark.parametrize(
    "profile", [DisabledPermissions(), ExternalPermissions(NetworkPermissions(enabled=True))]
)
def test_what_is_not_ours_to_confine_is_not_confined(work, profile):
    """Observed."""
    work.profile = profile
    assert writes(work, str(work.outside / "new"))
    assert work.shell("cat /proc/self/status | grep -c .")[0] == 0
    assert work.python(f"attempt(os.kill, {os.getpid()}, 0)") == "ok"
