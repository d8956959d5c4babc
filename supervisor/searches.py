"""Which searches for files go on for whom.  One worker does them all, born when it is needed.

A session belongs to the connection that began it, like the processes of a client.  The worker ends
when nobody has wanted anything of it for a while, and gives back what it knew of the disk.
"""

from dataclasses import dataclass

import trio

from protocol.errors import INTERNAL_ERROR, RpcError, invalid
from protocol.frames import Cancel, Event, Failed, Reply, Up
from protocol.fuzzy import FuzzyFileSearchResponse
from protocol.methods import FUZZY_FILE_SEARCH
from protocol.seldom import Find, Query, Root, StartSearches
from supervisor.connection import Connection
from supervisor.seldom import Seldom
from supervisor.worker import NurseryProcess

SESSIONS = 16  # of one client, at the same time
LOST = "the worker process that searched died; search again"


@dataclass(eq=False)
class Session:
    client: Connection
    id: str
    n: int


class Search:
    """One that is answered when it is done, at the latest when its client goes."""

    def __init__(self, client: Connection, token: str | None) -> None:
        self.client = client
        self.token = token
        self.answer: FuzzyFileSearchResponse | RpcError | None = None
        self.done = trio.Event()

    def settle(self, answer: FuzzyFileSearchResponse | RpcError) -> None:
        self.answer = answer
        self.done.set()


class Searches:
    """`nursery` runs one task for the worker."""

    def __init__(self, births: NurseryProcess, nursery: trio.Nursery) -> None:
        self._calls = 0
        self._sessions: dict[int, Session] = {}
        self._searches: dict[int, Search] = {}
        self._worker = Seldom(
            births,
            nursery,
            StartSearches(),
            hear=self._hear,
            lost=self._lost,
            wanted=self._wanted,
        )
        self._send = self._worker.send

    # ---- what clients want

    async def find(
        self, client: Connection, roots: list[Root], query: str, token: str | None
    ) -> FuzzyFileSearchResponse:
        """Raises RpcError.  An earlier search with the same token ends with nothing found."""
        search = Search(client, token)
        for n, other in list(self._searches.items()):
            if token is not None and (other.client, other.token) == (client, token):
                self._give_up(n)
        n = self._next()
        self._searches[n] = search
        self._send(Find(n, roots, query))
        if client.outbox.closed:  # it left before this was begun
            self._give_up(n)
        await search.done.wait()
        if isinstance(search.answer, RpcError):
            raise search.answer
        assert search.answer is not None
        return search.answer

    def start(self, client: Connection, id: str, roots: list[Root]) -> None:
        """One with the same id ends.  Raises RpcError when there are too many."""
        self.stop(client, id)
        if sum(session.client is client for session in self._sessions.values()) >= SESSIONS:
            raise invalid(f"this connection has {SESSIONS} search sessions already; stop some")
        session = Session(client, id, self._next())
        self._sessions[session.n] = session
        self._send(Find(session.n, roots, session=id))

    def update(self, client: Connection, id: str, query: str) -> None:
        """Raises RpcError when there is no such session."""
        session = self._session(client, id)
        if session is None:
            raise invalid(f"fuzzy file search session not found: {id}")
        self._send(Query(session.n, query))

    def stop(self, client: Connection, id: str) -> None:
        if session := self._session(client, id):
            del self._sessions[session.n]
            self._send(Cancel(session.n))

    def left(self, client: Connection) -> None:
        for session in [s for s in self._sessions.values() if s.client is client]:
            self.stop(client, session.id)
        for n in [n for n, search in self._searches.items() if search.client is client]:
            self._give_up(n)

    def _session(self, client: Connection, id: str) -> Session | None:
        mine = (s for s in self._sessions.values() if (s.client, s.id) == (client, id))
        return next(mine, None)

    def _give_up(self, n: int) -> None:
        self._searches.pop(n).settle(FuzzyFileSearchResponse(files=[]))
        self._send(Cancel(n))

    def _next(self) -> int:
        self._calls += 1
        return self._calls

    # ---- the worker

    def _hear(self, frame: Up) -> None:
        match frame:
            case Event(_, method, body, only) if only is not None:
                if session := self._sessions.get(only):
                    session.client.tell(method, body)
            case Reply(n, body) if search := self._searches.pop(n, None):
                search.settle(FUZZY_FILE_SEARCH.decode_result(body))
            case Failed(n, code, message, data):
                if search := self._searches.pop(n, None):
                    search.settle(RpcError(code, message, data))
                self._sessions.pop(n, None)
            case _:
                pass  # of a client that has gone

    def _lost(self) -> None:
        self._sessions.clear()
        searches, self._searches = self._searches, {}
        for search in searches.values():
            search.settle(RpcError(INTERNAL_ERROR, LOST))

    def _wanted(self) -> bool:
        return bool(self._sessions or self._searches)

    async def close(self) -> None:
        await self._worker.close()
