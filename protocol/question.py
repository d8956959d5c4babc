"""What the model asks the user, by way of the `request_user_input` tool."""

from protocol.wire import Wire


class ToolRequestUserInputOption(Wire):
    description: str
    label: str


class ToolRequestUserInputQuestion(Wire):
    """`is_other` offers an answer in the user's own words besides the options."""

    header: str
    id: str
    question: str
    is_other: bool = False
    is_secret: bool = False
    options: list[ToolRequestUserInputOption] | None = None


class ToolRequestUserInputParams(Wire):
    item_id: str
    questions: list[ToolRequestUserInputQuestion]
    thread_id: str
    turn_id: str


class ToolRequestUserInputAnswer(Wire):
    answers: list[str]


class ToolRequestUserInputResponse(Wire):
    """`answers` by the id of the question."""

    answers: dict[str, ToolRequestUserInputAnswer]
