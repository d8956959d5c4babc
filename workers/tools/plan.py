"""`update_plan`: the model's list of steps, shown to the client and kept nowhere else."""

from typing import Literal

from msgspec import Struct

from protocol.methods import TURN_PLAN_UPDATED
from protocol.turn import TurnPlanStep, TurnPlanStepStatus, TurnPlanUpdatedNotification
from workers.tools import Call, Content, Tool, ToolFailure, Turn
from workers.tools.arguments import arguments

Status = Literal["pending", "in_progress", "completed"]

_ON_THE_WIRE: dict[Status, TurnPlanStepStatus] = {
    "pending": "pending",
    "in_progress": "inProgress",
    "completed": "completed",
}


class _Step(Struct, forbid_unknown_fields=True):
    step: str
    status: Status


class _Arguments(Struct, forbid_unknown_fields=True):
    plan: list[_Step]
    explanation: str | None = None


async def _serve(turn: Turn, call: Call) -> Content:
    mode = turn.settings.collaboration_mode
    if mode is not None and mode.mode == "plan":
        raise ToolFailure("update_plan is a TODO/checklist tool and is not allowed in Plan mode")
    given = arguments(_Arguments, call.arguments)
    steps = [TurnPlanStep(_ON_THE_WIRE[step.status], step.step) for step in given.plan]
    params = TurnPlanUpdatedNotification(steps, turn.thread_id, turn.id, given.explanation)
    turn.tell(TURN_PLAN_UPDATED, params)
    return "Plan updated"


_STEP = {
    "type": "object",
    "properties": {
        "step": {"type": "string", "description": "What is to be done, in a few words."},
        "status": {"type": "string", "description": "pending, in_progress or completed."},
    },
    "required": ["step", "status"],
    "additionalProperties": False,
}

UPDATE_PLAN = Tool(
    {
        "type": "function",
        "name": "update_plan",
        "description": (
            "Shows the user the steps of the task and how far each one is.  Every call gives the "
            "whole list anew.  At most one step is in_progress at a time."
        ),
        "strict": False,
        "parameters": {
            "type": "object",
            "properties": {
                "explanation": {
                    "type": "string",
                    "description": "Why the plan has changed; may be left out.",
                },
                "plan": {"type": "array", "items": _STEP, "description": "All steps, in order."},
            },
            "required": ["plan"],
            "additionalProperties": False,
        },
    },
    _serve,
)
