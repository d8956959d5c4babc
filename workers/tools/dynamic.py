"""Dynamic tools: the model calls, a client does it, and both sides see it as an item.

A call waits for the client as long as it takes; nobody's approval is asked, for it is the client
that acts.
"""

from typing import Any, cast

import msgspec
import trio
from msgspec.structs import replace

from protocol.dynamic import DynamicToolCallParams, DynamicToolCallResponse
from protocol.errors import DECODE_ERRORS
from protocol.item import DynamicToolCall, DynamicToolContent, InputTextContent
from protocol.methods import DYNAMIC_TOOL_CALL
from protocol.thread import DynamicToolSpec
from workers.tools import Call, Content, Tool, ToolFailure, Turn, Unasked


class DynamicTools:
    """Those of one thread, by namespace and name."""

    def __init__(self, specs: list[DynamicToolSpec]) -> None:
        self._tools = {
            (spec.namespace, spec.name): Tool(_function(spec), serve_dynamic) for spec in specs
        }

    def find(self, call: Call) -> Tool | None:
        return self._tools.get((call.namespace, call.name))

    def offered(self, taken: set[str]) -> list[dict[str, Any]]:
        """What a request's `tools` says of them: each as given, then those in namespaces.

        `taken` are names that have a meaning already; two tools of a name are refused.
        """
        alone: list[dict[str, Any]] = []
        groups: dict[str, list[dict[str, Any]]] = {}
        for (namespace, name), tool in self._tools.items():
            if namespace is not None:
                groups.setdefault(namespace, []).append(tool.spec)
            elif name not in taken:
                alone.append(tool.spec)
        return alone + [_namespace(name, specs) for name, specs in groups.items()]


def _function(spec: DynamicToolSpec) -> dict[str, Any]:
    return {
        "type": "function",
        "name": spec.name,
        "description": spec.description,
        "strict": False,
        "parameters": _parameters(spec.input_schema),
    }


def _parameters(schema: Any) -> dict[str, Any]:
    """The schema as given, completed to the object that a provider insists on."""
    given = cast("dict[str, Any]", schema) if isinstance(schema, dict) else {}
    if given.get("type", "object") != "object":
        return given
    return {"type": "object", "properties": {}, **given}


def _namespace(name: str, specs: list[dict[str, Any]]) -> dict[str, Any]:
    about = f"Tools of the client, named {name} by it."
    return {"type": "namespace", "name": name, "description": about, "tools": specs}


# ---- a call


async def serve_dynamic(turn: Turn, call: Call) -> Content:
    """Let the client do it.  Raises ToolFailure when the arguments are no JSON."""
    item = DynamicToolCall(
        arguments=_arguments(call),
        id=call.id,
        status="inProgress",
        tool=call.name,
        namespace=call.namespace,
    )
    turn.started(item)
    begun = trio.current_time()
    answer = await _ask(turn, item)
    done = replace(
        item,
        status="completed" if answer.success else "failed",
        content_items=answer.content_items,
        success=answer.success,
        duration_ms=round((trio.current_time() - begun) * 1000),
    )
    turn.completed(done)
    return _content(answer.content_items)


def _arguments(call: Call) -> Any:
    try:
        return msgspec.json.decode(call.arguments or "{}")
    except DECODE_ERRORS as error:
        raise ToolFailure(f"failed to parse function arguments: {error}") from None


async def _ask(turn: Turn, item: DynamicToolCall) -> DynamicToolCallResponse:
    """The client's answer; without a usable one, a failure that says so (observed)."""
    params = DynamicToolCallParams(
        arguments=item.arguments,
        call_id=item.id,
        thread_id=turn.thread_id,
        tool=item.tool,
        turn_id=turn.id,
        namespace=item.namespace,
    )
    try:
        return await turn.ask(DYNAMIC_TOOL_CALL, params)
    except Unasked:
        problem = "dynamic tool request failed"
    except DECODE_ERRORS:
        problem = "dynamic tool response was invalid"
    return DynamicToolCallResponse([InputTextContent(problem)], success=False)


def _content(items: list[DynamicToolContent]) -> Content:
    """What the model is given: one text as it is, else content items (observed)."""
    match items:
        case [InputTextContent(text=text)]:
            return text
        case _:
            return [_part(item) for item in items]


def _part(item: DynamicToolContent) -> dict[str, Any]:
    match item:
        case InputTextContent(text=text):
            return {"type": "input_text", "text": text}
        case _:
            return {"type": "input_image", "image_url": item.image_url, "detail": "high"}
