"""`request_user_input`: the model asks the user, who picks an answer or gives another.

The answers are for the model; clients see the question itself, and no item.
"""

import msgspec
from msgspec import Struct

from protocol.errors import DECODE_ERRORS
from protocol.methods import USER_INPUT
from protocol.question import (
    ToolRequestUserInputOption,
    ToolRequestUserInputParams,
    ToolRequestUserInputQuestion,
    ToolRequestUserInputResponse,
)
from protocol.settings import Settings
from workers.tools import Call, Content, Tool, ToolFailure, Turn, Unasked
from workers.tools.arguments import arguments

EVERYWHERE = "default_mode_request_user_input"  # the feature that lifts the bound to plan mode


class _Question(Struct):
    id: str
    header: str
    question: str
    options: list[ToolRequestUserInputOption] | None = None
    is_secret: bool = msgspec.field(default=False, name="isSecret")


class _Arguments(Struct):
    questions: list[_Question]


async def _serve(turn: Turn, call: Call) -> Content:
    if not _available(turn.settings):
        raise ToolFailure("request_user_input is unavailable in Default mode")
    given = arguments(_Arguments, call.arguments)
    if not all(question.options for question in given.questions):
        raise ToolFailure("request_user_input requires non-empty options for every question")
    params = ToolRequestUserInputParams(
        item_id=call.id,
        questions=[_shown(question) for question in given.questions],
        thread_id=turn.thread_id,
        turn_id=turn.id,
    )
    try:
        answer = await turn.ask(USER_INPUT, params)
    except (Unasked, *DECODE_ERRORS):  # the model is told the same: no answers (observed)
        answer = ToolRequestUserInputResponse({})
    return msgspec.json.encode(answer).decode()


def _available(settings: Settings) -> bool:
    mode = settings.collaboration_mode
    return (mode is not None and mode.mode == "plan") or settings.feature(EVERYWHERE)


def _shown(question: _Question) -> ToolRequestUserInputQuestion:
    """The user may always give another answer than the model thought of (observed)."""
    return ToolRequestUserInputQuestion(
        header=question.header,
        id=question.id,
        question=question.question,
        is_other=True,
        is_secret=question.is_secret,
        options=question.options,
    )


_OPTION = {
    "type": "object",
    "properties": {
        "label": {"type": "string", "description": "The answer itself, one to five words."},
        "description": {"type": "string", "description": "What choosing it would mean."},
    },
    "required": ["label", "description"],
    "additionalProperties": False,
}

_QUESTION = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "By which you find its answer, in snake_case."},
        "header": {"type": "string", "description": "What it is about, in a word or two."},
        "question": {"type": "string", "description": "The question, in one sentence."},
        "options": {
            "type": "array",
            "items": _OPTION,
            "description": "Two or three answers, the one you advise first.  The user may always "
            "give another one, so leave out any `other`.",
        },
    },
    "required": ["id", "header", "question", "options"],
    "additionalProperties": False,
}

REQUEST_USER_INPUT = Tool(
    {
        "type": "function",
        "name": "request_user_input",
        "description": "Asks the user one to three short questions and waits for the answers.  "
        "In plan mode only.",
        "strict": False,
        "parameters": {
            "type": "object",
            "properties": {"questions": {"type": "array", "items": _QUESTION}},
            "required": ["questions"],
            "additionalProperties": False,
        },
    },
    _serve,
)
