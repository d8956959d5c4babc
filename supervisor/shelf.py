"""What the store's questions do, in the one thread that may use the table and move files."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

from protocol import goal, meta
from protocol.goal import Change, ThreadGoal
from protocol.rollout import (
    ARCHIVED_SESSIONS,
    SESSION_INDEX,
    SESSIONS,
    IndexedName,
    SessionMeta,
    dated_path,
    encode,
    is_archived,
    line,
    now,
)
from protocol.thread import NotLoadedStatus, Thread
from supervisor import scan
from supervisor.index import Index, Page, Row

R = TypeVar("R")

FILE = "atrio.sqlite"
ATTEMPTS = 3  # to get a page whose files do not change under it
STEP_SECONDS = 0.02  # of looking through folders before a question may come between


class Shelf:
    """The files below `home` and their table.  Raises OSError."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._index = Index(home / FILE)
        self._complete = False  # every folder has been seen once

    def answer(self, question: "Callable[[Shelf], R]", reported: dict[str, Thread]) -> R:
        """Enter the reports, then ask.  A table that turns out broken is made anew first."""
        try:
            self._report(reported)
            return question(self)
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise OSError(f"{FILE} is in use by another server: {error}") from error
        except sqlite3.DatabaseError:
            pass
        try:
            self._rebuild()
            return question(self)
        except sqlite3.DatabaseError as error:  # the disk is full, or the folder cannot be written
            raise OSError(f"{FILE} cannot be made anew: {error}") from error

    def _rebuild(self) -> None:
        self._index.remake()
        for _ in scan.refresh(self._index, self._home, deep=False):
            pass

    def close(self) -> None:
        self._index.close()

    def _report(self, reported: dict[str, Thread]) -> None:
        rows = [row for thread in reported.values() if (row := self._reported(thread))]
        if rows:
            self._index.put(rows)

    def _reported(self, thread: Thread) -> Row | None:
        assert thread.path is not None
        folder, _, file = thread.path.rpartition("/")
        try:
            stat = os.stat(thread.path)  # noqa: PTH116 - Path costs more than the call
        except OSError:  # moved meanwhile: the table knows better where it is
            return None
        quiet = Thread(**{f: getattr(thread, f) for f in thread.__struct_fields__})
        quiet.status, quiet.turns = NotLoadedStatus(), []
        quiet.session_id = quiet.id  # of an agent it is its parent's while it is loaded (observed)
        return Row(
            thread.id,
            folder,
            file,
            is_archived(thread.path),
            thread.created_at * 1000,
            stat.st_mtime_ns // 1_000_000,
            None,
            stat.st_mtime_ns,
            stat.st_size,
            quiet,
        )

    # ---- questions

    def page(self, page: Page) -> list[Row]:
        """The rows of a page, one more than its limit when there are more.

        Their times are those of the files at this moment; files that have gone are left out.
        """
        current: list[Row] = []
        for _ in range(ATTEMPTS):
            found = self._index.page(page)
            times = [row.updated for row in found]
            current = [row for row in found if self._check(row)]
            moved = page.key == "updated" and times != [row.updated for row in current]
            if len(current) == len(found) and not moved:
                break
        return current

    def _check(self, row: Row) -> bool:
        """Whether the row's file is there; the row follows it when it has grown."""
        try:
            stat = os.stat(row.path)  # noqa: PTH116 - as above
        except FileNotFoundError:
            self._index.drop(row.folder, [row.id])
            return False
        if (stat.st_mtime_ns, stat.st_size) != (row.modified, row.size):
            row.modified, row.size = stat.st_mtime_ns, stat.st_size
            row.updated = stat.st_mtime_ns // 1_000_000
            self._index.touch([row])
        return True

    def read(self, id: str) -> Row | None:
        """The row of a thread, wherever its file is by now."""
        row = self._index.get(id)
        if row is not None and row.thread is not None and self._check(row):
            return row
        if row is None and self._complete:
            for _ in scan.refresh(self._index, self._home, deep=False):
                pass
            return self._index.get(id)
        path = row.path if row is not None and row.thread is None else scan.find(self._home, id)
        found = scan.examine(path) if path else None
        if found is None:
            return None
        self._index.put([found])
        return self._index.get(found.id)

    def agents_of(self, id: str) -> list[str]:
        """The ids of its agents and of theirs."""
        found = [id]
        for each in found:  # it grows meanwhile; a file may say what it likes, so no id twice
            below = (row.id for row in self._index.agents_of(each))
            found += [child for child in below if child not in found]
        return found[1:]

    def by_path(self, path: str) -> Row | None:
        found = scan.examine(path)
        if found is not None:
            scan.read_names(self._index, self._home)
            found.name = self._index.name_of(found.id)
        return found

    def refreshing(self, *, deep: bool) -> Iterator[None]:
        return scan.refresh(self._index, self._home, deep=deep)

    def advance(self, steps: Iterator[None]) -> bool:
        """Go on looking for a moment; True when everything has been seen."""
        end = time.perf_counter() + STEP_SECONDS
        while time.perf_counter() < end:
            if next(steps, self) is self:
                self._complete = True
                return True
        return False

    # ---- changes

    def set_name(self, id: str, name: str) -> None:
        with (self._home / SESSION_INDEX).open("ab+") as file:
            _append(file, encode(IndexedName(id, name, now())))
        scan.read_names(self._index, self._home)

    def amend(self, id: str, change: Callable[[SessionMeta], None]) -> Row | None:
        """Let the file of a thread without a worker say what `change` makes of its meta."""
        row = self.read(id)
        found = meta.read(row.path) if row is not None else None
        if row is None or row.thread is None or found is None:
            return None
        change(found)
        with Path(row.path).open("ab+") as file:
            _append(file, encode(line("session_meta", found)))
        row.thread.git_info = meta.git_info(found)
        self._index.put([row])
        return row if self._check(row) else None

    def set_goal(self, id: str, change: Change) -> tuple[Row | None, ThreadGoal | None]:
        """Let the file of a thread without a worker say what `change` makes of its goal."""
        row = self.read(id)
        if row is None or row.thread is None:
            return None, None
        before = goal.read(row.path, id)
        after = change(before)
        if after != before:
            with Path(row.path).open("ab+") as file:
                _append(file, encode(line("event_msg", goal.event(id, after))))
            self._check(row)
        return row, after

    def archive(self, id: str) -> bool:
        row = self.read(id)
        if row is None or row.archived:
            return False
        self._move(row, self._home / ARCHIVED_SESSIONS / row.file)
        return True

    def unarchive(self, id: str) -> Row | None:
        row = self.read(id)
        if row is None or not row.archived:
            return None
        self._move(row, self._home / SESSIONS / (dated_path(row.file) or row.file))
        return self._index.get(id)

    def _move(self, row: Row, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        Path(row.path).rename(target)
        row.folder, row.archived = str(target.parent), is_archived(str(target))
        self._index.put([row])


def _append(file: BinaryIO, data: bytes) -> None:
    """Write a line behind the others, of which the last may be torn."""
    if file.tell() and not _ends_line(file.fileno(), file.tell()):
        data = b"\n" + data
    file.write(data)


def _ends_line(file: int, size: int) -> bool:
    return os.pread(file, 1, size - 1) == b"\n"
