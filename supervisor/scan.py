"""Which files hold threads, and what they say of them.

A folder whose own time has not changed has no new file and has lost none, so most folders are only
looked at.  Files that have grown are noticed by the sweep over all of them.
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct, field

from protocol import meta, summary
from protocol.errors import DECODE_ERRORS
from protocol.rollout import (
    ARCHIVED_SESSIONS,
    FILE_NAME,
    SESSION_INDEX,
    SESSIONS,
    IndexedName,
    is_archived,
    reading,
)
from supervisor.index import Index, Row

SETTLED_NS = 2_000_000_000  # a folder that changed later may change again within the same tick
READ_BYTES = 1 << 15  # what a thread's beginning usually fits into
TAIL_BYTES = 1 << 18  # in which changes of git info are looked for, when no table knows of them
STEP_FILES = 50  # read in one step

_indexed = msgspec.json.Decoder(IndexedName).decode


class Changes(Struct):
    """What differs in a folder from what was known: files to enter, to touch and to drop."""

    fresh: list[os.DirEntry[str]] = field(default_factory=list[os.DirEntry[str]])
    grown: list[Row] = field(default_factory=list[Row])
    gone: list[str] = field(default_factory=list[str])


def folders(home: Path) -> Iterator[tuple[str, int]]:
    """Every folder that may hold rollouts, with its time in ns."""
    for top, depth in ((home / SESSIONS, 3), (home / ARCHIVED_SESSIONS, 0)):
        yield from _folders(str(top), depth)


def _folders(path: str, depth: int) -> Iterator[tuple[str, int]]:
    try:
        if depth == 0:
            modified = os.stat(path).st_mtime_ns  # noqa: PTH116 - Path costs more than the call
            settled = modified < time.time_ns() - SETTLED_NS
            yield path, modified if settled else 0
            return
        with os.scandir(path) as entries:
            below = [entry.path for entry in entries if entry.name.isdigit()]
    except OSError:
        return
    for folder in below:
        yield from _folders(folder, depth - 1)


def compare(folder: str, known: dict[str, tuple[str, int, int, bool]], *, deep: bool) -> Changes:
    """Look through a folder; `deep` asks each file whether it has grown."""
    changes = Changes()
    missing = dict(known)
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not FILE_NAME.fullmatch(entry.name):
                continue
            was = missing.pop(entry.name, None)
            if was is None:
                changes.fresh.append(entry)
            elif deep:
                _look(entry, was, changes)
    changes.gone = [id for id, *_ in missing.values()]
    return changes


def _look(entry: os.DirEntry[str], was: tuple[str, int, int, bool], changes: Changes) -> None:
    id, modified, size, readable = was
    try:
        stat = entry.stat()
    except OSError:
        return
    if (stat.st_mtime_ns, stat.st_size) == (modified, size):
        return
    if not readable:
        changes.fresh.append(entry)
        return
    folder, _, file = entry.path.rpartition("/")
    ms = stat.st_mtime_ns // 1_000_000
    changes.grown.append(
        Row(id, folder, file, False, 0, ms, None, stat.st_mtime_ns, stat.st_size, None)
    )


def examine(path: str) -> Row | None:
    """Read the beginning of a file.  None when it cannot be opened."""
    folder, _, file = path.rpartition("/")
    try:
        with reading(path, READ_BYTES) as opened:
            stat = os.fstat(opened.fileno())
            found = summary.summary(opened)
            if found is not None and stat.st_size > opened.tell():
                opened.seek(max(opened.tell(), stat.st_size - TAIL_BYTES))
                meta.amend_from(found.meta, opened)
    except OSError:
        return None
    ms = stat.st_mtime_ns // 1_000_000
    thread = summary.thread(found, path, ms // 1000) if found else None
    id = id_of(file) or (thread.id if thread else file)
    created = thread.created_at * 1000 if thread else ms
    if thread is not None:
        thread.id = thread.session_id = id  # a copied file is a thread of its own
    size = stat.st_size
    return Row(
        id, folder, file, is_archived(path), created, ms, None, stat.st_mtime_ns, size, thread
    )


def id_of(file: str) -> str | None:
    match = FILE_NAME.fullmatch(file)
    return match[4] if match else None


def find(home: Path, id: str) -> str | None:
    """The path of a thread's file, by its name alone."""
    for folder, _ in folders(home):
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if id_of(entry.name) == id:
                    return entry.path
    return None


def refresh(index: Index, home: Path, *, deep: bool) -> Iterator[None]:
    """Bring the table up to date, in small steps so that questions can come between."""
    known = index.folders()
    for folder, modified in list(folders(home)):
        unchanged = known.pop(folder, None) == modified and modified
        if deep or not unchanged:
            yield from _refresh_folder(index, folder, deep=deep)
            if modified:
                index.seen(folder, modified)
            yield
    for folder in known:
        index.forget(folder)
    read_names(index, home)


def _refresh_folder(index: Index, folder: str, *, deep: bool) -> Iterator[None]:
    changes = compare(folder, index.files(folder), deep=deep)
    index.drop(folder, changes.gone)
    index.touch(changes.grown)
    for begin in range(0, len(changes.fresh), STEP_FILES):
        fresh = changes.fresh[begin : begin + STEP_FILES]
        index.put(row for entry in fresh if (row := examine(entry.path)))
        yield


def read_names(index: Index, home: Path) -> None:
    """Take over the names that were given since the last time, by whichever server."""
    path, done = home / SESSION_INDEX, int(index.fact(SESSION_INDEX) or 0)
    try:
        size = path.stat().st_size
        if size == done:
            return
        with path.open("rb") as file:
            file.seek(done if size > done else 0)
            data = file.read()
            end = file.tell()
    except OSError:
        return
    whole = data[: data.rfind(b"\n") + 1]
    index.name((line.id, line.thread_name) for line in map(_name, whole.splitlines()) if line)
    index.set_fact(SESSION_INDEX, str(end - len(data) + len(whole)))


def _name(line: bytes) -> IndexedName | None:
    try:
        return _indexed(line)
    except DECODE_ERRORS:
        return None
