"""What a reviewer is asked."""

import subprocess

import pytest

from protocol.errors import RpcError
from protocol.review import BaseBranch, Commit, Custom, UncommittedChanges
from protocol.settings import Provider, Settings
from tests import reviewing
from tests.reviewing import git
from workers.changes import prompt


@pytest.fixture
def here(tmp_path):
    (tmp_path / "r").mkdir()
    reviewing.repository(tmp_path / "r")
    return tmp_path / "r"


def settings(folder) -> Settings:
    return Settings(home="/h", cwd=str(folder), model="m", provider=Provider("p", "P"))


async def asked(folder, target) -> str:
    return await prompt(target, settings(folder), "t")


def commit(folder, name: str) -> str:
    (folder / name).write_text("y = 2\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", name)
    return git(folder, "rev-parse", "HEAD")


async def test_the_base_is_where_the_work_left_the_branch(here):
    """Observed: also for a branch that has gone on since."""
    left = git(here, "rev-parse", "HEAD")
    git(here, "checkout", "-q", "-b", "topic")
    commit(here, "b.py")
    git(here, "checkout", "-q", "main")
    commit(here, "c.py")
    git(here, "checkout", "-q", "topic")
    assert f"`git diff {left}`" in await asked(here, BaseBranch("main"))


async def test_a_stale_branch_is_seen_through_its_upstream(here, tmp_path):
    """Observed: else the changes of others would be reviewed, too."""
    subprocess.run(["git", "clone", "-q", here, tmp_path / "clone"], check=True)  # noqa: ASYNC221
    newer = commit(here, "theirs.py")
    clone = tmp_path / "clone"
    git(clone, "fetch", "-q")
    git(clone, "checkout", "-q", "--no-track", "-b", "topic", "origin/main")
    commit(clone, "ours.py")
    assert f"`git diff {newer}`" in await asked(clone, BaseBranch("main"))


async def test_a_branch_may_be_known_from_the_remote_only(here, tmp_path):
    """Ours: a fresh clone has no other."""
    git(here, "branch", "stable")
    first = git(here, "rev-parse", "HEAD")
    subprocess.run(["git", "clone", "-q", here, tmp_path / "clone"], check=True)  # noqa: ASYNC221
    assert f"`git diff {first}`" in await asked(tmp_path / "clone", BaseBranch("stable"))


async def test_a_repository_without_a_common_commit_is_left_to_the_model(here):
    """Observed: it is told the branch only."""
    git(here, "checkout", "-q", "--orphan", "other")
    assert "git merge-base" in await asked(here, BaseBranch("main"))


async def test_without_git_the_model_is_told_the_name(here, monkeypatch):
    """Ours: a folder can be a repository where git is not installed."""
    monkeypatch.setattr("workers.changes.shutil.which", lambda _: None)
    assert "the commit abc " in await asked(here, Commit("abc"))
    assert "'main'" in await asked(here, BaseBranch("main"))


async def test_a_commit_is_named_in_full(here):
    """Ours: with its title, if the client knows one."""
    sha = git(here, "rev-parse", "HEAD")
    assert await asked(here, Commit(sha[:8])) == f"Review what the commit {sha} changes."
    assert f'{sha} ("first")' in await asked(here, Commit("HEAD", "first"))


@pytest.mark.parametrize(
    "name", ["nowhere", "-n", "a\x00b", "a\nb", "a..b", "$(id)", "x" * 1_000_000]
)
@pytest.mark.parametrize("kind", [BaseBranch, Commit])
async def test_a_name_that_means_nothing_is_refused(here, kind, name):
    """Ours: before a model has to find out."""
    with pytest.raises(RpcError, match=r"there is no (branch|commit) `"):
        await asked(here, kind(name))


async def test_only_changes_need_a_repository(tmp_path):
    """Ours."""
    with pytest.raises(RpcError, match="is not in a git repository"):
        await asked(tmp_path, UncommittedChanges())
    assert await asked(tmp_path, Custom("Look.")) == "Look."
