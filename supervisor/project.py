"""Which project a folder belongs to, and whether the user trusts it."""

import os
from pathlib import Path
from typing import Any, cast

from protocol.placeholder import is_placeholder
from supervisor.layers import Table

MARKERS = [".git"]


def folders(cwd: str, markers: list[str] | None = None) -> list[Path]:
    """The folders from the project's root down to `cwd`; just `cwd` where no root is marked."""
    here = Path(cwd)
    up = [here, *here.parents]
    for depth, folder in enumerate(up):
        names = MARKERS if markers is None else markers
        if any((folder / n).exists() and not is_placeholder(folder / n) for n in names):
            return up[depth::-1]
    return [here]


def git_root(cwd: str) -> Path | None:
    """The root of the repository around `cwd`; for a worktree that of the main checkout."""
    for folder in (Path(cwd), *Path(cwd).parents):
        git = folder / ".git"
        if git.is_dir() and not is_placeholder(git):
            return folder
        if git.is_file():
            return _main_checkout(git) or folder
    return None


def _main_checkout(git: Path) -> Path | None:
    """Follow a worktree's `gitdir: MAIN/.git/worktrees/NAME`; None for a submodule's."""
    try:
        text = git.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    target = git.parent / text.removeprefix("gitdir:").strip()
    common = target.parent.parent
    return common.parent if target.parent.name == "worktrees" and common.name == ".git" else None


def trust_key(cwd: str) -> str:
    """The path that trust is written under: a repository is trusted as a whole."""
    return str(git_root(cwd) or cwd)


def trust_level(table: Table, cwd: str) -> str | None:
    """`trusted` or `untrusted`, as `[projects]` says of `cwd` or of its repository; else None."""
    projects = cast("dict[str, Any]", table.get("projects") or {})
    for path in (cwd, trust_key(cwd)):
        for name in (path, os.path.realpath(path)):
            if level := projects.get(name, {}).get("trust_level"):
                return level
    return None
