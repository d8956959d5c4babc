"""What the tools for agents have in common: ids and inputs of the model's, and the item shown."""

import uuid
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from protocol.errors import MAX_INPUT_CHARS
from protocol.item import (
    CollabAgentState,
    CollabAgentTool,
    CollabAgentToolCall,
    ImageInput,
    LocalImageInput,
    MentionInput,
    SkillInput,
    TextInput,
    UserInput,
)
from protocol.model import ReasoningEffort
from workers.tools import Call, ToolFailure, Turn

DEPTH_REACHED = "Agent depth limit reached. Solve the task yourself."  # observed


class Text(Struct, tag_field="type", tag="text"):
    text: str


class Image(Struct, tag_field="type", tag="image"):
    image_url: str


class LocalImage(Struct, tag_field="type", tag="local_image"):
    path: str


class Skill(Struct, tag_field="type", tag="skill"):
    name: str
    path: str


class Mention(Struct, tag_field="type", tag="mention"):
    name: str
    path: str


Given = Text | Image | LocalImage | Skill | Mention


def inputs(message: str | None, items: list[Given] | None) -> list[UserInput]:
    """What the model wants an agent to read.  Raises ToolFailure in the reference's words."""
    if message is not None and items is not None:
        raise ToolFailure("Provide either message or items, but not both")
    if message is not None:
        if not message.strip():
            raise ToolFailure("Empty message can't be sent to an agent")
        items = [Text(message)]
    if items is None:
        raise ToolFailure("Provide one of: message or items")
    if not items:
        raise ToolFailure("Items can't be empty")
    if sum(len(item.text) for item in items if isinstance(item, Text)) > MAX_INPUT_CHARS:
        raise ToolFailure(f"The text is longer than {MAX_INPUT_CHARS} characters")
    return [_input(item) for item in items]


def _input(item: Given) -> UserInput:
    match item:
        case Text(text):
            return TextInput(text)
        case Image(url):
            return ImageInput(url)
        case LocalImage(path):
            return LocalImageInput(path)
        case Skill(name, path):
            return SkillInput(name, path)
        case Mention(name, path):
            return MentionInput(name, path)


def preview(given: list[UserInput]) -> str:
    """The input in one text, as clients are shown it (observed)."""
    return "\n".join(_shown(item) for item in given)


def _shown(item: UserInput) -> str:
    match item:
        case TextInput(text):
            return text
        case ImageInput():
            return "[image]"
        case LocalImageInput(path):
            return f"[local_image:{path}]"
        case SkillInput(name, path):
            return f"[skill:${name}]({path})"
        case MentionInput(name, path):
            return f"[mention:${name}]({path})"


def agent_id(text: str) -> str:
    """Raises ToolFailure when the text cannot be a thread's id."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise ToolFailure(f"invalid agent id {text[:64]}: it is not a UUID") from None


def begin(
    turn: Turn,
    call: Call,
    tool: CollabAgentTool,
    receivers: Sequence[str] = (),
    *,
    prompt: str | None = None,
    model: str | None = None,
    effort: ReasoningEffort | None = None,
) -> CollabAgentToolCall:
    """Tell that the call has begun."""
    item = CollabAgentToolCall(
        agents_states={},
        id=call.id,
        receiver_thread_ids=[*receivers],
        sender_thread_id=turn.thread_id,
        status="inProgress",
        tool=tool,
        model=model,
        prompt=prompt,
        reasoning_effort=effort,
    )
    turn.started(item)
    return item


def finish(
    turn: Turn,
    item: CollabAgentToolCall,
    states: dict[str, CollabAgentState],
    *,
    failed: bool = False,
) -> None:
    """Tell how it ended; an agent that fares badly makes it a failure (observed)."""
    ill = any(state.status in ("errored", "notFound") for state in states.values())
    done = replace(
        item,
        agents_states=states,
        receiver_thread_ids=list(states),
        status="failed" if failed or ill else "completed",
    )
    turn.completed(done)


def as_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def function(
    name: str, description: str, properties: dict[str, Any], *required: str
) -> dict[str, Any]:
    """One entry of a request's `tools`."""
    return {
        "type": "function",
        "name": name,
        "description": description,
        "strict": False,
        "parameters": {
            "type": "object",
            "properties": properties,
            **({"required": list(required)} if required else {}),
            "additionalProperties": False,
        },
    }


def _string(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description}


MESSAGE = _string("The task in plain text.  Give this or items, not both.")
ITEMS = {
    "type": "array",
    "description": "The task in parts, where a text is not enough.",
    "items": {
        "type": "object",
        "properties": {
            "type": _string("text, image, local_image, skill or mention."),
            "text": _string("Of a text."),
            "image_url": _string("Of an image."),
            "path": _string("Of a local_image or a skill; of a mention, what it stands for."),
            "name": _string("Of a skill or a mention."),
        },
        "additionalProperties": False,
    },
}
TARGET = _string("The agent's id, from spawn_agent.")
