"""`get_goal`, `create_goal`, `update_goal`: the model looks at the thread's goal, sets and ends it.

Pausing it and its budget are the user's: the model can only report that it is reached.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from protocol.errors import RpcError
from protocol.goal import ThreadGoal, ThreadGoalStatus
from workers.tools import Call, Content, Serve, Tool, ToolFailure, Turn
from workers.tools.arguments import arguments


class _Nothing(Struct):
    """Takes no arguments."""


class _Create(Struct):
    objective: str
    token_budget: int | None = None


class _Update(Struct):
    status: ThreadGoalStatus


class _Shown(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """The goal without a budget that it does not have (observed)."""

    thread_id: str
    objective: str
    status: ThreadGoalStatus
    token_budget: int | None = None
    tokens_used: int
    time_used_seconds: int
    created_at: int
    updated_at: int


class _Answer(Struct, rename="camel"):
    goal: _Shown | None
    remaining_tokens: int | None
    completion_budget_report: str | None


def _answer(goal: ThreadGoal | None) -> str:
    if goal is None:
        return _pretty(_Answer(None, None, None))
    budget = goal.token_budget
    shown = _Shown(**msgspec.structs.asdict(goal))
    left = None if budget is None else max(budget - goal.tokens_used, 0)
    return _pretty(_Answer(shown, left, _report(goal)))


def _pretty(answer: _Answer) -> str:
    return msgspec.json.format(msgspec.json.encode(answer), indent=2).decode()


def _report(goal: ThreadGoal) -> str | None:
    """What the user should hear of the cost, once the goal is reached."""
    spent = [f"{goal.tokens_used} of {goal.token_budget} tokens"] if goal.token_budget else []
    spent += [f"{goal.time_used_seconds} seconds"] if goal.time_used_seconds else []
    if goal.status != "complete" or not spent:
        return None
    return f"The goal is reached. Tell the user what it took: {', '.join(spent)}."


def _asked(what: Callable[[], ThreadGoal | None]) -> Content:
    try:
        return _answer(what())
    except RpcError as error:
        raise ToolFailure(error.message) from None


async def _get(turn: Turn, call: Call) -> Content:
    arguments(_Nothing, call.arguments or "{}")
    return _asked(turn.pursuit.found)


async def _create(turn: Turn, call: Call) -> Content:
    given = arguments(_Create, call.arguments)
    return _asked(lambda: turn.pursuit.create(turn.id, given.objective, given.token_budget))


async def _update(turn: Turn, call: Call) -> Content:
    if arguments(_Update, call.arguments).status != "complete":
        raise ToolFailure(
            "update_goal can only report that the goal is complete; the user pauses and resumes it"
        )
    return _asked(lambda: turn.pursuit.complete(turn.id))


def _tool(
    name: str, description: str, parameters: dict[str, Any], required: list[str], serve: Serve
) -> Tool:
    spec = {
        "type": "function",
        "name": name,
        "description": description,
        "strict": False,
        "parameters": {
            "type": "object",
            "properties": parameters,
            "required": required,
            "additionalProperties": False,
        },
    }
    return Tool(spec, serve, late=True)  # what the response has cost is known at its end only


GET_GOAL = _tool(
    "get_goal",
    "Shows this thread's goal: its objective, how it stands, what it has cost and what its budget "
    "leaves.",
    {},
    [],
    _get,
)
CREATE_GOAL = _tool(
    "create_goal",
    "Gives this thread a goal that is pursued over many turns until it is complete.  Only when the "
    "user asks for a goal in so many words; an ordinary task is none.  Fails when there is one.",
    {
        "objective": {"type": "string", "description": "What is to be reached, in full."},
        "token_budget": {
            "type": "integer",
            "description": "How many tokens it may cost; only if the user has named a number.",
        },
    },
    ["objective"],
    _create,
)
UPDATE_GOAL = _tool(
    "update_goal",
    "Reports that this thread's goal is reached and nothing is left to do for it.  Not because its "
    "budget runs out or the turn ends.",
    {
        "status": {
            "type": "string",
            "enum": ["complete"],
            "description": "complete, once you have verified that it is.",
        }
    },
    ["status"],
    _update,
)
