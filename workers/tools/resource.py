"""What MCP servers have to read: listed and read by the model, without approval (observed)."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import trio
from msgspec import Struct
from msgspec.structs import replace

from protocol.item import McpToolCall, McpToolCallError, McpToolCallResult
from workers.mcp.server import Json, McpRefusal
from workers.mcp.servers import Servers
from workers.tools import Call, Content, Tool, ToolFailure, Turn
from workers.tools.arguments import arguments
from workers.tools.output import MAX_OUTPUT_TOKENS, elided

_encode = msgspec.json.Encoder().encode


class Listing(Struct):
    server: str | None = None
    cursor: str | None = None


class Reading(Struct):
    server: str
    uri: str


async def list_mcp_resources(servers: Servers, asked: Listing) -> Json:
    return await _list(servers, asked, "resources")


async def list_mcp_resource_templates(servers: Servers, asked: Listing) -> Json:
    return await _list(servers, asked, "resourceTemplates")


async def _list(servers: Servers, asked: Listing, key: str) -> Json:
    """A page of one server, or everything of all that are well.  Raises McpRefusal."""
    if asked.server is not None:
        server = servers.named(asked.server)
        page = await server.page(key, asked.cursor)
        told: Json = {"server": server.name, key: _marked(page[key], server.name)}
        return told | ({"nextCursor": page["nextCursor"]} if page.get("nextCursor") else {})
    if asked.cursor is not None:
        raise McpRefusal("cursor can only be used when a server is specified")
    found: list[Json] = []
    for server in servers.all:
        if server.problem is None:
            found += _marked((await server.page(key, None))[key], server.name)
    return {key: found}


def _marked(items: list[Json], server: str) -> list[Json]:
    return [{"server": server, **item} for item in items]


async def read_mcp_resource(servers: Servers, asked: Reading) -> Json:
    read = await servers.named(asked.server).read(asked.uri)
    return {"server": asked.server, "uri": asked.uri, **read}


def _serving(shape: type[Any], do: Callable[[Servers, Any], Awaitable[Json]]) -> Any:
    async def serve(turn: Turn, call: Call) -> Content:
        asked = arguments(shape, call.arguments or "{}")
        item = McpToolCall(
            arguments=msgspec.json.decode(call.arguments or "{}"),
            id=call.id,
            server=getattr(asked, "server", None) or "codex",
            status="inProgress",
            tool=call.name,
        )
        turn.started(item)
        begun = trio.current_time()
        try:
            text = _encode(await do(turn.servers, asked)).decode()
        except McpRefusal as error:
            done = replace(item, status="failed", error=McpToolCallError(str(error)))
            turn.completed(replace(done, duration_ms=round((trio.current_time() - begun) * 1000)))
            raise ToolFailure(str(error)) from None
        result = McpToolCallResult([{"type": "text", "text": text}])
        done = replace(item, status="completed", result=result)
        turn.completed(replace(done, duration_ms=round((trio.current_time() - begun) * 1000)))
        return elided(text, MAX_OUTPUT_TOKENS)

    return serve


def _tool(
    do: Callable[[Servers, Any], Awaitable[Json]],
    shape: type[Any],
    about: str,
    required: list[str],
    **parameters: str,
) -> Tool:
    properties = {
        name: {"type": "string", "description": text} for name, text in parameters.items()
    }
    schema: Json = {"type": "object", "properties": properties, "additionalProperties": False}
    spec = {
        "type": "function",
        "name": do.__name__,
        "description": about,
        "strict": False,
        "parameters": schema | ({"required": required} if required else {}),
    }
    return Tool(spec, _serving(shape, do), known=False)


_SERVER = "The name of an MCP server; all of them if it is left out."
_CURSOR = "Where to go on, from the answer before; only with `server`."

LIST_MCP_RESOURCES = _tool(
    list_mcp_resources,
    Listing,
    "List what MCP servers have to read: files, schemas, whatever else gives context.",
    [],
    server=_SERVER,
    cursor=_CURSOR,
)
LIST_MCP_RESOURCE_TEMPLATES = _tool(
    list_mcp_resource_templates,
    Listing,
    "List the templates of MCP servers: addresses with parameters that can be read when filled in.",
    [],
    server=_SERVER,
    cursor=_CURSOR,
)
READ_MCP_RESOURCE = _tool(
    read_mcp_resource,
    Reading,
    "Read one resource of an MCP server.",
    ["server", "uri"],
    server="The name of the MCP server, as it is configured.",
    uri="The address of the resource, as it was listed.",
)
RESOURCE_TOOLS = (LIST_MCP_RESOURCES, LIST_MCP_RESOURCE_TEMPLATES, READ_MCP_RESOURCE)
