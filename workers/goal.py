"""A thread pursues its goal: turns that nobody asked for follow each other until it is reached.

They begin whenever the thread falls idle while its goal is active, and end with the goal: the model
reports it complete, its budget of tokens is used up, somebody pauses or clears it, or a turn is
interrupted.  In plan mode a goal rests: it is neither pursued nor counted (observed).
"""

import time
from contextlib import suppress
from html import escape
from typing import TYPE_CHECKING, Any

import trio
from msgspec.structs import replace

from protocol import goal
from protocol.errors import invalid
from protocol.goal import (
    ThreadGoal,
    ThreadGoalClearedNotification,
    ThreadGoalClearParams,
    ThreadGoalClearResponse,
    ThreadGoalGetParams,
    ThreadGoalGetResponse,
    ThreadGoalSetParams,
    ThreadGoalSetResponse,
    ThreadGoalStatus,
    ThreadGoalUpdatedNotification,
)
from protocol.methods import (
    THREAD_GOAL_CLEAR,
    THREAD_GOAL_CLEARED,
    THREAD_GOAL_GET,
    THREAD_GOAL_SET,
    THREAD_GOAL_UPDATED,
)
from protocol.turn import TurnStartParams
from workers import wording
from workers.history import message
from workers.mailbox import serves
from workers.running import RunningTurn

if TYPE_CHECKING:
    from workers.thread import LoadedThread

COUNTING: tuple[ThreadGoalStatus, ...] = ("active", "budgetLimited")


class GoalTurn(RunningTurn):
    """A turn that begins with nothing but the goal; the user may steer it."""

    def __init__(self, thread: "LoadedThread", opening: dict[str, Any]) -> None:
        super().__init__(thread, TurnStartParams([], thread.thread.id))
        self.opening = [opening]

    @property
    def is_empty(self) -> bool:
        return False


class Pursuit:
    """The goal of one thread, if it has one, and how much of its cost has been counted."""

    def __init__(self, thread: "LoadedThread") -> None:
        self.goal: ThreadGoal | None = None
        self.ends = False  # the server is about to; no turn begins
        self._thread = thread
        self._tokens = 0  # counted up to here
        self._since: float | None = None  # and to this moment; None while nothing counts
        self._warned = False  # the model knows that its budget is used up

    @property
    def is_enabled(self) -> bool:
        return self._thread.settings.feature("goals")

    @property
    def _rests(self) -> bool:
        mode = self._thread.settings.collaboration_mode
        return not self.is_enabled or (mode is not None and mode.mode == "plan")

    # ---- what it costs

    def turn_started(self) -> None:
        """Count from here on, if there is something to count for."""
        if self._rests or self.goal is None or self.goal.status not in COUNTING:
            self._since = None
        else:
            self._tokens = self._spent()
            self._since = trio.current_time() if self._since is None else self._since

    def _spent(self) -> int:
        if self._thread.usage is None:
            return 0
        total = self._thread.usage.total
        return total.input_tokens - total.cached_input_tokens + total.output_tokens

    def _count_anew(self) -> None:
        active = self.goal is not None and self.goal.status == "active"
        self._tokens, self._since = self._spent(), trio.current_time() if active else None
        self._warned = False

    def account(self, turn_id: str) -> None:
        """Add what has been spent since the last time.  Raises OSError."""
        if self.goal is None or self._since is None:
            return
        tokens = max(self._spent() - self._tokens, 0)
        seconds = int(trio.current_time() - self._since)
        if not tokens and not seconds:
            return
        self._tokens, self._since = self._tokens + tokens, self._since + seconds
        grown = replace(
            self.goal,
            tokens_used=self.goal.tokens_used + tokens,
            time_used_seconds=self.goal.time_used_seconds + seconds,
            updated_at=int(time.time()),
        )
        self._keep(goal.bounded(grown))
        self._tell(turn_id)

    def account_calls(self, turn: RunningTurn) -> None:
        """The same between two requests: the model hears once that it should come to an end."""
        self.account(turn.id)
        found = self.goal
        if found is not None and found.status == "budgetLimited" and not self._warned:
            if self._since is not None:
                turn.report(message("developer", _prompt(wording.GOAL_SPENT, found)))
            self._warned = True

    # ---- what the model does with it

    def found(self) -> ThreadGoal | None:
        """Raises RpcError."""
        check(self._thread)
        return self.goal

    def create(self, turn_id: str, objective: str, budget: int | None) -> ThreadGoal:
        """Raises RpcError, OSError."""
        check(self._thread)
        goal.check_budget(budget)
        objective = goal.checked_objective(objective)
        if self.goal is not None:
            problem = (
                "cannot create a goal: this thread has one already; "
                "use update_goal once that is complete"
            )
            raise invalid(problem)
        begun = goal.begun(self._thread.thread.id, objective, budget, int(time.time()))
        self._keep(begun)
        self._count_anew()
        self._tell(turn_id)
        return begun

    def complete(self, turn_id: str) -> ThreadGoal:
        """Raises RpcError, OSError."""
        check(self._thread)
        self.account(turn_id)
        params = ThreadGoalSetParams(self._thread.thread.id, status="complete")
        done = goal.changed(self.goal, params, int(time.time()))
        self._keep(done)
        self._since = None
        self._tell(turn_id)
        return done

    # ---- what clients do with it

    def set(self, params: ThreadGoalSetParams) -> ThreadGoal:
        """Raises RpcError, OSError."""
        if self._thread.turn is not None:
            self.account(self._thread.turn.id)
        fresh = goal.changed(self.goal, params, int(time.time()))
        self._keep(fresh)
        self._count_anew()
        self._thread.afterwards(lambda _: self._tell(None))
        self._thread.afterwards(lambda _: self.pursue())
        return fresh

    def clear(self) -> bool:
        """Raises OSError."""
        if self.goal is None:
            return False
        if self._thread.turn is not None:
            self.account(self._thread.turn.id)
        self._keep(None)
        self._since = None
        self._thread.afterwards(lambda _: self._tell(None))
        return True

    def show(self, only: int) -> None:
        """Tell one client how it stands (observed: whoever resumes a thread hears of its goal)."""
        if self.is_enabled and self._thread.rollout is not None:
            self._tell(None, only)

    # ---- what goes on by itself

    def pursue(self) -> None:
        """Begin a turn for it, if nothing else goes on."""
        thread, found = self._thread, self.goal
        if found is None or found.status != "active" or self._rests:
            return
        if thread.turn is not None or self.ends:
            return
        thread.turn = GoalTurn(thread, message("developer", _prompt(wording.GOAL, found)))
        thread.nursery.start_soon(thread.turn.run)

    def turn_ended(self, turn: RunningTurn, status: str) -> None:
        """A turn is over, and everybody knows.

        Ours: a failed turn pauses the goal.  The reference server begins the next one at once, as
        fast as the provider refuses it.
        """
        if turn.gives_way:
            return
        with suppress(OSError):  # the turn has told of it
            if status == "interrupted":
                self.account(turn.id)
            if status != "completed":
                self._pause()
        if not turn.steered:  # which a turn of its own is about to take up
            self.pursue()

    def turn_ending(self, turn_id: str) -> None:
        """Nothing more is spent in this turn; what stopped in it is not counted on."""
        with suppress(OSError):
            self.account(turn_id)
        if self.goal is not None and self.goal.status != "active":
            self._since = None

    def _pause(self) -> None:
        if not self._rests and self.goal is not None and self.goal.status == "active":
            self._keep(replace(self.goal, status="paused", updated_at=int(time.time())))
            self._since = None
            self._tell(None)

    # ---- where it is kept

    def _keep(self, fresh: ThreadGoal | None) -> None:
        """Take it on and write it down, in a file that appears with it if there is none."""
        thread = self._thread
        if fresh == self.goal:
            return
        self.goal = fresh
        if thread.rollout is not None:
            appears = not thread.rollout.exists
            thread.rollout.event(goal.event(thread.thread.id, fresh))
            thread.rollout.materialize()
            if appears:
                thread.show()

    def _tell(self, turn_id: str | None, only: int | None = None) -> None:
        id = self._thread.thread.id
        if self.goal is None:
            told = ThreadGoalClearedNotification(thread_id=id)
            self._thread.tell(THREAD_GOAL_CLEARED, told, only)
        else:
            updated = ThreadGoalUpdatedNotification(self.goal, thread_id=id, turn_id=turn_id)
            self._thread.tell(THREAD_GOAL_UPDATED, updated, only)


def _prompt(template: str, found: ThreadGoal) -> str:
    """The objective is the user's text, so it must not look like ours."""
    budget = found.token_budget
    left = None if budget is None else max(budget - found.tokens_used, 0)
    return template.format(
        objective=escape(found.objective, quote=False),
        seconds=found.time_used_seconds,
        tokens=found.tokens_used,
        budget="none" if budget is None else budget,
        left="no limit" if left is None else left,
    )


def check(thread: "LoadedThread") -> None:
    """Raises RpcError when a thread cannot have a goal."""
    if not thread.pursuit.is_enabled:
        raise goal.disabled()
    if thread.rollout is None:
        raise invalid(f"ephemeral thread does not support goals: {thread.thread.id}")


@serves(THREAD_GOAL_SET)
def thread_goal_set(thread: "LoadedThread", params: ThreadGoalSetParams) -> ThreadGoalSetResponse:
    check(thread)
    return ThreadGoalSetResponse(thread.pursuit.set(params))


@serves(THREAD_GOAL_GET)
def thread_goal_get(
    thread: "LoadedThread",
    params: ThreadGoalGetParams,  # noqa: ARG001
) -> ThreadGoalGetResponse:
    check(thread)
    return ThreadGoalGetResponse(thread.pursuit.goal)


@serves(THREAD_GOAL_CLEAR)
def thread_goal_clear(
    thread: "LoadedThread",
    params: ThreadGoalClearParams,  # noqa: ARG001
) -> ThreadGoalClearResponse:
    check(thread)
    return ThreadGoalClearResponse(thread.pursuit.clear())
