"""`send_input`, `resume_agent`, `wait_agent`, `close_agent`: what the model does with its agents.

Only with its own: an id of anybody else's thread is that of no agent.  Ours: the reference server
lets a model reach every thread that is loaded, which on a host of many clients is another's.
"""

from msgspec import Struct, field

from workers.agents import NOT_FOUND, told
from workers.tools import Call, Content, Tool, ToolFailure, Turn
from workers.tools.arguments import arguments
from workers.tools.delegation import (
    DEPTH_REACHED,
    ITEMS,
    MESSAGE,
    TARGET,
    Given,
    agent_id,
    as_json,
    begin,
    finish,
    function,
    inputs,
    preview,
)

# The reference server's figures: a model that polls must not keep a core busy.
MIN_WAIT_MS, DEFAULT_WAIT_MS, MAX_WAIT_MS = 10_000, 30_000, 3_600_000


class _Input(Struct):
    target: str
    message: str | None = None
    items: list[Given] | None = None
    interrupt: bool = False


async def _send_input(turn: Turn, call: Call) -> Content:
    given = arguments(_Input, call.arguments)
    id, parts = agent_id(given.target), inputs(given.message, given.items)
    item = begin(turn, call, "sendInput", [id], prompt=preview(parts))
    try:
        submission, state = await turn.agents.tell(id, parts, interrupt=given.interrupt)
    except ToolFailure:
        finish(turn, item, {id: turn.agents.state(id)}, failed=True)
        raise
    finish(turn, item, {id: state})
    return as_json({"submission_id": submission})


class _Resume(Struct):
    id: str


async def _resume_agent(turn: Turn, call: Call) -> Content:
    id = agent_id(arguments(_Resume, call.arguments).id)
    if turn.agents.depth > turn.settings.agents.max_depth:
        raise ToolFailure(DEPTH_REACHED)
    item = begin(turn, call, "resumeAgent", [id])
    try:
        state = await turn.agents.resume(id)
    except ToolFailure:
        finish(turn, item, {id: NOT_FOUND})
        raise
    finish(turn, item, {id: state})
    return as_json({"status": told(state)})


class _Wait(Struct):
    targets: list[str] = field(default_factory=list[str])
    timeout_ms: int | None = None


async def _wait_agent(turn: Turn, call: Call) -> Content:
    given = arguments(_Wait, call.arguments)
    ids = [agent_id(target) for target in given.targets]
    if not ids:
        raise ToolFailure("agent ids must be non-empty")
    timeout_ms = DEFAULT_WAIT_MS if given.timeout_ms is None else given.timeout_ms
    if timeout_ms <= 0:
        raise ToolFailure("timeout_ms must be greater than zero")
    item = begin(turn, call, "wait", ids)
    bounded_ms = min(max(timeout_ms, MIN_WAIT_MS), MAX_WAIT_MS)
    found, timed_out = await turn.agents.wait(ids, bounded_ms / 1000)
    finish(turn, item, found)
    status = {id: told(state) for id, state in found.items()}
    return as_json({"status": status, "timed_out": timed_out})


class _Close(Struct):
    target: str


async def _close_agent(turn: Turn, call: Call) -> Content:
    id = agent_id(arguments(_Close, call.arguments).target)
    item = begin(turn, call, "closeAgent", [id])
    state = turn.agents.state(id)
    try:
        await turn.agents.close(id)
    except ToolFailure:
        finish(turn, item, {id: state}, failed=True)
        raise
    finish(turn, item, {id: state})
    return as_json({"previous_status": told(state)})


SEND_INPUT = Tool(
    function(
        "send_input",
        "Gives an agent more to do.  It reads it when it next asks its model, or begins anew with "
        "it when it is at nothing; interrupt ends what it is at first.  Prefer an agent that knows "
        "the matter to a new one.",
        {
            "target": TARGET,
            "message": MESSAGE,
            "items": ITEMS,
            "interrupt": {"type": "boolean", "description": "End what the agent is at."},
        },
        "target",
    ),
    _send_input,
    known=False,
)
RESUME_AGENT = Tool(
    function(
        "resume_agent",
        "Opens an agent again that was closed, with all that it knew.  It does nothing until it "
        "gets input.",
        {"id": {"type": "string", "description": "The agent's id."}},
        "id",
    ),
    _resume_agent,
    known=False,
)
WAIT_AGENT = Tool(
    function(
        "wait_agent",
        "Waits until one of the agents is at nothing any more and returns its last message.  When "
        "the time is over the status is empty; when the user speaks, it returns at once.  You are "
        "told of every agent's end anyway, so wait only for what you cannot go on without.",
        {
            "targets": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Ids of agents; the first that ends ends the wait.",
            },
            "timeout_ms": {
                "type": "number",
                "description": f"How long to wait at most: {DEFAULT_WAIT_MS} unless given, at "
                f"least {MIN_WAIT_MS}, at most {MAX_WAIT_MS}.  Wait for minutes rather than often.",
            },
        },
        "targets",
    ),
    _wait_agent,
    known=False,
)
CLOSE_AGENT = Tool(
    function(
        "close_agent",
        "Ends an agent and those that it has started, and returns how it fared until then.  Open "
        "agents count towards the limit even when they are at nothing.",
        {"target": TARGET},
        "target",
    ),
    _close_agent,
    known=False,
)
