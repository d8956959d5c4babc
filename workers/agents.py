"""The agents of one thread: how they fare, and what the supervisor is asked to do with them.

The supervisor loads, feeds and unloads them, because each has a worker of its own; what they are
for, and what the model is told of them, is decided here.
"""

import random
from collections.abc import Callable, Collection
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import msgspec
import trio
from msgspec import Struct, field

from protocol.agent import AgentInputParams, AgentInputResponse, depth_of
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
from protocol.ids import new_id
from protocol.item import CollabAgentState, UserInput
from protocol.settings import Settings
from protocol.thread import NamedSource, SpawnedSource, ThreadSpawn
from workers.history import Item, message, words
from workers.tools import ToolFailure

if TYPE_CHECKING:
    from workers.thread import LoadedThread

NICKNAMES = """
Alcor Altair Antares Arcturus Bellatrix Canopus Capella Castor Deneb Electra Elnath Enif Fomalhaut
Gienah Hadar Izar Kochab Maia Merope Mimosa Mira Mirfak Mizar Naos Nihal Nunki Phact Polaris Pollux
Procyon Regulus Rigel Sabik Sadr Shaula Sirius Spica Sterope Suhail Tarazed Thuban Vega Wezen Zaurak
"""
NOT_FOUND = CollabAgentState("notFound")
BUSY = ("pendingInit", "running")
_STATUS = {"pendingInit": "pending_init", "notFound": "not_found"}

_encode = msgspec.json.Encoder().encode
_input = msgspec.json.Decoder(AgentInputResponse).decode


class _Asked(Struct):
    """One errand of the supervisor's; `problem` says why it came to nothing."""

    answered: Callable[[], None] | None = None  # at once, before whatever is said next
    settled: trio.Event = field(default_factory=trio.Event)
    body: bytes = b""
    problem: str | None = None


class _Wait(Struct, eq=False):
    ids: Collection[str]
    found: dict[str, CollabAgentState] = field(default_factory=dict[str, CollabAgentState])
    woken: trio.Event = field(default_factory=trio.Event)


class Agents:
    """Those that the thread has started and not closed."""

    def __init__(self, thread: "LoadedThread") -> None:
        self._thread = thread
        self._states: dict[str, CollabAgentState] = {}
        self._untold: set[str] = set()  # of whose end the model has not heard
        self._abandoned: set[str] = set()  # the turn that wanted them is over
        self._nicknames: set[str] = set()
        self._asked = 0
        self._open: dict[int, _Asked] = {}
        self._waits: set[_Wait] = set()

    @property
    def depth(self) -> int:
        """Of an agent that this thread would start."""
        return depth_of(self._thread.spec.source) + 1

    def state(self, id: str) -> CollabAgentState:
        return self._states.get(id, NOT_FOUND)

    # ---- what tools do; each raises ToolFailure

    async def start(
        self,
        settings: Settings,
        inputs: list[UserInput],
        *,
        role: str | None,
        nicknames: list[str],
        fork: bool,
    ) -> tuple[str, str]:
        """Its id and its nickname."""
        id, nickname = new_id(), self._nickname(nicknames or NICKNAMES.split())
        spec = self._spec(id, settings, nickname, role, fork=fork)
        given = _encode(AgentInputParams(inputs))
        self._states[id] = CollabAgentState("pendingInit")
        limit = self._thread.settings.agents.max_threads
        try:
            await self._ask(lambda n: StartAgent(n, spec, given, limit))
        except ToolFailure as failure:
            self._forget(id)
            raise ToolFailure(f"collab spawn failed: {failure}") from None
        except BaseException:  # interrupted: nobody would know of it
            self._forget(id)
            self._abandoned.add(id)
            self._send(lambda n: CloseAgent(n, id))
            raise
        return id, nickname

    async def tell(
        self, id: str, inputs: list[UserInput], *, interrupt: bool
    ) -> tuple[str, CollabAgentState]:
        """The id of what has begun with it, and how the agent fared until then."""
        self._must_know(id)
        before, given = self.state(id), _encode(AgentInputParams(inputs, interrupt))
        body = await self._ask(lambda n: TellAgent(n, id, given), partial(self._works, id))
        return _input(body).submission_id, before

    def _works(self, id: str) -> None:
        """It has got input, and will say itself that it runs: too late for a wait that follows."""
        self._states[id] = CollabAgentState("running")

    async def resume(self, id: str) -> CollabAgentState:
        if id not in self._states:
            thread = self._thread
            settings, session = thread.settings, thread.thread.session_id
            limit = settings.agents.max_threads
            await self._ask(lambda n: ResumeAgent(n, id, settings, session, limit))
        return self.state(id)

    async def close(self, id: str) -> None:
        self._must_know(id)
        await self._ask(lambda n: CloseAgent(n, id))

    async def wait(
        self, ids: Collection[str], seconds: float
    ) -> tuple[dict[str, CollabAgentState], bool]:
        """Those that are at nothing, as soon as there is one; and whether the time is over.

        Ours: input of the user ends the wait, so that the model reads it at once.
        """
        idle = {id: state for id in ids if (state := self.state(id)).status not in BUSY}
        turn = self._thread.turn
        if idle or (turn is not None and turn.steered):
            return idle, False
        wait = _Wait(ids)
        self._waits.add(wait)
        try:
            with trio.move_on_after(seconds) as patience:
                await wait.woken.wait()
        finally:
            self._waits.discard(wait)
        return wait.found, patience.cancelled_caught

    def steered(self) -> None:
        """The user has said something."""
        for wait in self._waits:
            wait.woken.set()

    # ---- what the supervisor says

    def take(self, frame: Agent | Reply | Failed) -> None:
        match frame:
            case Agent(id, status, message):
                self._hear(id, CollabAgentState(status, message))
            case Reply(n, body):
                self._settle(n, body=body)
            case Failed(n, message=message):
                self._settle(n, problem=message)

    def _settle(self, n: int, *, body: bytes = b"", problem: str | None = None) -> None:
        if (asked := self._open.get(n)) is not None:
            asked.body, asked.problem = body, problem
            if problem is None and asked.answered is not None:
                asked.answered()
            asked.settled.set()

    def _hear(self, id: str, state: CollabAgentState) -> None:
        if id in self._abandoned:
            return
        self._states[id] = state
        if state.status in BUSY:
            if state.status == "running":
                self._untold.add(id)
            return
        for wait in self._waits:
            if id in wait.ids:
                wait.found[id] = state
                wait.woken.set()
        if state.status != "interrupted" and id in self._untold:
            self._untold.discard(id)
            self._thread.note(notification(id, state))
        if state.status == "shutdown":
            self._forget(id)

    def _forget(self, id: str) -> None:
        self._states.pop(id, None)
        self._untold.discard(id)

    # ---- errands

    async def _ask(
        self, errand: Callable[[int], Errand], answered: Callable[[], None] | None = None
    ) -> bytes:
        n = self._send(errand)
        asked = self._open[n] = _Asked(answered)
        try:
            await asked.settled.wait()
        finally:
            del self._open[n]
        if asked.problem is not None:
            raise ToolFailure(asked.problem)
        return asked.body

    def _send(self, errand: Callable[[int], Errand]) -> int:
        self._asked += 1
        self._thread.link.send(errand(self._asked))
        return self._asked

    def _must_know(self, id: str) -> None:
        if id not in self._states:
            raise ToolFailure(f"agent with id {id} not found")

    def _spec(
        self, id: str, settings: Settings, nickname: str, role: str | None, *, fork: bool
    ) -> StartThread:
        thread = self._thread
        spawn = ThreadSpawn(self.depth, thread.thread.id, nickname, agent_role=role)
        return StartThread(
            id,
            settings,
            rollout=thread.thread.path if fork else None,
            forked_from=thread.thread.id if fork else None,
            words_only=fork,
            history=words(thread.history.items) if fork and not thread.thread.path else None,
            ephemeral=thread.spec.ephemeral,
            source=NamedSource(sub_agent=SpawnedSource(thread_spawn=spawn)),
            session_id=thread.thread.session_id,
        )

    def _nickname(self, candidates: Collection[str]) -> str:
        """One that no agent of this thread has had; with a number when all are taken."""
        for turn in count(1):
            names = [f"{name} {turn}" if turn > 1 else name for name in candidates]
            if free := [name for name in names if name not in self._nicknames]:
                self._nicknames.add(chosen := random.choice(free))  # noqa: S311 - no secret
                return chosen
        raise AssertionError("count does not end")


def told(state: CollabAgentState) -> Any:
    """A state as the model reads it."""
    match state.status:
        case "completed" | "errored":
            return {state.status: state.message}
        case _:
            return _STATUS.get(state.status, state.status)


def notification(id: str, state: CollabAgentState) -> Item:
    """What the model is told when an agent has come to an end; the tags are the reference's."""
    told_ = _encode({"agent_path": id, "status": told(state)}).decode()
    return message("user", f"<subagent_notification>\n{told_}\n</subagent_notification>")
