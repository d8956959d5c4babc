"""A thread that is another's agent: it takes its parent's input and says how it fares."""

from typing import TYPE_CHECKING

from protocol.agent import (
    AGENT_INPUT,
    AGENT_LOAD,
    AgentInputParams,
    AgentInputResponse,
    spawn_of,
)
from protocol.frames import Agent, StartThread
from protocol.item import CollabAgentStatus
from protocol.turn import Turn, TurnStartParams
from protocol.wire import Nothing
from workers.link import Link
from workers.mailbox import serves
from workers.running import RunningTurn
from workers.turn import turn_start

if TYPE_CHECKING:
    from workers.thread import LoadedThread


class Duty:
    """What an agent owes its parent: word of each turn's begin and end."""

    def __init__(self, thread_id: str, link: Link) -> None:
        self.waiting = 0  # turns that will follow the running one, as its parent knows
        self._thread_id = thread_id
        self._link = link

    def fares(self, status: CollabAgentStatus, message: str | None = None) -> None:
        self._link.send(Agent(self._thread_id, status, message))

    def ended(self, turn: Turn, said: str | None) -> None:
        """A turn is over.  Ours: a failed one is errored, where the reference says completed."""
        if self.waiting:
            return  # its parent has sent more, and waits for what comes of that
        match turn.status:
            case "failed":
                self.fares("errored", turn.error.message if turn.error else None)
            case "interrupted":
                self.fares("interrupted")
            case _:
                self.fares("completed", said)


def duty(spec: StartThread, link: Link) -> Duty | None:
    """None for a thread that is nobody's agent."""
    return Duty(spec.thread_id, link) if spawn_of(spec.source) else None


@serves(AGENT_LOAD)
def agent_load(thread: "LoadedThread", params: Nothing) -> Nothing:  # noqa: ARG001
    """Clients are told that it is idle, and not that it has started (observed)."""
    thread.idle()
    thread.servers.start()
    return Nothing()


@serves(AGENT_INPUT)
def agent_input(thread: "LoadedThread", params: AgentInputParams) -> AgentInputResponse:
    """Begin a turn, join the one that runs, or follow one that must end first."""
    running, wanted = thread.turn, TurnStartParams(params.input, thread.thread.id)
    if running is None or (running.kind is None and not params.interrupt):
        return AgentInputResponse(turn_start(thread, wanted).turn.id)
    if params.interrupt:
        running.scope.cancel()
    turn = RunningTurn(thread, wanted)
    if thread.duty is not None:
        thread.duty.waiting += 1
    thread.nursery.start_soon(_follow, thread, turn)
    return AgentInputResponse(turn.id)


async def _follow(thread: "LoadedThread", turn: RunningTurn) -> None:
    while thread.turn is not None:
        await thread.turn.ended.wait()
    thread.turn = turn
    if thread.duty is not None:
        thread.duty.waiting -= 1
    await turn.run()
