"""Grants: permissions beside those of a sandbox, and how two of them compare.

Asked for by the model, answered by a client, kept for a turn or a session.  An answer counts only
as far as it was asked for.  Places are compared by their names: links are left to who enforces.
"""

import os
from collections.abc import Iterable
from itertools import takewhile
from pathlib import PurePath
from typing import TypeVar

from msgspec import UNSET, Struct, field
from msgspec.structs import replace

from protocol.permission import (
    AdditionalFileSystemPermissions,
    AdditionalNetworkPermissions,
    AdditionalPermissionProfile,
)
from protocol.policy import (
    ExactPath,
    FileSystemAccessMode,
    FileSystemPath,
    FileSystemSandboxEntry,
    GlobPatternPath,
    SpecialPath,
    SpecialRoot,
)
from protocol.profile import Places, entry, where

A = TypeVar("A", bound=AdditionalPermissionProfile)

Entries = list[FileSystemSandboxEntry]
_RANK: list[FileSystemAccessMode] = ["read", "write", "none"]  # of two for one place, the last


class Grant(Struct, frozen=True):
    """`entries` with access `none` bound the others.  `network` may be asked to stay off.

    `depth` bounds how deep patterns look, as in a profile.
    """

    entries: Entries = field(default_factory=Entries)
    network: bool | None = None
    depth: int | None = None

    def __bool__(self) -> bool:
        return bool(self.entries) or self.network is not None


NOTHING = Grant()


def listed(read: list[str] | None, write: list[str] | None) -> Entries:
    """The entries that two lists of folders and files stand for."""
    read_only: Entries = [entry(ExactPath(path), "read") for path in read or []]
    return read_only + [entry(ExactPath(path), "write") for path in write or []]


def distinct(entries: Iterable[FileSystemSandboxEntry]) -> Entries:
    found: Entries = []
    for one in entries:
        if one not in found:
            found.append(one)
    return found


def split(grant: Grant) -> tuple[list[str] | None, list[str] | None] | None:
    """The folders to read and to write; None when entries say more than two lists can."""
    lists: dict[str, list[str]] = {"read": [], "write": []}
    for one in grant.entries:
        if not isinstance(one.path, ExactPath) or one.access not in lists:
            return None
        lists[one.access].append(one.path.path)
    return lists["read"] or None, lists["write"] or None


def shown(grant: Grant, shape: type[A]) -> A:
    """As clients see it."""
    read, write = split(grant) or (None, None)
    files = AdditionalFileSystemPermissions(
        read=read,
        write=write,
        entries=grant.entries,
        glob_scan_max_depth=UNSET if grant.depth is None else grant.depth,
    )
    network = None if grant.network is None else AdditionalNetworkPermissions(grant.network)
    return shape(file_system=files if grant.entries else None, network=network)


def answered(profile: AdditionalPermissionProfile) -> Grant:
    """What a client's answer says.  Raises ValueError for a path that is not absolute."""
    files = profile.file_system or AdditionalFileSystemPermissions()
    entries = files.entries or listed(files.read, files.write)
    depth = files.glob_scan_max_depth
    return Grant(
        [_plain(one) for one in entries],
        profile.network.enabled if profile.network else None,
        depth if isinstance(depth, int) else None,
    )


def _plain(one: FileSystemSandboxEntry) -> FileSystemSandboxEntry:
    if not isinstance(one.path, ExactPath):
        return one
    if not os.path.isabs(one.path.path):  # noqa: PTH117
        raise ValueError(f"{one.path.path} is not an absolute path")
    return replace(one, path=ExactPath(os.path.normpath(one.path.path)))


def merged(one: Grant, other: Grant) -> Grant:
    """What both allow together, and both keep out."""
    if not one or not other:
        return one or other
    network = True if one.network or other.network else None
    return Grant(distinct(one.entries + other.entries), network, _deepest(one, other))


def _deepest(*grants: Grant) -> int | None:
    """How deep patterns look so that each still finds what it did alone; None for any depth."""
    depths = [grant.depth for grant in grants if _has_patterns(grant.entries)]
    return max(filter(None, depths), default=None) if None not in depths else None


def _has_patterns(entries: Entries) -> bool:
    return any(isinstance(one.path, GlobPatternPath) for one in entries)


def within(answer: Grant, asked: Grant, places: Places) -> Grant:
    """The part of an answer that was asked for, with what both sides keep out of it."""
    given = distinct(
        _fixed(one, places)
        for one in answer.entries
        if one.access != "none" and allows(asked, one, places)
    )
    bounds = [
        _fixed(one, places)
        for one in asked.entries + answer.entries
        if one.access == "none" and any(_overlap(one, other, places) for other in given)
    ]
    network = True if asked.network and answer.network else None
    return Grant(distinct(given + bounds), network, _deepest(asked, answer))


def _overlap(bound: FileSystemSandboxEntry, given: FileSystemSandboxEntry, places: Places) -> bool:
    one, other = _beginning(bound.path, places), _beginning(given.path, places)
    if one is None or other is None:
        return False
    return PurePath(one).is_relative_to(other) or PurePath(other).is_relative_to(one)


def _beginning(path: FileSystemPath, places: Places) -> str | None:
    """Where a pattern starts, or where the place is."""
    match path:
        case GlobPatternPath(pattern=pattern):
            whole = os.path.join(places.cwd, pattern)  # noqa: PTH118
            fixed = takewhile(lambda part: not set(part) & set("*?["), PurePath(whole).parts)
            return str(PurePath(*fixed))
        case _:
            return where(path, places)


def covers(held: Grant, wanted: Grant, places: Places) -> bool:
    """Whether all of `wanted` has been granted already."""
    return (bool(held.network) or not wanted.network) and all(
        one.access == "none" or allows(held, one, places) for one in wanted.entries
    )


def allows(grant: Grant, wanted: FileSystemSandboxEntry, places: Places) -> bool:
    at = where(wanted.path, places)
    if at is None:
        return any(
            one.path == wanted.path and one.access in (wanted.access, "write")
            for one in grant.entries
        )
    return access(grant.entries, at, places) in (wanted.access, "write")


def access(entries: Entries, path: str, places: Places) -> FileSystemAccessMode | None:
    """What the deepest entry above `path` says, by names alone; None when no entry does."""
    found: tuple[int, int] | None = None
    for one in entries:
        place = where(one.path, places)
        if place is not None and PurePath(path).is_relative_to(place):
            rank = len(PurePath(place).parts), _RANK.index(one.access)
            found = max(found or rank, rank)
    return None if found is None else _RANK[found[1]]


def _fixed(one: FileSystemSandboxEntry, places: Places) -> FileSystemSandboxEntry:
    """Without the working directory in it, which may be another when the grant is used."""
    match one.path:
        case GlobPatternPath(pattern=pattern):
            return replace(one, path=GlobPatternPath(os.path.join(places.cwd, pattern)))  # noqa: PTH118
        case SpecialPath(value=SpecialRoot(kind="project_roots")):
            at = where(one.path, places)
            return one if at is None else replace(one, path=ExactPath(at))
        case _:
            return one
