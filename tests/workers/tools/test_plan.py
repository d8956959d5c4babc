"""update_plan as a client and a model see it."""

import json
from types import SimpleNamespace

import pytest

from protocol.model import CollaborationMode, CollaborationSettings
from protocol.turn import TurnPlanStep, TurnPlanUpdatedNotification
from workers.tools import Call, ToolFailure
from workers.tools.plan import UPDATE_PLAN

PLAN_MODE = CollaborationMode("plan", CollaborationSettings("m"))


async def call(arguments, mode=None):
    told = []
    turn = SimpleNamespace(
        id="turn",
        thread_id="thread",
        settings=SimpleNamespace(collaboration_mode=mode),
        tell=lambda row, params: told.append((row.name, params)),
    )
    return await UPDATE_PLAN.serve(turn, Call("c", "update_plan", json.dumps(arguments))), told


async def test_a_plan_is_told_to_the_client_in_the_wires_words():
    """Observed."""
    steps = [("read", "completed"), ("write", "in_progress"), ("rest", "pending")]
    plan = [{"step": step, "status": status} for step, status in steps]
    output, told = await call({"explanation": "Two.", "plan": plan})
    shown = [
        TurnPlanStep("completed", "read"),
        TurnPlanStep("inProgress", "write"),
        TurnPlanStep("pending", "rest"),
    ]
    params = TurnPlanUpdatedNotification(shown, "thread", "turn", "Two.")
    assert (output, told) == ("Plan updated", [("turn/plan/updated", params)])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"plan": [{"step": "x", "status": "paused"}]}, "paused"),
        ({"explanation": "no plan"}, "missing field `plan`"),
        ({"plan": [{"step": "a", "status": "pending", "foo": 1}]}, "foo"),
        ([], "Expected `object`"),
    ],
)
async def test_wrong_arguments_are_named(arguments, message):
    """Observed: unknown fields are refused too."""
    with pytest.raises(ToolFailure, match="failed to parse function arguments: .*" + message):
        await call(arguments)


async def test_plan_mode_refuses_it():
    """Observed."""
    with pytest.raises(ToolFailure, match="not allowed in Plan mode"):
        await call({"plan": []}, PLAN_MODE)
