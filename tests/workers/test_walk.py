"""What a search finds below its folders, and what it leaves out."""

import os
import subprocess

import pytest

from protocol.seldom import Root
from workers.walk import walk


def found(*roots, most=10**6) -> list[str]:
    """Paths, as `N:path` where there is more than one root; folders end in a slash."""
    listed: list[str] = []

    def take(paths, kinds):
        for path, kind in zip(paths, kinds, strict=True):
            head = f"{kind // 2}:" if len(roots) > 1 else ""
            listed.append(head + path + ("/" if kind % 2 else ""))
        return len(listed) < most

    walk([Root(str(root), str(root)) for root in roots], take)
    return sorted(listed)


def plant(root, *paths, **contents):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Nobody's own rules."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return tmp_path / "home"


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "tree").mkdir()
    return tmp_path / "tree"


def test_hidden_files_and_folders_are_found(tree):
    """Observed, `.git` included."""
    plant(tree, ".git/HEAD", ".hidden/a", "b")

    assert found(tree) == [".git/", ".git/HEAD", ".hidden/", ".hidden/a", "b"]


RULES = """
# a comment
*.log
!keep.log
/build
docs/*.txt
**/cache/
a/**/z
\\!odd
trailing\\ 
[bc]?.md
!/vendor/
node_modules/
"""  # noqa: W291 - the blank is escaped
PATHS = (
    "x.log", "keep.log", "d/x.log", "d/keep.log", "build/o", "d/build/o", "docs/a.txt",
    "docs/d/a.txt", "d/docs/a.txt", "cache/f", "d/cache/f", "d/e/cache", "a/z", "a/b/c/z", "b/a/z",
    "!odd", "trailing ", "b1.md", "d/c2.md", "a1.md", "vendor/f", "node_modules/p/f",
    "d/node_modules/p/f", "d/n/node_modules", "d/.gitignore", "d/sub/one", "d/sub/two",
    "# a comment",
)  # fmt: skip


def test_files_are_ignored_just_as_git_does(tree):
    """Ours: git itself says which."""
    subprocess.run(["git", "init", "-q", tree], check=True)
    plant(tree, *PATHS)
    (tree / ".gitignore").write_text(RULES)
    (tree / "d" / ".gitignore").write_text("/sub/*\n!two\n!x.log\n")
    (tree / ".git" / "info" / "exclude").write_text("docs/d\n")
    git = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"],
        cwd=tree, check=True, capture_output=True, text=True,
    )  # fmt: skip

    ours = [p for p in found(tree) if not p.endswith("/") and not p.startswith(".git/")]

    assert ours == sorted(filter(None, git.stdout.split("\0")))


def test_rules_of_git_hold_in_repositories_alone(tree):
    """Observed: and those of `.ignore` everywhere."""
    plant(tree, "a", "b", "repo/.git/HEAD", "repo/a")
    (tree / ".gitignore").write_text("a\n")
    (tree / ".ignore").write_text("b\n")

    files = found(tree)

    assert "a" in files
    assert "b" not in files
    assert "repo/a" in files


def test_rules_above_the_folder_hold_in_it(tree):
    """Observed."""
    plant(tree, ".git/HEAD", "sub/deep/a", "sub/deep/b", "sub/deep/c")
    (tree / ".gitignore").write_text("a\n/sub/deep/b\n/b\n/c\n")

    assert found(tree / "sub" / "deep") == ["c"]


def test_the_users_own_rules_hold_too(tree, home):
    """Observed."""
    plant(tree, ".git/HEAD", "a", "b")
    (home / "mine").write_text("b\n")
    (home / ".gitconfig").write_text("[core]\n\texcludesFile = ~/mine\n")

    assert found(tree) == [".git/", ".git/HEAD", "a"]


def test_links_are_followed_but_not_back_up(tree):
    """Observed: and those that lead nowhere are left out."""
    plant(tree, "d/f")
    (tree / "ld").symlink_to("d")
    (tree / "lf").symlink_to("d/f")
    (tree / "d" / "up").symlink_to("..")
    (tree / "gone").symlink_to("nowhere")

    assert found(tree) == ["d/", "d/f", "ld/", "ld/f", "lf"]


def test_a_root_within_another_is_looked_through_once(tree):
    """Ours: the reference server tells what is below it twice."""
    plant(tree, "a", "sub/b")

    assert found(tree, tree / "sub", tree) == ["0:a", "0:sub/", "1:b"]


def test_what_is_no_folder_or_no_text_is_passed_over(tree):
    """Observed."""
    plant(tree, "a")
    (tree / os.fsdecode(b"\xff")).mkdir()
    os.mkfifo(tree / "pipe")

    assert found(tree) == ["a", "pipe"]
    assert found(tree / "a") == []
    assert found(tree / "missing") == []


def test_a_walk_ends_when_nobody_wants_more(tree, monkeypatch):
    """Ours."""
    monkeypatch.setattr("workers.walk.BATCH", 10)
    plant(tree, *map(str, range(100)))

    assert len(found(tree, most=10)) == 10
