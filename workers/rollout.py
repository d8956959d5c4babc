"""A thread's file: append to it while the thread is loaded.

The worker is the file's only writer.  A line is in the file before a client hears of what it
tells; the disk itself is asked (`sync`) once per turn.  The file appears with the first user
message, so that a thread in which nothing was said leaves nothing behind.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import trio

from protocol.event import (
    Event,
    RolledBack,
    StoredError,
    TaskComplete,
    TaskStarted,
    TokenCount,
    TurnAborted,
)
from protocol.goal import GoalEvent
from protocol.item import ThreadItem, UserInput
from protocol.rollout import (
    SESSIONS,
    Compacted,
    SessionMeta,
    decode,
    elsewhere,
    encode,
    file_name,
    line,
    opened,
)
from protocol.settings import Settings
from protocol.thread import ThreadTokenUsage
from protocol.turn import Turn, TurnError
from workers import record

COPY_BYTES = 1 << 20
TAIL_BYTES = 1 << 16


class RolloutError(OSError):
    """The thread's file cannot be written; the text names the cause and what to do."""


class Rollout:
    """The file at `path`.  Everything that writes raises RolloutError.

    Lines that could not be written stay in memory and go out with the next ones.  `warning` says
    what was mended when the file was opened.
    """

    def __init__(self, path: str, thread_id: str) -> None:
        self.path = path
        self.thread_id = thread_id
        self.warning: str | None = None
        self._file: int | None = None
        self._waiting: list[bytes] = []
        self._folder_synced = False

    @classmethod
    def create(cls, home: str, meta: SessionMeta, created_at_ms: int) -> "Rollout":
        """A new thread's; there is no file yet."""
        path = os.path.join(home, SESSIONS, file_name(meta.id, created_at_ms))  # noqa: PTH118
        rollout = cls(path, meta.id)
        rollout.append("session_meta", meta)
        return rollout

    @classmethod
    def open(cls, path: str, thread_id: str) -> "Rollout":
        """A stored thread's.  A last line that a power cut has torn is cut off."""
        rollout = cls(path, thread_id)
        try:
            rollout._file = rollout._opened()
            rollout._mend(rollout._file)
        except OSError as error:
            rollout.close()
            raise rollout._unwritable(error) from error
        return rollout

    def _opened(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC
        try:
            return os.open(self.path, flags)
        except FileNotFoundError:  # archived or brought back while this worker began
            self.path = elsewhere(self.path)
            return os.open(self.path, flags)

    @property
    def exists(self) -> bool:
        """Whether the thread is on disk."""
        return self._file is not None

    def _mend(self, file: int) -> None:
        size = os.fstat(file).st_size
        tail, begin = b"", size
        while begin > 0 and b"\n" not in tail:
            begin = max(begin - TAIL_BYTES, 0)
            tail = os.pread(file, size - begin, begin)
        torn = tail[tail.rfind(b"\n") + 1 :]
        if not torn:
            return
        if decode(torn) is not None:  # whole but for its newline
            os.write(file, b"\n")
            return
        os.ftruncate(file, size - len(torn))
        self.warning = f"{self.path}: cut off a torn last line of {len(torn)} bytes"

    # ---- writing

    def append(self, type: str, *payloads: Any) -> None:
        """Write lines of one type, in one piece."""
        self._waiting += [encode(line(type, payload)) for payload in payloads]
        if self._file is not None:
            self._flush(self._file)

    def materialize(self) -> None:
        """Make the file, now that there is something worth keeping."""
        if self._file is None:
            self._file = self._make()
        self._flush(self._file)

    def _make(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            Path(self.path).parent.mkdir(parents=True, exist_ok=True)
            return os.open(self.path, flags, 0o600)
        except OSError as error:
            raise self._unwritable(error) from error

    def _flush(self, file: int) -> None:
        if not self._waiting:
            return
        data = b"".join(self._waiting)
        size = os.fstat(file).st_size
        try:
            written = os.write(file, data)
            while written < len(data):
                written += os.write(file, data[written:])
        except OSError as error:
            with suppress(OSError):  # the next load cuts off what is left
                os.ftruncate(file, size)
            raise self._unwritable(error) from error
        self._waiting = []

    def _unwritable(self, error: OSError) -> RolloutError:
        cause = f"cannot write the thread's file {self.path}: {error.strerror}"
        return RolloutError(error.errno, f"{cause}; make room or give access, then go on")

    async def sync(self) -> None:
        """Return once what was written would survive a power cut; it may be closed meanwhile."""
        if self._file is not None:
            await trio.to_thread.run_sync(self._sync, os.dup(self._file))

    def _sync(self, file: int) -> None:
        try:
            os.fsync(file)
            if not self._folder_synced:
                self._sync_folder()
        except OSError as error:
            raise self._unwritable(error) from error
        finally:
            os.close(file)

    def _sync_folder(self) -> None:
        folder = os.open(Path(self.path).parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self._folder_synced = True

    def close(self) -> None:
        """End; what waits for a first user message is forgotten."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def copy_from(
        self, source: str, size: int, keep: Callable[[bytes], bool] | None = None
    ) -> None:
        """Take over lines of another thread's file, its `session_meta` included.

        Of its first `size` bytes, all of them or those that are to be kept.
        """
        with opened(source) as read:
            self.materialize()
            assert self._file is not None
            before = os.fstat(self._file).st_size
            try:
                with open(self._file, "ab", COPY_BYTES, closefd=False) as write:
                    lines = _first(read, size)
                    write.writelines(line for line in lines if keep is None or keep(line))
                self._mend(self._file)
            except OSError as error:
                with suppress(OSError):
                    os.ftruncate(self._file, before)
                raise self._unwritable(error) from error

    # ---- a turn, in the order of its lines

    def turn_started(
        self, turn_id: str, settings: Settings, *, context_window: int | None, started_at_ms: int
    ) -> None:
        mode = settings.collaboration_mode
        begun = TaskStarted(
            turn_id, started_at_ms // 1000, context_window, mode.mode if mode else "default"
        )
        self.event(begun)

    def turn_context(self, settings: Settings, turn_id: str, output_schema: Any = None) -> None:
        """The settings of the turn, behind the items that tell the model of them."""
        self.append("turn_context", record.turn_context(settings, turn_id, output_schema))

    def item(self, *items: dict[str, Any]) -> None:
        """What the model will be told again, as it stands in its history."""
        self.append("response_item", *items)

    def user_message(self, inputs: list[UserInput]) -> None:
        """What the user said, behind the item that tells the model of it."""
        self.event(record.user_said(inputs))
        self.materialize()

    def item_completed(self, item: ThreadItem, turn_id: str) -> None:
        """What a client was shown; messages of the user and what tools record are not repeated."""
        at_ms = time.time_ns() // 1_000_000
        self.event(*record.item_events(item, self.thread_id, turn_id, at_ms))

    def event(self, *events: Event | TokenCount | GoalEvent | dict[str, Any]) -> None:
        """Any other event; a dict has a `type`."""
        self.append("event_msg", *events)

    def token_count(self, usage: ThreadTokenUsage | None) -> None:
        self.event(record.token_count(usage))

    def turn_ended(
        self, done: Turn, *, last_message: str | None, first_token_ms: int | None
    ) -> str | None:
        """The turn's last line.  Raises nothing: says what went wrong, and tries again later."""
        try:
            self.event(_end(done, last_message, first_token_ms))
        except RolloutError as error:
            return str(error)
        return None

    # ---- between turns

    def compacted(self, message: str, history: list[dict[str, Any]]) -> None:
        """The model's history begins anew with `history`."""
        self.append("compacted", Compacted(message, history))

    def rolled_back(self, turns: int) -> None:
        self.event(RolledBack(turns))


def _first(file: BinaryIO, size: int) -> Iterator[bytes]:
    """The lines of the file's first bytes; the last one may be torn."""
    while size > 0 and (line := file.readline(size)):
        size -= len(line)
        yield line


def _end(
    done: Turn, last_message: str | None, first_token_ms: int | None
) -> TaskComplete | TurnAborted:
    if done.status == "interrupted":
        return TurnAborted(done.id, "interrupted", done.completed_at, done.duration_ms)
    first = msgspec.UNSET if first_token_ms is None else first_token_ms
    return TaskComplete(
        done.id, last_message, done.completed_at, done.duration_ms, first, _error(done.error)
    )


def _error(error: TurnError | None) -> StoredError | msgspec.UnsetType:
    if error is None:
        return msgspec.UNSET
    info = msgspec.to_builtins(error.codex_error_info)
    return StoredError(error.message, info, error.additional_details)
