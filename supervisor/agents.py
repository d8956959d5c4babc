"""Threads that work for other threads: their workers' errands, and who hears how they fare.

What an agent is for, and what its model is told, is its parent's business.  Here a thread is
loaded, fed and unloaded for another one, never for one that is not its parent.
"""

import logging
from collections import deque
from typing import TYPE_CHECKING, assert_never

import trio

from protocol.agent import AGENT_INPUT, AGENT_LOAD, spawn_of
from protocol.envelope import Request, RequestId
from protocol.errors import INTERNAL_ERROR, RpcError, invalid
from protocol.frames import (
    Agent,
    CloseAgent,
    Errand,
    Failed,
    Reply,
    ResumeAgent,
    StartAgent,
    StartThread,
    TellAgent,
)
from protocol.item import CollabAgentStatus
from supervisor.connection import Connection
from supervisor.loaded import Loaded
from supervisor.toml import MAX_AGENTS
from supervisor.worker import Worker

if TYPE_CHECKING:
    from supervisor.host import Host

log = logging.getLogger("atrio.agents")


class Caller:
    """In a client's place: what the agent's worker answers goes to its parent's worker.

    To that very one: another, which has taken its place, has asked for nothing.
    """

    def __init__(self, worker: Worker | None, n: int) -> None:
        self.in_flight = 0
        self._worker = worker
        self._n = n

    def reply(self, id: RequestId, body: bytes) -> None:  # noqa: ARG002
        if self._worker is not None:
            self._worker.send(Reply(self._n, body))

    def refuse(self, id: RequestId, error: RpcError) -> None:  # noqa: ARG002
        if self._worker is not None:
            self._worker.send(Failed(self._n, error.code, error.message))

    def tell(self, method: str, message: bytes) -> None:
        """Notifications for a caller alone are for clients."""


class Agents:
    """Those of all threads."""

    def __init__(self, tasks: trio.Nursery, limit: int = MAX_AGENTS) -> None:
        self.host: Host
        self._tasks = tasks
        self._limit = limit
        self._of: dict[str, dict[str, Loaded]] = {}  # loaded ones, by their parent's id
        self._trees: dict[str, str] = {}  # of each open one: the thread that they all work for
        self._states: dict[str, Agent] = {}
        self._errands: dict[Worker, deque[Errand]] = {}

    def of(self, parent: Loaded) -> list[Loaded]:
        return list(self._of.get(parent.id, {}).values())

    def tree(self, root: Loaded) -> list[Loaded]:
        """Its agents and theirs, parents first."""
        found = [root]
        for each in found:  # it grows meanwhile; a file may say what it likes, so no thread twice
            found += [child for child in self.of(each) if child not in found]
        return found[1:]

    # ---- how they come and go

    def entered(self, thread: Loaded) -> None:
        """A thread is being loaded, by whomever."""
        if (spawn := spawn_of(thread.spec.source)) is not None:
            self._of.setdefault(spawn.parent_thread_id, {})[thread.id] = thread
            self.fares(thread, "pendingInit")

    def left(self, thread: Loaded) -> None:
        """It is loaded no more."""
        self._trees.pop(thread.id, None)
        if (spawn := spawn_of(thread.spec.source)) is None:
            return
        siblings = self._of.get(spawn.parent_thread_id, {})
        if siblings.get(thread.id) is thread:
            del siblings[thread.id]
            if not siblings:
                del self._of[spawn.parent_thread_id]
            self.fares(thread, "shutdown")
            del self._states[thread.id]

    def fares(self, thread: Loaded, status: CollabAgentStatus, message: str | None = None) -> None:
        """Remember how an agent fares, and let its parent know."""
        if (spawn := spawn_of(thread.spec.source)) is None:
            return
        state = self._states[thread.id] = Agent(thread.id, status, message)
        parent = self.host.threads.get(spawn.parent_thread_id)
        if parent is not None:
            parent.send(state)
            parent.touch()

    def began(self, thread: Loaded) -> None:
        """A worker has become this thread: tell it of its agents."""
        for child in self.of(thread):
            if (state := self._states.get(child.id)) is not None:
                thread.send(state)

    def busy(self, thread: Loaded) -> bool:
        """Whether agents are at work for the thread, and will have something to say to it."""
        return any(child.turn_id is not None for child in self.of(thread))

    def joined(self, thread: Loaded, client: Connection) -> None:
        """Who listens to a thread listens to those that work for it."""
        for child in self.tree(thread):
            if client not in child.subscribers:
                child.subscribe(client)
                self.host.asks.joined(child, client)

    # ---- errands, those of one worker in their order

    def serve(self, parent: Loaded, errand: Errand) -> None:
        assert parent.worker is not None
        queue = self._errands.setdefault(parent.worker, deque())
        queue.append(errand)
        if len(queue) == 1:
            self._tasks.start_soon(self._serve, parent, parent.worker, queue)

    async def _serve(self, parent: Loaded, worker: Worker, queue: deque[Errand]) -> None:
        while queue:
            caller = Caller(worker, queue[0].n)
            try:
                await self._do(parent, queue[0], caller)
            except RpcError as error:
                caller.refuse(0, error)
            except Exception as error:  # a bug of ours must not leave a turn waiting
                log.exception("an errand of thread %s came to nothing", parent.id)
                caller.refuse(0, RpcError(INTERNAL_ERROR, f"Atrio failed: {error!r}"))
            queue.popleft()
        del self._errands[worker]

    async def _do(self, parent: Loaded, errand: Errand, caller: Caller) -> None:
        match errand:
            case StartAgent(_, spec, input, limit):
                self._reserve(spec.thread_id, spec.session_id or parent.id, limit)
                child = await self._load(parent, spec)
                child.call(Caller(None, 0), Request(0, AGENT_LOAD.name, b"{}"))
                child.call(caller, Request(0, AGENT_INPUT.name, input))
            case TellAgent(_, id, input):
                child = self._its(parent, id)
                child.call(caller, Request(0, AGENT_INPUT.name, input))
                if child.worker is None:
                    await self.host.threads.revive(child)
            case ResumeAgent():
                await self._resume(parent, errand, caller)
            case CloseAgent(_, id):
                await self.close(self._its(parent, id), "its parent has closed it")
                caller.reply(0, b"{}")
            case _:
                assert_never(errand)

    def _its(self, parent: Loaded, id: str) -> Loaded:
        child = self._of.get(parent.id, {}).get(id)
        if child is None or child.ending:
            raise _not_found(id)
        return child

    def _reserve(self, id: str, root: str, limit: int) -> None:
        """Raises RpcError when there are enough."""
        open_ = sum(tree == root for tree in self._trees.values())
        if open_ >= limit:
            raise invalid(
                f"agent thread limit reached: {open_} agents are open, and agents.max_threads is "
                f"{limit}; close those that are done with close_agent"
            )
        if len(self._trees) >= self._limit:
            raise invalid(
                f"agent thread limit reached: this server has {self._limit} agents open for all "
                "its threads, and atrio.max_agents allows no more; try again later"
            )
        self._trees[id] = root

    async def _load(self, parent: Loaded, spec: StartThread) -> Loaded:
        """Load it for all who listen to its parent."""
        try:
            child = await self.host.threads.load(spec)
        except BaseException:
            self._trees.pop(spec.thread_id, None)
            raise
        if parent.ending:  # it has been closed meanwhile, and would leave this one to nobody
            self.host.threads.dismiss(child)
            raise _not_found(parent.id)
        for client in parent.subscribers:
            child.subscribe(client)
        return child

    async def _resume(self, parent: Loaded, errand: ResumeAgent, caller: Caller) -> None:
        async with self.host.threads.door(errand.thread_id):
            if errand.thread_id in self._of.get(parent.id, ()):  # a client has been quicker
                caller.reply(0, b"{}")
                return
            stored = await self.host.store.read(errand.thread_id)
            spawn = spawn_of(stored.source) if stored else None
            if stored is None or spawn is None or spawn.parent_thread_id != parent.id:
                raise _not_found(errand.thread_id)
            self._reserve(stored.id, errand.session_id, errand.limit)
            spec = StartThread(
                stored.id,
                errand.settings,
                rollout=stored.path,
                keep_model=True,
                created_at=stored.created_at,
                updated_at=stored.updated_at,
                name=stored.name,
                source=stored.source,
                session_id=errand.session_id,
            )
            child = await self._load(parent, spec)
            child.call(caller, Request(0, AGENT_LOAD.name, b"{}"))

    async def close(self, thread: Loaded, reason: str) -> None:
        """Unload an agent, then those that work for it."""
        for each in (thread, *self.tree(thread)):
            async with self.host.threads.door(each.id):
                await self.host.threads.unload(each, reason, closed=False)


def _not_found(id: str) -> RpcError:
    return invalid(f"agent with id {id} not found")
