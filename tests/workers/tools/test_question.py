"""request_user_input as a client and a model see it."""

import json
from types import SimpleNamespace

import msgspec
import pytest

from protocol.methods import USER_INPUT
from protocol.model import CollaborationMode, CollaborationSettings
from protocol.question import (
    ToolRequestUserInputAnswer,
    ToolRequestUserInputOption,
    ToolRequestUserInputParams,
    ToolRequestUserInputQuestion,
    ToolRequestUserInputResponse,
)
from workers.tools import Call, ToolFailure, Unasked
from workers.tools.question import EVERYWHERE, REQUEST_USER_INPUT

PLAN_MODE = CollaborationMode("plan", CollaborationSettings("m"))
OPTION = {"label": "Red", "description": "A warm one"}
COLOUR = {"id": "colour", "header": "Colour", "question": "Which?", "options": [OPTION]}
BLUE = ToolRequestUserInputResponse({"colour": ToolRequestUserInputAnswer(["Blue"])})


async def call(questions, answer=BLUE, mode=PLAN_MODE, features=()):
    """What the model gets, and what the client was asked."""
    asked = []

    async def ask(row, params):
        asked.append((row, params))
        if isinstance(answer, Exception):
            raise answer
        return answer

    settings = SimpleNamespace(collaboration_mode=mode, feature=lambda name: name in features)
    turn = SimpleNamespace(id="turn", thread_id="thread", settings=settings, ask=ask)
    given = Call("c1", "request_user_input", json.dumps({"questions": questions}))
    return await REQUEST_USER_INPUT.serve(turn, given), asked


async def test_the_user_is_asked_and_the_model_gets_the_answers():
    """Observed: another answer than the options is always offered."""
    output, asked = await call([{**COLOUR, "isSecret": True, "isOther": False}])

    option = ToolRequestUserInputOption("A warm one", "Red")
    question = ToolRequestUserInputQuestion(
        "Colour", "colour", "Which?", is_other=True, is_secret=True, options=[option]
    )
    params = ToolRequestUserInputParams("c1", [question], "thread", "turn")
    assert asked == [(USER_INPUT, params)]
    assert output == '{"answers":{"colour":{"answers":["Blue"]}}}'


@pytest.mark.parametrize("problem", [Unasked("the user has left"), msgspec.ValidationError("?")])
async def test_without_an_answer_there_are_none(problem):
    """Observed: an error and a malformed answer are the same to the model."""
    assert (await call([COLOUR], problem))[0] == '{"answers":{}}'


@pytest.mark.parametrize("mode", [None, CollaborationMode("default", CollaborationSettings("m"))])
async def test_it_is_for_plan_mode(mode):
    """Observed; ours: its feature lifts the bound."""
    with pytest.raises(ToolFailure, match="^request_user_input is unavailable in Default mode$"):
        await call([COLOUR], mode=mode)

    _, asked = await call([COLOUR], mode=mode, features=[EVERYWHERE])
    assert len(asked) == 1


@pytest.mark.parametrize("options", [None, []])
async def test_a_question_needs_options(options):
    """Observed."""
    with pytest.raises(ToolFailure, match="requires non-empty options for every question"):
        await call([COLOUR, {**COLOUR, "options": options}])


async def test_wrong_arguments_are_named():
    """Observed."""
    with pytest.raises(ToolFailure, match="missing field `header`"):
        await call([{"id": "x"}])
