"""A provider that plays a written script: for demonstrations, tests and benches.

It says what the script says and nothing else; no model is behind it.  A script is a JSON file: a
list of responses, each a list of steps.  The response is chosen by what the request's input already
holds, so a resumed thread goes on where it was and two threads do not disturb each other.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import trio
from msgspec import Struct

from protocol.errors import DECODE_ERRORS
from workers.events import decode
from workers.provider import ModelRequest, ProviderError, ProviderEvent

DEMO = Path(__file__).with_name("demo.json")
BATCH = 256  # events that leave together when the script makes no pause; what one read brings
END = "The script has come to its end: this provider plays a written script, no model is behind it."

# What a model says itself; all else in a request's input comes from the user or from us.
_SAID = {"reasoning", "function_call", "custom_tool_call", "local_shell_call", "web_search_call"}


class Reasoning(Struct, tag_field="type", tag="reasoning"):
    """A summary of thoughts, word by word.  Pauses are in seconds."""

    text: str
    pause: float = 0.02


class Message(Struct, tag_field="type", tag="message"):
    """What the model says, word by word."""

    text: str
    pause: float = 0.02
    repeat: int = 1  # times that the text is said; for load


class ToolCall(Struct, tag_field="type", tag="tool"):
    name: str
    arguments: dict[str, Any]
    namespace: str | None = None


class Patch(Struct, tag_field="type", tag="patch"):
    """A call of the custom tool `apply_patch`."""

    text: str


class Pause(Struct, tag_field="type", tag="pause"):
    seconds: float


class Tokens(Struct, tag_field="type", tag="usage"):
    """What the response is said to cost; the last one counts."""

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0


Step = Reasoning | Message | ToolCall | Patch | Pause | Tokens
Script = list[list[Step]]
Played = dict[str, Any] | float  # an event of the Responses API, or seconds to wait


def load(path: str | Path) -> Script:
    """Read a script.  Raises ProviderError when there is none at `path`."""
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=Script)
    except (OSError, *DECODE_ERRORS) as error:
        raise ProviderError(f"the script {path} cannot be played: {error}") from error


def choose(script: Script, items: list[dict[str, Any]]) -> tuple[int, list[Step]]:
    """Return the number and the steps of the response that follows a request's `input`."""
    number = sum(
        _is_said(item) and not (place and _is_said(items[place - 1]))
        for place, item in enumerate(items)
    )
    return number, script[number] if number < len(script) else [Message(END, pause=0)]


def play(steps: list[Step], number: int) -> Iterator[Played]:
    """Tell a response as the Responses API would; `number` keeps its ids apart from others'."""
    yield {"type": "response.created", "response": {"id": f"resp_{number}"}}
    tokens = Tokens()
    for place, step in enumerate(steps):
        match step:
            case Pause(seconds):
                yield seconds
            case Tokens():
                tokens = step
            case Reasoning() | Message():
                yield from _told(step, f"{number}_{place}", place)
            case ToolCall() | Patch():
                yield from _called(step, f"{number}_{place}", place)
    usage = _usage(tokens)
    yield {"type": "response.completed", "response": {"id": f"resp_{number}", "usage": usage}}


class ScriptedProvider:
    """Plays a script in this process."""

    def __init__(self, script: Script) -> None:
        self._script = script

    @asynccontextmanager
    async def stream(
        self, request: ModelRequest
    ) -> AsyncGenerator[AsyncIterator[list[ProviderEvent]]]:
        number, steps = choose(self._script, request.body["input"])
        async with aclosing(_batches(steps, number)) as batches:
            yield batches

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


async def _batches(steps: list[Step], number: int) -> AsyncGenerator[list[ProviderEvent]]:
    waiting: list[bytes] = []
    for played in play(steps, number):
        if isinstance(played, dict):
            waiting.append(msgspec.json.encode(played))
        if len(waiting) >= BATCH or (waiting and not isinstance(played, dict)):
            yield decode(waiting).events
            waiting = []
            await trio.lowlevel.checkpoint()
        if not isinstance(played, dict):
            await trio.sleep(played)
    yield decode(waiting).events


def _is_said(item: dict[str, Any]) -> bool:
    return item.get("type") in _SAID or item.get("role") == "assistant"


def _told(step: Reasoning | Message, key: str, place: int) -> Iterator[Played]:
    if isinstance(step, Message):
        id, text, part = f"msg_{key}", step.text * step.repeat, "content"
        item: dict[str, Any] = {"type": "message", "role": "assistant", "id": id}
        whole = {"type": "output_text", "text": text}
        delta = {"type": "response.output_text.delta", "content_index": 0}
    else:
        id, text, part = f"rs_{key}", step.text, "summary"
        item = {"type": "reasoning", "id": id}
        whole = {"type": "summary_text", "text": text}
        delta = {"type": "response.reasoning_summary_text.delta", "summary_index": 0}
    where = {"item_id": id, "output_index": place}
    yield _item("added", {**item, part: []}, place)
    if isinstance(step, Reasoning):
        yield {"type": "response.reasoning_summary_part.added", "summary_index": 0, **where}
    for word in _words(text):
        yield {**delta, **where, "delta": word}
        if step.pause:
            yield step.pause
    yield _item("done", {**item, part: [whole]}, place)


def _called(step: ToolCall | Patch, key: str, place: int) -> Iterator[Played]:
    item: dict[str, Any] = {"id": f"call_{key}", "call_id": f"call_{key}"}
    if isinstance(step, Patch):
        item |= {"type": "custom_tool_call", "name": "apply_patch", "input": step.text}
    else:
        arguments = msgspec.json.encode(step.arguments).decode()
        item |= {"type": "function_call", "name": step.name, "arguments": arguments}
        item |= {"namespace": step.namespace} if step.namespace else {}
    yield _item("done", item, place)


def _item(event: str, item: dict[str, Any], place: int) -> dict[str, Any]:
    return {"type": f"response.output_item.{event}", "output_index": place, "item": item}


def _words(text: str) -> list[str]:
    """Cut after each space, so that the pieces joined are the text."""
    pieces = text.split(" ")
    return [*(f"{piece} " for piece in pieces[:-1]), *filter(None, pieces[-1:])]


def _usage(tokens: Tokens) -> dict[str, Any]:
    return {
        "input_tokens": tokens.input,
        "input_tokens_details": {"cached_tokens": tokens.cached},
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.input + tokens.output,
    }
