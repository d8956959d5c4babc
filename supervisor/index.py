"""The table of stored threads: SQLite, used from one thread at a time.

It is a cache of what the files say, so it may be lost, broken or of an older form at any moment:
then it is made anew.  Only the names that clients have given are not in the threads' own files;
they are in `session_index.jsonl`.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from protocol.agent import spawn_of
from protocol.rollout import source_kind
from protocol.thread import Thread

VERSION = 2  # of the table; a file of another version is made anew
BUSY_SECONDS = 5.0  # to wait for another server on the same home
_SCHEMA = """
CREATE TABLE threads (
  id TEXT PRIMARY KEY, folder TEXT NOT NULL, file TEXT NOT NULL,
  archived INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL,
  provider TEXT, kind TEXT, cwd TEXT, preview TEXT, name TEXT,
  modified INTEGER NOT NULL, size INTEGER NOT NULL, thread BLOB
) WITHOUT ROWID;
CREATE INDEX by_created ON threads (archived, created, id, provider, kind, cwd);
CREATE INDEX by_updated ON threads (archived, updated, id, provider, kind, cwd);
CREATE INDEX by_cwd ON threads (archived, cwd, created, id, provider, kind);
CREATE INDEX by_folder ON threads (folder, file, modified, size);
CREATE TABLE folders (path TEXT PRIMARY KEY, modified INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE names (id TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_UPSERT = """
INSERT INTO threads VALUES (?,?,?,?,?,?,?,?,?,?,(SELECT name FROM names WHERE id = ?1),?,?,?)
ON CONFLICT (id) DO UPDATE SET folder=excluded.folder, file=excluded.file,
  archived=excluded.archived, created=excluded.created, updated=excluded.updated,
  provider=excluded.provider, kind=excluded.kind, cwd=excluded.cwd, preview=excluded.preview,
  modified=excluded.modified, size=excluded.size, thread=excluded.thread
"""
_SELECT = """
SELECT id, folder, file, archived, created, updated, name, modified, size, thread FROM threads
"""

_encode = msgspec.msgpack.Encoder().encode
_thread = msgspec.msgpack.Decoder(Thread).decode


class Row(Struct):
    """One file.  `created` and `updated` are in Unix ms, `modified` is the file's time in ns.

    `thread` is None when the file cannot be read as one.
    """

    id: str
    folder: str
    file: str
    archived: bool
    created: int
    updated: int
    name: str | None
    modified: int
    size: int
    thread: Thread | None

    @property
    def path(self) -> str:
        return f"{self.folder}/{self.file}"

    def shown(self) -> Thread:
        """As a client sees it."""
        assert self.thread is not None
        return msgspec.structs.replace(
            self.thread,
            name=self.name,
            path=self.path,
            updated_at=self.updated // 1000,
        )


class Page(Struct):
    """What is asked of the table.  `after` is where the page before ended: (key, id)."""

    key: str
    descending: bool
    limit: int
    archived: bool
    after: tuple[int, str] | None = None
    providers: Sequence[str] = ()
    kinds: Sequence[str] = ()
    cwds: Sequence[str] = ()
    term: str | None = None


class Index:
    """The open table.  Raises sqlite3.DatabaseError when the file is broken."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = self._open()

    def _open(self) -> sqlite3.Connection:
        """The file; made anew when it is not ours to read; memory when there is no room for it."""
        for attempt in (self._existing, self._fresh):
            with suppress(sqlite3.DatabaseError, OSError):
                return attempt()
        return self._created(":memory:")

    def _existing(self) -> sqlite3.Connection:
        if not self._path.exists():
            return self._fresh()
        db = _connect(str(self._path))
        with suppress(sqlite3.DatabaseError):
            if db.execute("PRAGMA user_version").fetchone()[0] == VERSION:
                db.execute("SELECT count(*) FROM facts").fetchone()
                return db
        db.close()
        return self._fresh()

    def _fresh(self) -> sqlite3.Connection:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)
        return self._created(str(self._path))

    def _created(self, path: str) -> sqlite3.Connection:
        db = _connect(path)
        db.executescript(f"BEGIN;{_SCHEMA}PRAGMA user_version = {VERSION};COMMIT;")
        return db

    def close(self) -> None:
        self._db.close()

    def remake(self) -> None:
        """Start again with nothing."""
        with suppress(sqlite3.DatabaseError):
            self._db.close()
        try:
            self._db = self._fresh()
        except (sqlite3.DatabaseError, OSError):
            self._db = self._created(":memory:")

    # ---- threads

    def put(self, rows: Iterable[Row]) -> None:
        """Enter what is known of files; a name that was set stays."""
        self._all(_UPSERT, [_values(row) for row in rows])

    def touch(self, rows: Iterable[Row]) -> None:
        """Enter that files have grown."""
        change = "UPDATE threads SET updated = ?, modified = ?, size = ? WHERE id = ?"
        self._all(change, [(row.updated, row.modified, row.size, row.id) for row in rows])

    def drop(self, folder: str, ids: Iterable[str]) -> None:
        """Forget files that have left a folder; they may have come to another."""
        gone = [(id, folder) for id in ids]
        self._all("DELETE FROM threads WHERE id = ? AND folder = ?", gone)

    def get(self, id: str) -> Row | None:
        found = self._db.execute(f"{_SELECT} WHERE id = ?", (id,)).fetchone()
        return _row(found) if found else None

    def agents_of(self, id: str) -> list[Row]:
        """The agents that a thread has started, but for those that are put away."""
        where = "kind = 'subAgentThreadSpawn' AND NOT archived AND instr(thread, CAST(? AS BLOB))"
        rows = map(_row, self._db.execute(f"{_SELECT} WHERE {where} ORDER BY created", (id,)))
        return [row for row in rows if row.thread and _parent(row.thread) == id]

    def page(self, page: Page) -> list[Row]:
        """The rows of a page, one more than its limit when there are more."""
        where, values = _where(page)
        order = "DESC" if page.descending else "ASC"
        tail = f"ORDER BY {page.key} {order}, id {order} LIMIT ?"
        query = f"{_SELECT} WHERE {' AND '.join(where)} {tail}"
        return [_row(found) for found in self._db.execute(query, [*values, page.limit + 1])]

    # ---- folders

    def folders(self) -> dict[str, int]:
        """Each known folder and when it was last seen to change, in ns."""
        return dict(self._db.execute("SELECT path, modified FROM folders").fetchall())

    def files(self, folder: str) -> dict[str, tuple[str, int, int, bool]]:
        """By file name: id, modified, size, readable."""
        query = "SELECT file, id, modified, size, kind NOT NULL FROM threads WHERE folder = ?"
        found = self._db.execute(query, (folder,))
        return {file: (id, at, size, bool(kind)) for file, id, at, size, kind in found}

    def seen(self, folder: str, modified: int) -> None:
        self._all("INSERT OR REPLACE INTO folders VALUES (?,?)", [(folder, modified)])

    def forget(self, folder: str) -> None:
        self._all("DELETE FROM folders WHERE path = ?", [(folder,)])
        self._all("DELETE FROM threads WHERE folder = ?", [(folder,)])

    # ---- names

    def name(self, names: Iterable[tuple[str, str]]) -> None:
        """Give names, the later one of a thread last."""
        pairs = list(names)
        self._all("INSERT OR REPLACE INTO names VALUES (?,?)", pairs)
        self._all("UPDATE threads SET name = ?2 WHERE id = ?1", pairs)

    def name_of(self, id: str) -> str | None:
        found = self._db.execute("SELECT name FROM names WHERE id = ?", (id,)).fetchone()
        return found[0] if found else None

    def fact(self, key: str) -> str | None:
        found = self._db.execute("SELECT value FROM facts WHERE key = ?", (key,)).fetchone()
        return found[0] if found else None

    def set_fact(self, key: str, value: str) -> None:
        self._all("INSERT OR REPLACE INTO facts VALUES (?,?)", [(key, value)])

    def _all(self, change: str, values: Sequence[Sequence[Any]]) -> None:
        if not values:
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany(change, values)
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


def _connect(path: str) -> sqlite3.Connection:
    db = sqlite3.connect(path, BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    return db


def _values(row: Row) -> tuple[Any, ...]:
    thread = row.thread
    shown = (None, None, None, None)
    if thread is not None:
        kind = source_kind(thread.source)
        shown = (thread.model_provider, kind, thread.cwd, thread.preview)
    place = (row.id, row.folder, row.file, row.archived, row.created, row.updated)
    return (*place, *shown, row.modified, row.size, thread and _encode(thread))


def _row(found: Sequence[Any]) -> Row:
    id, folder, file, archived, created, updated, name, modified, size, thread = found
    return Row(
        id,
        folder,
        file,
        bool(archived),
        created,
        updated,
        name,
        modified,
        size,
        _thread(thread) if thread else None,
    )


def _parent(thread: Thread) -> str | None:
    spawn = spawn_of(thread.source)
    return spawn.parent_thread_id if spawn else None


def _where(page: Page) -> tuple[list[str], list[Any]]:
    where, values = ["archived = ?", "kind NOT NULL"], list[Any]([page.archived])
    if page.after is not None:
        where.append(f"({page.key}, id) {'<' if page.descending else '>'} (?, ?)")
        values += page.after
    for column, wanted in (("provider", page.providers), ("kind", page.kinds), ("cwd", page.cwds)):
        if wanted:
            marks = ",".join("?" * len(wanted))
            where.append(f"{column} = ?" if len(wanted) == 1 else f"{column} IN ({marks})")
            values += wanted
    if page.term:
        where.append("(instr(preview, ?) OR instr(ifnull(name, ''), ?))")
        values += [page.term, page.term]
    return where, values
