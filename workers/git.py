"""Which commit, branch and remote a folder is at, read from the repository's own files.

Starting `git` costs a process per thread and runs what the repository configures; HEAD, a ref and
one line of the config say the same.  A repository in a form that we cannot read (reftables) shows
what can be read of it.
"""

import re
from itertools import chain
from pathlib import Path

from protocol.placeholder import is_placeholder
from protocol.thread import GitInfo

MAX_LINKS = 5  # symbolic refs that point to symbolic refs; git's own bound
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SECTION = re.compile(r'\[\s*([\w.-]+)(?:\s+"((?:[^"\\]|\\.)*)")?\s*\]')


def git_info(cwd: str) -> GitInfo | None:
    """What the repository around `cwd` is at; None outside of any."""
    folder = git_dir(cwd)
    if folder is None:
        return None
    common = _common(folder)
    head = _text(folder / "HEAD")
    branch = head.removeprefix("ref: refs/heads/") if head.startswith("ref: refs/heads/") else None
    return GitInfo(branch=branch, origin_url=_origin(common), sha=_resolve(folder, common, head))


def git_dir(cwd: str) -> Path | None:
    """The repository's folder; a worktree's or a submodule's `.git` file points to it."""
    here = Path(cwd).absolute()
    for parent in chain((here,), here.parents):
        found = parent / ".git"
        if found.is_dir() and not is_placeholder(found):
            return found
        target = _text(found).removeprefix("gitdir:").strip() if found.is_file() else ""
        if target:
            return parent / target
    return None


def _common(folder: Path) -> Path:
    """Where refs and config are: a worktree's folder names its repository's."""
    named = _text(folder / "commondir")
    return folder / named if named else folder


def _resolve(folder: Path, common: Path, ref: str) -> str | None:
    for _ in range(MAX_LINKS):
        if not ref.startswith("ref: "):
            return ref if _SHA.fullmatch(ref) else None
        name = ref.removeprefix("ref: ")
        if ".." in name:
            return None
        ref = _text(folder / name) or _text(common / name) or _packed(common, name)
    return None


def _packed(common: Path, name: str) -> str:
    for line in _text(common / "packed-refs").splitlines():
        if line.endswith(f" {name}"):
            return line.split(" ", 1)[0]
    return ""


def _origin(common: Path) -> str | None:
    section: tuple[str, str] | None = None
    for line in map(str.strip, _text(common / "config").splitlines()):
        if match := _SECTION.match(line):
            section = match[1].lower(), match[2] or ""
        elif section == ("remote", "origin"):
            key, _, value = line.partition("=")
            if key.strip().lower() == "url":
                return value.strip().strip('"') or None
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
