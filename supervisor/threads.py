"""Loaded threads: how they come and how they go.

A thread stays loaded while somebody listens or something happens, and a grace period longer.  A
thread whose worker died stays too, without one: the next request loads it again.
"""

import logging
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import trio

from protocol.errors import INTERNAL_ERROR, RpcError, check_thread_id, unknown_thread
from protocol.frames import Bye, Rest, StartThread
from protocol.methods import THREAD_CLOSED
from protocol.settings import Settings
from protocol.thread import NotLoadedStatus, ThreadClosedNotification
from supervisor.connection import Connection
from supervisor.loaded import HUNG, PATIENCE_SECONDS, Loaded
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
        self._doors: WeakValueDictionary[str, trio.Lock] = WeakValueDictionary()
        self._seqs: dict[str, int] = {}  # where unloaded threads will go on counting

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
            thread.left(client)

    # ---- how they come

    def door(self, thread_id: str) -> trio.Lock:
        """Held while a thread is being loaded, unloaded or moved, so that nobody does so twice.

        It lasts as long as somebody is at it.
        """
        return self._doors.setdefault(thread_id, trio.Lock())

    async def load(self, spec: StartThread) -> Loaded:
        """Give a thread a worker.  What it was loaded for is the caller's next call.

        Raises RpcError when there is no worker to be had.
        """
        worker = await self._adopt(spec.settings)
        spec.next_seq = self._seqs.pop(spec.thread_id, spec.next_seq)
        thread = self._loaded[spec.thread_id] = Loaded(self.host, spec)
        self.host.agents.entered(thread)
        self.host.skill_watch.look()
        self._begin(thread, worker)
        self._nursery.start_soon(self._mind, thread)
        return thread

    async def revive(self, thread: Loaded) -> None:
        """Load a thread again whose worker has died; what waits for it is passed on."""
        async with self.door(thread.id):
            if thread.ending:
                thread.refuse_all(unknown_thread(thread.id))
            elif thread.worker is None:
                try:
                    worker = await self._adopt(thread.spec.settings)
                except RpcError as error:
                    thread.refuse_all(error)
                    return
                thread.rewind()
                self._begin(thread, worker)

    async def _adopt(self, settings: Settings) -> Worker:
        with trio.move_on_after(PATIENCE_SECONDS):
            return await self._births.adopt(mcp=bool(settings.mcp_servers))
        problem = f"no worker process was ready in {PATIENCE_SECONDS:.0f} s; see the server's log"
        raise RpcError(INTERNAL_ERROR, problem)

    def _begin(self, thread: Loaded, worker: Worker) -> None:
        thread.begin(worker)
        self._nursery.start_soon(self._listen, thread, worker)

    async def _listen(self, thread: Loaded, worker: Worker) -> None:
        """Hear a worker out, to its end."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.write)
            try:
                while heard := await worker.receive():
                    thread.hear(heard)
            except Exception:  # one thread's fault must not end the others
                log.exception("thread %s: what its worker said could not be dealt with", thread.id)
                worker.kill()
            nursery.cancel_scope.cancel()
        worker.close()
        if thread.worker is not worker:
            return
        if not thread.ending:
            log.error("the worker %s of thread %s died", worker.pid, thread.id)
        thread.lose()
        if not thread.born:
            self.dismiss(thread)

    # ---- how they go

    async def _mind(self, thread: Loaded) -> None:
        """See to it that a thread is answered for while it is loaded, and unloaded in time."""
        while (due := await thread.wait_due(self.grace_seconds)) != "ending":
            if due == "hung":
                log.error("thread %s: its worker does not answer", thread.id)
                thread.refuse_all(RpcError(INTERNAL_ERROR, HUNG))
                if thread.worker is not None:
                    thread.worker.kill()
                continue
            async with self.door(thread.id):
                if not thread.busy:  # somebody may have been at the door before us
                    await self.unload(thread, "nobody has listened for the grace period")

    def dismiss(self, thread: Loaded) -> None:
        """Unload without waiting for it: the thread could not be loaded after all."""
        thread.ending = True
        self._forget(thread)
        self._nursery.start_soon(self._part, thread, "it could not be loaded")

    def _forget(self, thread: Loaded) -> None:
        if self._loaded.get(thread.id) is thread:
            del self._loaded[thread.id]
            self.host.agents.left(thread)
            self.host.skill_watch.look()

    async def unload(self, thread: Loaded, reason: str, *, closed: bool = True) -> None:
        """End the worker, then tell everybody; `closed` says whether by `thread/closed` too.

        The caller holds the door.
        """
        if thread.ending:
            return
        thread.ending = True
        await self._part(thread, reason)
        if thread.worker is not None:
            thread.lose()  # it had to be killed, and has left things unsaid
        self._forget(thread)
        if thread.stored:
            self._seqs[thread.id] = thread.next_seq
        thread.set_status(NotLoadedStatus())
        if closed:
            told = ThreadClosedNotification(thread_id=thread.id)
            self.host.tell_all(THREAD_CLOSED.name, THREAD_CLOSED.encode(told))

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
        log.warning("worker %s would not leave; killing it", worker.pid)
        worker.kill()

    async def drain(self) -> None:
        """Return once no turn is running, and have no thread begin one by itself."""
        for thread in self:
            thread.send(Rest())
        for thread in self:
            await thread.wait_idle()

    async def unload_all(self) -> None:
        """The server ends: every worker leaves its rollout whole, all at the same time."""
        async with trio.open_nursery() as nursery:
            for thread in self:
                thread.ending = True
                nursery.start_soon(self._part, thread, "the server ends")
