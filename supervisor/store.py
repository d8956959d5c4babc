"""The threads on disk: list, find, name and archive them.

The files are the truth; a table (`supervisor.shelf`) makes a list cheap.  Its questions go to a
thread of their own, since a disk may stall and a search looks at every row; that costs a twentieth
of a millisecond, and only one is asked at a time, so nothing needs a lock.  What workers report is
written when the next question is asked, or a moment later.

A list awaits the first look through the folders, which opens no known file.  After that the look is
repeated with each list as long as it is cheap, and behind its back when it is not.
"""

import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

import trio

from protocol.errors import INTERNAL_ERROR, RpcError, invalid, unknown_thread
from protocol.goal import Change, ThreadGoal
from protocol.rollout import SessionMeta, stamp, unix_ms
from protocol.thread import Thread, ThreadListParams, ThreadListResponse

if TYPE_CHECKING:
    from supervisor.index import Page, Row
    from supervisor.shelf import Shelf

R = TypeVar("R")

DEFAULT_LIMIT = 25
MAX_LIMIT = 100
INTERACTIVE = ("cli", "vscode")  # the sources that a list shows unless asked for others
SUBAGENTS = ("subAgentReview", "subAgentCompact", "subAgentThreadSpawn", "subAgentOther")
CHEAP_SECONDS = 0.01  # a look through the folders that a list may wait for each time
SHARE = 10  # looks take at most this part of the time
SWEEP_SECONDS = 30.0  # between two questions to every file, and then only if lists are asked for
SETTLE_SECONDS = 0.5  # before what workers report is written without a question
log = logging.getLogger("atrio.store")
_CURSOR = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{3})(\d{39})?\d*)?Z")


class Store:
    """The threads below `home`."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._limiter = trio.CapacityLimiter(1)
        self._shelf: Shelf | None = None
        self._reported: dict[str, Thread] = {}
        self._scanning = trio.Lock()
        self._scanned = False
        self._due = 0.0
        self._sweep_due = 0.0
        self._cost = 0.0
        self._wanted = trio.Event()

    async def open(self, tasks: trio.Nursery) -> None:
        """Begin; the table itself is opened by the first question."""
        tasks.start_soon(self._tend)

    async def close(self) -> None:
        """Write what is still to be written."""
        if self._shelf is not None or self._reported:
            try:
                await self._ask(lambda shelf: shelf.close())
            except RpcError as error:  # the files are whole; the table is made anew some day
                log.warning("%s", error.message)
            self._shelf = None

    # ---- questions

    async def list(self, params: ThreadListParams, default_provider: str) -> ThreadListResponse:
        """One page.  Raises RpcError for a cursor that is none."""
        page = _page(params, default_provider)
        await self._refresh()
        rows = await self._ask(lambda shelf: shelf.page(page))
        shown = rows[: page.limit]
        return ThreadListResponse(
            [row.shown() for row in shown if row.thread is not None],
            backwards_cursor=_backwards(page, shown[0]) if shown else None,
            next_cursor=_next(page, shown[-1]) if len(rows) > page.limit else None,
        )

    async def read(self, thread_id: str) -> Thread | None:
        """The thread, archived or not.  Raises RpcError when its file is no rollout."""
        row = await self._ask(lambda shelf: shelf.read(thread_id))
        if row is not None and row.thread is None:
            cause = f"failed to read thread: {row.path} does not begin with session_meta"
            raise RpcError(INTERNAL_ERROR, cause)
        return row.shown() if row else None

    async def path(self, thread_id: str) -> str | None:
        """Where the thread's file is."""
        row = await self._ask(lambda shelf: shelf.read(thread_id))
        return row.path if row else None

    async def agents_of(self, thread_id: str) -> Sequence[str]:
        """The ids of the agents that work for a thread, parents first; not of those put away."""
        await self._refresh()
        return await self._ask(lambda shelf: shelf.agents_of(thread_id))

    async def by_path(self, path: str) -> Thread | None:
        """The thread in any file, a relative one below home; None when it cannot be read."""
        whole = str(self._home / path)
        row = await self._ask(lambda shelf: shelf.by_path(whole))
        return row.shown() if row and row.thread else None

    # ---- changes

    def upsert(self, thread: Thread) -> None:
        """Take over what a worker says of its thread."""
        if thread.path is not None and not thread.ephemeral:
            self._reported[thread.id] = thread
            self._wanted.set()

    async def set_name(self, thread_id: str, name: str) -> None:
        """Name the thread, for the reference server too."""
        await self._ask(lambda shelf: shelf.set_name(thread_id, name))

    async def amend(self, thread_id: str, change: Callable[[SessionMeta], None]) -> Thread | None:
        """Write down a change of what a thread's file says of it; None when there is no such file.

        Only while the thread has no worker, which is its file's only writer otherwise.
        """
        row = await self._ask(lambda shelf: shelf.amend(thread_id, change))
        return row.shown() if row else None

    async def set_goal(self, thread_id: str, change: Change) -> ThreadGoal | None:
        """Write down what `change` makes of a thread's goal, and say what that is.

        Only while the thread has no worker, as above.  Raises RpcError when there is no such file.
        """
        row, goal = await self._ask(lambda shelf: shelf.set_goal(thread_id, change))
        if row is None:
            raise unknown_thread(thread_id)
        return goal

    async def archive(self, thread_id: str) -> bool:
        """Put the thread's file away; False when there is none among the others."""
        return await self._ask(lambda shelf: shelf.archive(thread_id))

    async def unarchive(self, thread_id: str) -> Thread | None:
        """Bring the thread's file back; None when there is none put away."""
        row = await self._ask(lambda shelf: shelf.unarchive(thread_id))
        return row.shown() if row and row.thread else None

    # ---- the table

    async def _ask(self, question: "Callable[[Shelf], R]") -> R:
        """Ask behind what workers have reported until now.  Raises RpcError."""
        reported, self._reported = self._reported, {}
        try:
            return await trio.to_thread.run_sync(
                self._answer, question, reported, limiter=self._limiter
            )
        except OSError as error:
            self._reported = reported | self._reported
            raise RpcError(INTERNAL_ERROR, f"cannot work on the stored threads: {error}") from error

    def _answer(self, question: "Callable[[Shelf], R]", reported: dict[str, Thread]) -> R:
        from supervisor.shelf import Shelf  # noqa: PLC0415 - SQLite is not needed to start

        if self._shelf is None:
            self._shelf = Shelf(self._home)
        return self._shelf.answer(question, reported)

    # ---- looking for what others have changed

    async def _refresh(self) -> None:
        now = trio.current_time()
        if self._scanned and self._scanning.locked():
            return
        if not self._scanned or (now >= self._due and self._cost < CHEAP_SECONDS):
            await self._scan(deep=False)
        if now >= self._sweep_due or trio.current_time() >= self._due:
            self._wanted.set()

    async def _scan(self, *, deep: bool) -> None:
        known = self._scanned
        async with self._scanning:
            if self._scanned and not known:  # somebody else took the first look meanwhile
                return
            began = time.perf_counter()
            steps: Iterator[None] = await self._ask(lambda shelf: shelf.refreshing(deep=deep))
            while not await self._ask(lambda shelf: shelf.advance(steps)):
                pass
            self._scanned = True
            if not deep:
                self._cost = time.perf_counter() - began
            self._due = trio.current_time() + SHARE * self._cost

    async def _tend(self) -> None:
        """Do what no question waits for."""
        while True:
            await self._wanted.wait()
            await trio.sleep(SETTLE_SECONDS)
            self._wanted = trio.Event()
            try:
                await self._catch_up()
            except RpcError:  # the next question meets it too, and its asker is told
                continue
            except Exception:  # a table that nobody tends is no reason to end the server
                log.exception("the table of threads could not be tended")

    async def _catch_up(self) -> None:
        if self._reported:
            await self._ask(lambda _: None)
        now = trio.current_time()
        if self._scanned and now >= self._sweep_due:
            await self._scan(deep=True)
            self._sweep_due = trio.current_time() + SWEEP_SECONDS
        elif self._scanned and now >= self._due and self._cost >= CHEAP_SECONDS:
            await self._scan(deep=False)


# ---- pages and cursors


def _page(params: ThreadListParams, default_provider: str) -> "Page":
    from supervisor.index import Page  # noqa: PLC0415 - as above

    kinds: list[str] = [*params.source_kinds] if params.source_kinds else [*INTERACTIVE]
    if "subAgent" in kinds:
        kinds += SUBAGENTS
    providers = [default_provider] if params.model_providers is None else params.model_providers
    descending = params.sort_direction != "asc"
    return Page(
        key="updated" if params.sort_key == "updated_at" else "created",
        descending=descending,
        limit=DEFAULT_LIMIT if params.limit is None else min(max(params.limit, 1), MAX_LIMIT),
        archived=bool(params.archived),
        after=_after(params.cursor, descending=descending) if params.cursor is not None else None,
        providers=providers,
        kinds=kinds,
        cwds=[params.cwd] if isinstance(params.cwd, str) else params.cwd or (),
        term=params.search_term,
    )


def _next(page: "Page", last: "Row") -> str:
    return _cursor(_key(page, last), UUID(last.id).int)


def _backwards(page: "Page", first: "Row") -> str:
    """For the other direction; that page begins with this page's first thread."""
    beyond = 1 if page.descending else -1
    return _cursor(_key(page, first), UUID(first.id).int - beyond)


def _key(page: "Page", row: "Row") -> int:
    return row.updated if page.key == "updated" else row.created


def _cursor(ms: int, id: int) -> str:
    """The reference server's form, a timestamp, with the id as further decimals.

    The id makes the place unique: threads with equal times are neither repeated nor left out.
    """
    return f"{stamp(ms)[:-1]}{min(max(id, 0), (1 << 128) - 1):039}Z"


def _after(cursor: str, *, descending: bool) -> tuple[int, str]:
    match = _CURSOR.fullmatch(cursor)
    ms = unix_ms(f"{match[1]}.{match[2] or '000'}Z") if match else None
    if match is None or ms is None:
        raise invalid(f"invalid cursor: {cursor}")
    edge = 0 if descending else (1 << 128) - 1  # without an id: behind all of that time
    id = int(match[3]) if match[3] else edge
    if id >> 128:
        raise invalid(f"invalid cursor: {cursor}")
    return ms, str(UUID(int=id))
