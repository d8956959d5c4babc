"""What a thread's file says of the thread as a whole: its first `session_meta`, as amended.

A later `session_meta` of the same thread changes the git info and the memory mode, and nothing
else.  The reference server keeps both in this way (observed), so they outlive every database and
either server finds what the other has set.  A fork's file holds the lines of its source too, whose
`session_meta` is another thread's and does not count.
"""

from collections.abc import Iterable

import msgspec
from msgspec import UNSET, Struct

from protocol.errors import DECODE_ERRORS, invalid
from protocol.maintenance import ThreadMetadataGitInfoUpdateParams
from protocol.rollout import Git, SessionMeta, kind, opened
from protocol.thread import GitInfo

MARK = b'"session_meta"'
_HEAD_BYTES = 200  # in which a line's type stands


class _Line(Struct):
    payload: SessionMeta


_line = msgspec.json.Decoder(_Line).decode


def decode(line: bytes) -> SessionMeta | None:
    """The payload of a `session_meta` line; None when it cannot be read."""
    try:
        return _line(line).payload
    except DECODE_ERRORS:
        return None


def amend(meta: SessionMeta, later: SessionMeta) -> None:
    """Take over what a later line of the same thread says."""
    if later.id != meta.id:
        return
    if later.git is not UNSET:
        meta.git = later.git
    if later.memory_mode is not UNSET:
        meta.memory_mode = later.memory_mode


def amend_from(meta: SessionMeta, lines: Iterable[bytes]) -> None:
    """Take over what any of the lines says; one that has lost its beginning is passed over."""
    for line in lines:
        if MARK in line[:_HEAD_BYTES] and kind(line) == (b"session_meta", b""):
            later = decode(line)
            if later is not None:
                amend(meta, later)


def read(path: str) -> SessionMeta | None:
    """The thread of the file at `path`; None when no line says whose it is.

    Reads the whole file, a line at a time.  Blocks; raises OSError.
    """
    with opened(path) as file:
        for line in file:
            if kind(line) == (b"session_meta", b"") and (meta := decode(line)) is not None:
                amend_from(meta, file)
                return meta
    return None


# ---- git info


def git_info(meta: SessionMeta) -> GitInfo | None:
    """As a client sees it: null when nothing is known (observed)."""
    if not isinstance(meta.git, Git) or meta.git == Git():
        return None
    return GitInfo(meta.git.branch, meta.git.repository_url, meta.git.commit_hash)


def set_git(meta: SessionMeta, change: ThreadMetadataGitInfoUpdateParams | None) -> None:
    """Change the git info as a client wishes.  Raises RpcError."""
    named = {} if change is None else msgspec.structs.asdict(change)
    if all(value is UNSET for value in named.values()):
        raise invalid("gitInfo must include at least one field")
    assert change is not None
    git = meta.git if isinstance(meta.git, Git) else Git()
    meta.git = Git(
        _changed("sha", git.commit_hash, change.sha),
        _changed("branch", git.branch, change.branch),
        _changed("originUrl", git.repository_url, change.origin_url),
    )


def _changed(name: str, was: str | None, wish: str | msgspec.UnsetType | None) -> str | None:
    if isinstance(wish, msgspec.UnsetType):
        return was
    if wish is not None and not wish.strip():
        raise invalid(f"gitInfo.{name} must not be empty")
    return wish and wish.strip()
