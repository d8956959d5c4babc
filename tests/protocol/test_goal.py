"""What a client may make of a goal, and what a file says of one."""

import pytest
from msgspec.structs import replace

from protocol import goal
from protocol.errors import RpcError
from protocol.goal import ThreadGoalSetParams, begun, changed
from protocol.rollout import encode, line

THREAD, OTHER = "019a0000-0000-7000-8000-000000000001", "019a0000-0000-7000-8000-000000000002"
SHIP = replace(begun(THREAD, "Ship it", None, 100), tokens_used=30, time_used_seconds=7)


def wanted(found, **params):
    return changed(found, ThreadGoalSetParams(THREAD, **params), 200)


def test_a_new_goal_is_active_and_has_cost_nothing():
    """Observed."""
    assert wanted(None, objective="  Ship it ") == begun(THREAD, "Ship it", None, 200)


def test_another_objective_is_another_goal():
    """Observed: its cost begins at zero, and the old one's budget is gone with it."""
    fresh = wanted(replace(SHIP, token_budget=50), objective="Sell it", status="paused")

    assert fresh == begun(THREAD, "Sell it", None, 200, "paused")


def test_the_same_objective_changes_the_goal_that_there_is():
    """Observed: status and cost stay as they are."""
    paused = replace(SHIP, status="paused")

    assert wanted(paused, objective="Ship it") == paused
    assert wanted(paused, objective="Ship it", token_budget=90).tokens_used == 30


def test_the_same_objective_after_its_completion_begins_anew():
    """Observed."""
    assert wanted(replace(SHIP, status="complete"), objective="Ship it").tokens_used == 0


@pytest.mark.parametrize("change", [{"status": "active"}, {"token_budget": 30}])
def test_a_goal_that_has_spent_its_budget_cannot_be_active(change):
    """Observed: neither by its status nor by a lower budget."""
    assert wanted(replace(SHIP, token_budget=30), **change).status == "budgetLimited"


def test_more_budget_does_not_wake_a_stopped_goal():
    """Observed: the client says so itself, with `active`."""
    stopped = replace(SHIP, token_budget=30, status="budgetLimited")

    assert wanted(stopped, token_budget=90).status == "budgetLimited"
    assert wanted(replace(stopped, token_budget=90), status="active").status == "active"


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"status": "paused"}, f"cannot update goal for thread {THREAD}: no goal exists"),
        ({}, f"cannot update goal for thread {THREAD}: no goal exists"),
        ({"objective": " \n"}, "goal objective must not be empty"),
        ({"objective": "x" * 4001}, "goal objective must be at most 4000 characters"),
        ({"objective": "x", "token_budget": 0}, "goal budgets must be positive when provided"),
        ({"objective": "x", "token_budget": -5}, "goal budgets must be positive when provided"),
    ],
)
def test_what_makes_no_goal_is_refused(params, problem):
    """Observed: in these words."""
    with pytest.raises(RpcError) as refused:
        wanted(None, **params)
    assert refused.value.message == problem


def told(thread_id, found) -> bytes:
    return encode(line("event_msg", goal.event(thread_id, found)))


def test_a_file_says_the_last_thing_of_its_own_thread(tmp_path):
    """Ours: a fork's file holds its source's lines too, and a line may be torn."""
    file = tmp_path / "rollout.jsonl"
    lines = [told(THREAD, SHIP), told(OTHER, replace(SHIP, objective="Not mine"))]
    file.write_bytes(b"".join(lines) + told(THREAD, SHIP)[:-40] + b"\n{}\n")
    assert goal.read(str(file), THREAD) == SHIP

    file.write_bytes(file.read_bytes() + told(OTHER, None) + told(THREAD, None))
    assert goal.read(str(file), THREAD) is None
