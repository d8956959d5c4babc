"""Agents: threads that a model starts.  What workers and the supervisor say of them.

The two calls below are never a client's: a parent's worker makes them through the supervisor, and
they reach the agent's worker as any other call does.
"""

from msgspec import UNSET, Struct, field

from protocol.item import UserInput
from protocol.model import ReasoningEffort, ReasoningSummary
from protocol.row import Method
from protocol.thread import NamedSource, SessionSource, SpawnedSource, ThreadSpawn
from protocol.wire import Nothing, Wire

MAX_THREADS = 6  # agents of one thread and of its agents; the reference server's figure
MAX_DEPTH = 1  # agents start none of their own; the reference server's figure


class AgentInputParams(Wire):
    """`interrupt` ends what the agent is at; else the input joins it, or waits for its end."""

    input: list[UserInput]
    interrupt: bool = False


class AgentInputResponse(Wire):
    submission_id: str = field(name="submission_id")


AGENT_LOAD = Method("atrio/agent/load", Nothing, Nothing)
AGENT_INPUT = Method("atrio/agent/input", AgentInputParams, AgentInputResponse)
AGENT_CALLS = {row.name: row for row in (AGENT_LOAD, AGENT_INPUT)}


class Role(Struct):
    """An `agent_type`: what an agent of it is for, and the settings that are its own.

    `problem` says why its file cannot be used.
    """

    description: str | None = None
    nicknames: list[str] = field(default_factory=list[str])
    model: str | None = None
    effort: ReasoningEffort | None = None
    summary: ReasoningSummary | None = None
    developer_instructions: str | None = None
    problem: str | None = None


class AgentSettings(Struct):
    """`[agents]`: how many there may be, and of what kinds besides those built in."""

    max_threads: int = MAX_THREADS
    max_depth: int = MAX_DEPTH
    roles: dict[str, Role] = field(default_factory=dict[str, Role])


def spawn_of(source: SessionSource) -> ThreadSpawn | None:
    """Whose agent a thread is; None for all others."""
    match source:
        case NamedSource(sub_agent=SpawnedSource(thread_spawn=spawn)) if spawn is not UNSET:
            return spawn
        case _:
            return None


def depth_of(source: SessionSource) -> int:
    spawn = spawn_of(source)
    return 0 if spawn is None else spawn.depth
