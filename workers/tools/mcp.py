"""Tools of MCP servers: the model calls, the server does it, the clients see it as an item.

A tool that changes something, by its own account, is asked about first.
"""

from typing import Any

import msgspec
import trio
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from protocol.errors import DECODE_ERRORS
from protocol.item import McpToolCall, McpToolCallError, McpToolCallResult
from protocol.mcp import McpToolCallProgressNotification
from protocol.methods import MCP_TOOL_CALL_PROGRESS
from workers.hooks.subject import of_mcp
from workers.mcp.approval import refusal
from workers.mcp.server import Json, McpRefusal, Server
from workers.tools import Call, Content, ToolFailure, Turn
from workers.tools.output import MAX_OUTPUT_TOKENS, elided

_encode = msgspec.json.Encoder().encode


async def serve_mcp(server: Server, told: Json, turn: Turn, call: Call) -> Content:
    """`told` is what the server says of the tool.  Raises ToolFailure for arguments that are no
    JSON."""
    item = McpToolCall(
        arguments=_arguments(call),
        id=call.id,
        server=server.name,
        status="inProgress",
        tool=told["name"],
        mcp_app_resource_uri=_app(told),
    )
    subject = of_mcp(call.id, server.name, item.tool, item.arguments)
    await turn.hooks.before(turn, subject)
    turn.started(item)
    begun = trio.current_time()
    if (refused := await refusal(turn, server, told, item)) is None:
        done = await _do(server, turn, item)
    else:
        done = _failed(item, refused)
    seconds = trio.current_time() - begun
    turn.completed(replace(done, duration_ms=round(seconds * 1000)))
    told_model = _content(done, seconds)
    if done.status != "completed":
        return told_model
    return await turn.hooks.after(turn, subject, done.result, told_model)


def _arguments(call: Call) -> Any:
    try:
        return msgspec.json.decode(call.arguments) if call.arguments.strip() else None
    except DECODE_ERRORS as error:
        raise ToolFailure(f"failed to parse function arguments: {error}") from None


def _app(told: Json) -> str | UnsetType:
    """The page that an app of the tool has, where it names one (MCP apps extension)."""
    match told.get("_meta"):
        case {"ui": {"resourceUri": str(uri)}} | {"ui/resourceUri": str(uri)}:
            return uri
        case _:
            return UNSET


async def _do(server: Server, turn: Turn, item: McpToolCall) -> McpToolCall:
    def progress(message: str) -> None:
        said = McpToolCallProgressNotification(
            item_id=item.id, message=message, thread_id=turn.thread_id, turn_id=turn.id
        )
        turn.tell(MCP_TOOL_CALL_PROGRESS, said)

    server.turn_id = turn.id
    try:
        answer = await server.call(item.tool, item.arguments, progress=progress)
    except McpRefusal as error:
        return _failed(item, f"tool call error: {error}")
    finally:
        server.turn_id = None
    result = McpToolCallResult(
        content=answer["content"],
        structured_content=answer.get("structuredContent"),
        _meta=answer.get("_meta"),
    )
    return replace(item, status="failed" if answer.get("isError") else "completed", result=result)


def _failed(item: McpToolCall, why: str) -> McpToolCall:
    return replace(item, status="failed", error=McpToolCallError(why))


def _content(done: McpToolCall, seconds: float) -> Content:
    """What the model is given: the structured answer if there is one, else the parts (observed)."""
    head = f"Wall time: {seconds:.4f} seconds\nOutput:"
    result = done.result or McpToolCallResult([_text(done.error.message if done.error else "")])
    if result.structured_content is None and any(_image(part) for part in result.content):
        parts = [_part(part) for part in result.content]
        return [{"type": "input_text", "text": head}, *parts]
    plain = result.content if result.structured_content is None else result.structured_content
    return f"{head}\n{elided(_encode(plain).decode(), MAX_OUTPUT_TOKENS)}"


def _text(text: str) -> Json:
    return {"type": "text", "text": text}


def _image(part: Any) -> str | None:
    match part:
        case {"type": "image", "data": str(data), "mimeType": str(kind)}:
            return data if data.startswith("data:") else f"data:{kind};base64,{data}"
        case _:
            return None


def _part(part: Any) -> Json:
    if (url := _image(part)) is not None:
        return {"type": "input_image", "image_url": url, "detail": "high"}
    match part:
        case {"type": "text", "text": str(text)}:
            return {"type": "input_text", "text": elided(text, MAX_OUTPUT_TOKENS)}
        case _:
            text = elided(_encode(part).decode(), MAX_OUTPUT_TOKENS)
            return {"type": "input_text", "text": text}
