"""The running commands of a thread that the model may come back to, by number.

A session outlives the call that began it and the turn of that call, so its task runs in the
nursery of the thread.  The number is random: after a restart the history still names old ones,
and none of those may mean a new session.
"""

import random
from collections.abc import Iterator

import trio

from workers.process import Process
from workers.tools.execution import Execution
from workers.tools.output import HeadTail

LIMIT = 64  # sessions of one thread; the reference server's bound
CLOSE_SECONDS = 5
_NUMBERS = range(1000, 100_000)


class Session:
    """One command.  `ended` is set when its end has been told to the clients, or is held."""

    def __init__(self, id: int, process: Process, execution: Execution) -> None:
        self.id = id
        self.process = process
        self.execution = execution
        self.unread = HeadTail()  # what the model has not been shown
        self.ended = trio.Event()
        self.held = False  # whoever began the command tells its end
        self.used_at = trio.current_time()
        self._scope = trio.CancelScope()

    async def run(self) -> None:
        try:
            with self._scope:
                exit_code = await self.process.run(self._heard)
                if not self.held:
                    self.execution.ended(exit_code)
        finally:
            self.ended.set()

    def _heard(self, data: bytes) -> None:
        self.unread.add(data)
        self.execution.heard(data)

    def abandon(self) -> None:
        """End the command and say no more of it: its turn was interrupted."""
        self._scope.cancel()

    @property
    def exit_code(self) -> int | None:
        """None until it has ended."""
        return self.process.exit_code if self.ended.is_set() else None


class Sessions:
    """The sessions of one thread; they live in `nursery`."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._sessions: dict[int, Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[Session]:
        return iter(self._sessions.values())

    def free_id(self) -> int:
        while (id := random.choice(_NUMBERS)) in self._sessions:  # noqa: S311 - a name, no secret
            pass
        return id

    def open(self, id: int, process: Process, execution: Execution) -> Session:
        """Take charge of a started command.  Beyond the bound the one least used has to go."""
        if len(self._sessions) >= LIMIT:
            self._evict()
        session = self._sessions[id] = Session(id, process, execution)
        self._nursery.start_soon(session.run)
        return session

    def _evict(self) -> None:
        oldest = min(self._sessions.values(), key=lambda s: (not s.ended.is_set(), s.used_at))
        oldest.process.kill_group()
        del self._sessions[oldest.id]

    def find(self, id: int) -> Session | None:
        if session := self._sessions.get(id):
            session.used_at = trio.current_time()
        return session

    def forget(self, session: Session) -> None:
        self._sessions.pop(session.id, None)

    def clean(self) -> None:
        """Kill every running command; clients hear of each that it failed."""
        for session in self._sessions.values():
            session.process.kill_group()

    async def aclose(self) -> None:
        """Kill every running command and wait until clients have heard of it."""
        self.clean()
        with trio.move_on_after(CLOSE_SECONDS):
            for session in list(self._sessions.values()):
                await session.ended.wait()
