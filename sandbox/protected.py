"""Names that stay read-only in a writable root: who writes them runs code later, unconfined."""

import os
from pathlib import Path

PROTECTED = (".git", ".codex", ".agents")  # hooks, configuration, skills

_GITDIR = "gitdir:"


def covered(root: str) -> list[str]:
    """What stays read-only below a writable root, and where a `.git` file points to."""
    if Path(root).is_file():
        return []
    names = [os.path.join(root, name) for name in PROTECTED]  # noqa: PTH118
    places = [*names, *(os.path.realpath(name) for name in names)]
    if target := _gitdir(root):
        places += [target, *_common(target)]
    return list(dict.fromkeys(places))


def _gitdir(root: str) -> str | None:
    """Where the `.git` file of a worktree or submodule points to."""
    text = _text(Path(root, ".git"))
    if not text.startswith(_GITDIR):
        return None
    return os.path.realpath(Path(root, text.removeprefix(_GITDIR).strip()))


def _common(gitdir: str) -> list[str]:
    """The repository that a worktree's own folder belongs to: its hooks are there."""
    text = _text(Path(gitdir, "commondir")).strip()
    return [os.path.realpath(Path(gitdir, text))] if text else []


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
