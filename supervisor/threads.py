"""Loaded threads: how they come and how they go.

A thread stays loaded while somebody listens or something happens, and a grace period longer.  A
thread whose worker died stays too, without one: the next request loads it again.
"""

import logging
import signal
from contextlib import suppress
from os import kill
from typing import TYPE_CHECKING

import trio

from protocol.errors import check_thread_id, unknown_thread
from protocol.frames import Bye, StartThread
from protocol.methods import THREAD_CLOSED
from protocol.thread import NotLoadedStatus, ThreadClosedNotification
from supervisor.connection import Connection
from supervisor.loaded import Loaded
from supervisor.worker import NurseryProcess, Worker

if TYPE_CHECKING:
    from supervisor.host import Host

GRACE_SECONDS = 30 * 60.0  # the reference server's figure; `atrio.unload_grace_seconds` changes it
FAREWELL_SECONDS = 5.0  # for a worker to leave its rollout whole

log = logging.getLogger("atrio.threads")


class Threads:
    """All loaded threads.  `nursery` runs one task for each."""

    def __init__(
        self,
        births: NurseryProcess,
        nursery: trio.Nursery,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self.host: Host
        self.grace_seconds = grace_seconds
        self._births = births
        self._nursery = nursery
        self._loaded: dict[str, Loaded] = {}
        self._doors: dict[str, trio.Lock] = {}

    # ---- who is here

    def get(self, thread_id: str) -> Loaded | None:
        return self._loaded.get(thread_id)

    def loaded(self, thread_id: str) -> Loaded:
        """Raises RpcError when the thread is not loaded."""
        found = self._loaded.get(thread_id)
        if found is None or found.ending:
            check_thread_id(thread_id)
            raise unknown_thread(thread_id)
        return found

    def __iter__(self):  # noqa: ANN204 - an iterator of Loaded
        return iter(list(self._loaded.values()))

    def left(self, client: Connection) -> None:
        """A client is gone."""
        for thread in self:
            thread.unsubscribe(client)

    # ---- how they come

    def door(self, thread_id: str) -> trio.Lock:
        """Held while a thread is being loaded or unloaded, so that nobody does so twice."""
        return self._doors.setdefault(thread_id, trio.Lock())

    async def load(self, spec: StartThread) -> Loaded:
        """Give a thread a worker.  What it was loaded for is the caller's next call."""
        worker = await self._births.adopt()
        thread = self._loaded[spec.thread_id] = Loaded(self.host, spec, worker)
        self._begin(thread, worker)
        self._nursery.start_soon(self._until_abandoned, thread)
        return thread

    async def revive(self, thread: Loaded) -> None:
        """Load a thread again whose worker has died."""
        async with self.door(thread.id):
            if thread.worker is None:
                thread.rewind()
                thread.worker = await self._births.adopt()
                self._begin(thread, thread.worker)

    def _begin(self, thread: Loaded, worker: Worker) -> None:
        worker.send(thread.spec)
        self._nursery.start_soon(self._listen, thread, worker)

    async def _listen(self, thread: Loaded, worker: Worker) -> None:
        """Hear a worker out, to its end."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.write)
            while heard := await worker.receive():
                thread.hear(heard)
            nursery.cancel_scope.cancel()
        worker.close()
        if not thread.ending:
            log.error("the worker %s of thread %s died", worker.pid, thread.id)
            thread.lose()

    # ---- how they go

    async def _until_abandoned(self, thread: Loaded) -> None:
        await thread.wait_abandoned(self.grace_seconds)
        if not thread.ending:
            await self.unload(thread, "nobody has listened for the grace period")

    def dismiss(self, thread: Loaded) -> None:
        """Unload without waiting for it: the thread could not be loaded after all."""
        thread.ending = True
        self._loaded.pop(thread.id, None)
        self._nursery.start_soon(self._part, thread, "it could not be loaded")

    async def unload(self, thread: Loaded, reason: str, *, closed: bool = True) -> None:
        """End the worker, then tell everybody; `closed` says whether by `thread/closed` too."""
        async with self.door(thread.id):
            if thread.ending:
                return
            thread.ending = True
            await self._part(thread, reason)
            self._loaded.pop(thread.id, None)
            thread.set_status(NotLoadedStatus())
            if closed:
                told = ThreadClosedNotification(thread_id=thread.id)
                self.host.tell_all(THREAD_CLOSED.name, THREAD_CLOSED.encode(told))
        self._doors.pop(thread.id, None)

    async def _part(self, thread: Loaded, reason: str) -> None:
        """Ask, wait a bounded time, insist."""
        thread.touch()
        worker = thread.worker
        if worker is None:
            return
        worker.send(Bye(FAREWELL_SECONDS, reason))
        with trio.move_on_after(FAREWELL_SECONDS + 1):
            await worker.gone.wait()
            return
        if worker.pid is not None:
            log.warning("worker %s would not leave; killing it", worker.pid)
            with suppress(ProcessLookupError):
                kill(worker.pid, signal.SIGKILL)

    async def drain(self) -> None:
        """Return once no turn is running."""
        for thread in self:
            await thread.wait_idle()

    async def unload_all(self) -> None:
        """The server ends: every worker leaves its rollout whole, all at the same time."""
        async with trio.open_nursery() as nursery:
            for thread in self:
                thread.ending = True
                nursery.start_soon(self._part, thread, "the server ends")
