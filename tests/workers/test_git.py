"""Git info without git."""

import pytest

from protocol.placeholder import MODE
from protocol.thread import GitInfo
from workers.git import git_info

SHA = "be0f2db8a76c43603a6c6a381ef9e500ce2b46f6"
CONFIG = """
[core]
    bare = false
[remote "upstream"]
    url = https://example.com/other.git
[remote "origin"]
    url = https://example.com/r.git
    fetch = +refs/heads/*:refs/remotes/origin/*
[branch "main"]
    remote = origin
"""


@pytest.fixture
def repository(tmp_path):
    git = tmp_path / "work" / ".git"
    (git / "refs/heads").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/topic/one\n")
    (git / "refs/heads/topic").mkdir()
    (git / "refs/heads/topic/one").write_text(f"{SHA}\n")
    return tmp_path / "work"


def test_a_folder_below_a_repository_belongs_to_it(repository):
    """Observed: commit and branch; no remote is null."""
    below = repository / "a/b"
    below.mkdir(parents=True)
    assert git_info(str(below)) == GitInfo(branch="topic/one", sha=SHA)


def test_the_remote_is_origin(repository):
    """Observed."""
    (repository / ".git/config").write_text(CONFIG)
    found = git_info(str(repository))
    assert found is not None
    assert found.origin_url == "https://example.com/r.git"


def test_packed_refs_are_read(repository):
    """Ours: after `git gc`."""
    (repository / ".git/refs/heads/topic/one").unlink()
    packed = f"# pack-refs with: peeled\n{'0' * 40} refs/heads/main\n{SHA} refs/heads/topic/one\n"
    (repository / ".git/packed-refs").write_text(packed)
    assert git_info(str(repository)) == GitInfo(branch="topic/one", sha=SHA)


def test_a_detached_head_has_no_branch(repository):
    """Ours."""
    (repository / ".git/HEAD").write_text(f"{SHA}\n")
    assert git_info(str(repository)) == GitInfo(sha=SHA)


def test_a_worktree_has_a_head_of_its_own_and_shares_the_rest(repository, tmp_path):
    """Ours: `.git` is a file there."""
    own = repository / ".git/worktrees/side"
    own.mkdir(parents=True)
    (own / "HEAD").write_text("ref: refs/heads/side\n")
    (own / "commondir").write_text("../..\n")
    (repository / ".git/refs/heads/side").write_text(f"{SHA}\n")
    (repository / ".git/config").write_text(CONFIG)
    side = tmp_path / "side"
    side.mkdir()
    (side / ".git").write_text(f"gitdir: {own}\n")
    assert git_info(str(side)) == GitInfo("side", "https://example.com/r.git", SHA)


def test_a_repository_without_a_commit_has_only_a_branch(repository):
    """Ours."""
    (repository / ".git/refs/heads/topic/one").unlink()
    assert git_info(str(repository)) == GitInfo(branch="topic/one")


@pytest.mark.parametrize("head", ["", "ref: ../../secret\n", "ref: refs/heads/loop\n", "junk"])
def test_a_head_that_leads_nowhere_is_no_error(repository, head):
    """Ours: a repository is somebody else's data."""
    (repository / ".git/refs/heads/loop").write_text("ref: refs/heads/loop\n")
    (repository / ".git/HEAD").write_text(head)
    found = git_info(str(repository))
    assert found is not None
    assert found.sha is None


def test_what_a_running_sandbox_puts_there_is_no_repository(tmp_path):
    """Ours."""
    (tmp_path / ".git").mkdir(MODE)
    assert git_info(str(tmp_path)) is None


def test_outside_of_a_repository_there_is_nothing(tmp_path):
    """Observed: null."""
    assert git_info(str(tmp_path)) is None
