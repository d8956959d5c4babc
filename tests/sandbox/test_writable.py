"""Which files a policy lets be written."""

import pytest

from protocol.policy import DangerFullAccess, ExternalSandbox, ReadOnly, WorkspaceWrite
from sandbox.policy import may_write, writable_roots

NO_TMP = {"exclude_slash_tmp": True, "exclude_tmpdir_env_var": True}


@pytest.fixture
def work(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def writes(path, cwd, env=None, **policy):
    return may_write(WorkspaceWrite(**{**NO_TMP, **policy}), str(path), str(cwd), env or {})


def test_full_access_and_an_outer_sandbox_may_write_anything():
    """Observed: nothing is enforced by us."""
    assert may_write(DangerFullAccess(), "/etc/passwd", "/x")
    assert may_write(ExternalSandbox(), "/etc/passwd", "/x")


def test_read_only_may_write_nothing(work):
    """Observed: readOnly, /tmp included."""
    assert not may_write(ReadOnly(), str(work / "a"), str(work), {})
    assert not may_write(ReadOnly(), "/tmp/a", str(work), {})


def test_the_cwd_and_what_is_below_it_may_be_written(work):
    """Observed: workspaceWrite; files and folders need not exist."""
    assert writes("a", work)
    assert writes("new/b", work)
    assert writes(work / "sub/../c", work)
    assert not writes("../outside", work)
    assert not writes(f"{work}-beside/a", work)


def test_named_roots_may_be_written(work, tmp_path):
    """Observed: writableRoots."""
    assert writes(tmp_path / "more/a", work, writable_roots=[str(tmp_path / "more")])
    assert not writes(tmp_path / "less/a", work, writable_roots=[str(tmp_path / "more")])


def test_temporary_folders_may_be_written_unless_excluded(work):
    """Observed: /tmp and $TMPDIR."""
    env = {"TMPDIR": "/scratch"}
    cwd = "/somewhere"
    assert writes("/tmp/a", cwd, exclude_slash_tmp=False)
    assert not writes("/tmp/a", cwd)
    assert writes("/scratch/a", cwd, env, exclude_tmpdir_env_var=False)
    assert not writes("/scratch/a", cwd, env)
    assert not writes("/relative/a", cwd, {"TMPDIR": "relative"}, exclude_tmpdir_env_var=False)


@pytest.mark.parametrize("name", [".git", ".codex", ".agents"])
def test_what_runs_code_later_stays_read_only(work, name):
    """Observed: protected in every writable root, whether it exists or not; deeper ones are not."""
    assert not writes(name, work)
    assert not writes(f"{name}/hooks/post-commit", work)
    assert writes(f"sub/{name}/x", work)
    assert writes(f"{name}ignore", work)


def test_where_a_git_file_points_to_stays_read_only(work):
    """Observed: the gitdir of a worktree."""
    (work / ".git").write_text("gitdir: real/git\n")
    assert not writes("real/git/config", work)
    assert writes("real/other", work)


def test_a_link_out_of_the_root_does_not_help(work, tmp_path):
    """Ours: names are resolved first."""
    (tmp_path / "outside").mkdir()
    (work / "way").symlink_to(tmp_path / "outside")
    assert not writes("way/a", work)


def test_a_link_to_a_protected_folder_does_not_help(work):
    """Ours: both the link and its target are protected."""
    (work / ".git").mkdir()
    (work / "alias").symlink_to(work / ".git")
    assert not writes("alias/config", work)
    (work / "real").mkdir()
    (work / ".codex").symlink_to(work / "real")
    assert not writes("real/config.toml", work)


def test_roots_are_told_once_and_resolved(work, tmp_path):
    """Ours: the sandbox binds each of them."""
    (tmp_path / "link").symlink_to(work)
    policy = WorkspaceWrite(writable_roots=[str(tmp_path / "link"), str(work)], **NO_TMP)
    assert writable_roots(policy, str(work), {}) == [str(work)]
