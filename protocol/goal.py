"""A thread's goal: what it is to reach over many turns, and what that has cost so far.

The thread's file is the truth about it: every change leaves a line with the whole goal, and the
last one counts.  A fork's file holds its source's lines too, which are another thread's goal.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from protocol.errors import DECODE_ERRORS, RpcError, invalid
from protocol.wire import I64, Wire

MAX_OBJECTIVE_CHARS = 4000  # the reference server's figure
READ_BYTES = 1 << 20

ThreadGoalStatus = Literal["active", "paused", "budgetLimited", "complete"]


class ThreadGoal(Wire, kw_only=True):
    """`token_budget` bounds `tokens_used`: input that was not cached, and output."""

    thread_id: str
    objective: str
    status: ThreadGoalStatus
    token_budget: int | None = None
    tokens_used: int
    time_used_seconds: int
    created_at: int
    updated_at: int


# What is made of a goal that may not be there.
Change = Callable[[ThreadGoal | None], ThreadGoal | None]


class ThreadGoalSetParams(Wire):
    """What is left out stays as it is; `token_budget` null takes the bound away."""

    thread_id: str
    objective: str | None = None
    status: ThreadGoalStatus | None = None
    token_budget: I64 | UnsetType | None = UNSET


class ThreadGoalSetResponse(Wire):
    goal: ThreadGoal


class ThreadGoalGetParams(Wire):
    thread_id: str


class ThreadGoalGetResponse(Wire):
    goal: ThreadGoal | None = None


class ThreadGoalClearParams(Wire):
    thread_id: str


class ThreadGoalClearResponse(Wire):
    """`cleared` is false when there was none."""

    cleared: bool


class ThreadGoalUpdatedNotification(Wire):
    """`turn_id` names the turn that has changed it, null when a client has."""

    goal: ThreadGoal
    thread_id: str
    turn_id: str | None = None


class ThreadGoalClearedNotification(Wire):
    thread_id: str


# ---- what a client may change


def disabled() -> RpcError:
    return invalid("goals feature is disabled")


def changed(goal: ThreadGoal | None, params: ThreadGoalSetParams, now: int) -> ThreadGoal:
    """The goal as a client wants it.  Raises RpcError.

    Another objective is another goal, whose cost begins at zero; so is the same one again after
    it was reached (observed).
    """
    budget = params.token_budget
    objective = None if params.objective is None else checked_objective(params.objective)
    check_budget(None if budget is UNSET else budget)
    if objective is not None and (goal is None or not _is_same(goal, objective)):
        limit = None if budget is UNSET else budget
        return begun(params.thread_id, objective, limit, now, params.status or "active")
    if goal is None:
        problem = f"cannot update goal for thread {params.thread_id}: no goal exists"
        raise invalid(problem)
    if params.status is None and budget is UNSET:
        return goal
    limit = goal.token_budget if budget is UNSET else budget
    fresh = replace(goal, status=params.status or goal.status, token_budget=limit, updated_at=now)
    return bounded(fresh)


def begun(
    thread_id: str,
    objective: str,
    budget: int | None,
    now: int,
    status: ThreadGoalStatus = "active",
) -> ThreadGoal:
    return ThreadGoal(
        thread_id=thread_id,
        objective=objective,
        status=status,
        token_budget=budget,
        tokens_used=0,
        time_used_seconds=0,
        created_at=now,
        updated_at=now,
    )


def bounded(goal: ThreadGoal) -> ThreadGoal:
    """The same, stopped if it is being pursued and has used up its budget."""
    spent = goal.token_budget is not None and goal.tokens_used >= goal.token_budget
    return replace(goal, status="budgetLimited") if spent and goal.status == "active" else goal


def _is_same(goal: ThreadGoal, objective: str) -> bool:
    return goal.objective == objective and goal.status != "complete"


def checked_objective(objective: str) -> str:
    """Raises RpcError."""
    objective = objective.strip()
    if not objective:
        raise invalid("goal objective must not be empty")
    if len(objective) > MAX_OBJECTIVE_CHARS:
        raise invalid(f"goal objective must be at most {MAX_OBJECTIVE_CHARS} characters")
    return objective


def check_budget(budget: int | None) -> None:
    """Raises RpcError."""
    if budget is not None and budget <= 0:
        raise invalid("goal budgets must be positive when provided")


# ---- what the thread's file says


class GoalUpdated(Struct, tag_field="type", tag="thread_goal_updated"):
    """The goal, all of it."""

    thread_id: str
    goal: ThreadGoal


class GoalCleared(Struct, tag_field="type", tag="thread_goal_cleared"):
    """There is none from here on.  Atrio's own: the reference server keeps goals elsewhere."""

    thread_id: str


GoalEvent = GoalUpdated | GoalCleared
MARK = b'"thread_goal_'
_HEAD_BYTES = 200  # in which a line's type stands


class _Line(Struct):
    payload: GoalEvent


_line = msgspec.json.Decoder(_Line).decode


def event(thread_id: str, goal: ThreadGoal | None) -> GoalEvent:
    return GoalCleared(thread_id) if goal is None else GoalUpdated(thread_id, goal)


def read(path: str, thread_id: str) -> ThreadGoal | None:
    """The goal that the file at `path` ends with.

    Reads the whole file, a line at a time.  Blocks; raises OSError.
    """
    goal: ThreadGoal | None = None
    with Path(path).open("rb", READ_BYTES) as file:
        for line in file:
            if MARK in line[:_HEAD_BYTES]:
                goal = after(line, thread_id, goal)
    return goal


def after(line: bytes, thread_id: str, goal: ThreadGoal | None) -> ThreadGoal | None:
    """What a line makes of the thread's goal; one that cannot be read leaves it as it was."""
    try:
        event = _line(line).payload
    except DECODE_ERRORS:
        return goal
    if event.thread_id != thread_id:
        return goal
    return event.goal if isinstance(event, GoalUpdated) else None
