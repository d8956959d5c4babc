"""The actor of the search worker: it finds files for all clients, so that no letter they type keeps
the supervisor from its work.

Folders are looked through in threads, paths are compared between them in small steps.
"""

import traceback
from collections.abc import AsyncIterator

import msgspec
import trio

from protocol.errors import INTERNAL_ERROR
from protocol.frames import Bye, Cancel, Down, Failed, Frame, Log, Reply
from protocol.fuzzy import (
    FuzzyFileSearchResponse,
    FuzzyFileSearchSessionCompletedNotification,
    FuzzyFileSearchSessionUpdatedNotification,
)
from protocol.methods import (
    FUZZY_FILE_SEARCH_SESSION_COMPLETED,
    FUZZY_FILE_SEARCH_SESSION_UPDATED,
)
from protocol.seldom import Find, Query
from workers.hunt import Hunt
from workers.link import Link
from workers.paths import Paths
from workers.walk import walk

WALKS = 4  # at the same time; the others wait
PARTIAL_SECONDS = 0.1  # between two looks at what a walk has found so far

_encode = msgspec.json.Encoder().encode


class Search:
    """One search, or one session of them: what is in its folders, and the query of the moment."""

    def __init__(self, spec: Find, link: Link, walks: trio.CapacityLimiter) -> None:
        self.spec = spec
        self.scope = trio.CancelScope()
        self.query = spec.query
        self._link = link
        self._walks = walks
        self._paths = Paths()
        self._walked = False
        self._wanted = True
        self._hunt: Hunt | None = None
        self._news = trio.Event()

    def ask(self, query: str) -> None:
        self.query = query
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = trio.Event()

    async def run(self) -> None:
        with self.scope:
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._walk)
                    if self.spec.session is None:
                        await self._answer()
                    else:
                        await self._serve(self.spec.session)
            finally:
                self._wanted = False

    # ---- what is there

    async def _walk(self) -> None:
        await trio.to_thread.run_sync(
            walk, self.spec.roots, self._take, limiter=self._walks, abandon_on_cancel=True
        )
        self._walked = True
        self._wake()

    def _take(self, paths: list[str], kinds: list[int]) -> bool:
        return trio.from_thread.run_sync(self._add, paths, kinds)

    def _add(self, paths: list[str], kinds: list[int]) -> bool:
        return self._wanted and self._paths.add(paths, kinds)

    # ---- what is wanted of it

    async def _answer(self) -> None:
        while not self._walked:
            await self._news.wait()
        hunt = Hunt(self.query)
        await hunt.pursue(self._paths, lambda: False)
        files = hunt.results(self._paths, self.spec.roots)
        self._link.send(Reply(self.spec.n, _encode(FuzzyFileSearchResponse(files))))

    async def _serve(self, session: str) -> None:
        while True:
            news, query, is_whole = self._news, self.query, self._walked
            if is_whole or query:
                await self._look(session, query, is_whole=is_whole)
            if self._news is news:
                await news.wait()
            if not self._walked and self.query == query:
                await trio.sleep(PARTIAL_SECONDS)

    async def _look(self, session: str, query: str, *, is_whole: bool) -> None:
        """Tell what there is for a query, unless another one has come meanwhile."""
        hunt = self._hunt
        if hunt is None or hunt.query != query:
            hunt = self._hunt = Hunt(query, hunt)
        if not await hunt.pursue(self._paths, lambda: self.query != query):
            return
        files = hunt.results(self._paths, self.spec.roots)
        row = FUZZY_FILE_SEARCH_SESSION_UPDATED
        told = FuzzyFileSearchSessionUpdatedNotification(
            session_id=session, query=query, files=files
        )
        self._link.event(row.name, row.encode(told), only=self.spec.n)
        if is_whole:
            row = FUZZY_FILE_SEARCH_SESSION_COMPLETED
            ended = FuzzyFileSearchSessionCompletedNotification(session_id=session)
            self._link.event(row.name, row.encode(ended), only=self.spec.n)


class Searches:
    """All that go on, by the number of the call that began them."""

    def __init__(self, link: Link, nursery: trio.Nursery) -> None:
        self._link = link
        self._nursery = nursery
        self._walks = trio.CapacityLimiter(WALKS)
        self._going: dict[int, Search] = {}

    def take(self, frame: Down) -> None:
        match frame:
            case Find(n):
                self._going[n] = Search(frame, self._link, self._walks)
                self._nursery.start_soon(self._run, self._going[n])
            case Query(n, text) if search := self._going.get(n):
                search.ask(text)
            case Cancel(n) if search := self._going.get(n):
                search.scope.cancel()
            case _:
                pass  # of one that has ended meanwhile

    async def _run(self, search: Search) -> None:
        n = search.spec.n
        try:
            await search.run()
        except Exception as error:  # noqa: BLE001 - this is a worker's mailbox
            self._link.send(Log("error", "".join(traceback.format_exception(error))))
            failed: Frame = Failed(n, INTERNAL_ERROR, f"the search failed: {error!r}")
            self._link.send(failed)
        finally:
            del self._going[n]


async def be(link: Link, incoming: AsyncIterator[Down], nursery: trio.Nursery) -> None:
    """Be the search worker until `Bye` or the end of the link."""
    searches = Searches(link, nursery)
    async for frame in incoming:
        if isinstance(frame, Bye):
            return
        searches.take(frame)
