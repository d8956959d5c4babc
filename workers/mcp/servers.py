"""The MCP servers of one thread: what they offer to its model, and what they ask of its clients."""

import re
from functools import partial
from typing import TYPE_CHECKING

import trio
from msgspec import UNSET

from protocol.errors import DECODE_ERRORS, INTERNAL_ERROR, RpcError
from protocol.frames import Allow
from protocol.mcp import (
    McpResourceReadParams,
    McpResourceReadResponse,
    McpServerElicitationRequestParams,
    McpServerToolCallParams,
    McpServerToolCallResponse,
)
from protocol.methods import MCP_ELICITATION, MCP_RESOURCE_READ, MCP_TOOL_CALL
from protocol.policy import AskForApproval, GranularApproval
from protocol.settings import McpServer
from workers.mailbox import serves_later
from workers.mcp.connectors import place
from workers.mcp.server import Json, McpRefusal, Server
from workers.tools import Call, Tool, Unasked

if TYPE_CHECKING:
    from workers.thread import LoadedThread

NAME_CHARS = 64  # of a function, the Responses API's bound


class Servers:
    """`granted` are the tools that the user allows for the session, as (server, tool)."""

    def __init__(self, thread: "LoadedThread") -> None:
        self.granted: set[tuple[str, str]] = set()
        self._thread = thread
        self._servers: dict[str, Server] = {}
        self._tools: dict[tuple[str | None, str], Tool] | None = None
        self._about: dict[str, str] = {}  # of each namespace
        self._wanted: dict[str, McpServer] | None = None
        self._started = False

    # ---- their lives

    def start(self) -> None:
        """Start those of the settings, once, beside whatever the thread does."""
        if not self._started:
            self._started = True
            for name, spec in self._thread.settings.mcp_servers.items():
                if spec.enabled:
                    self._start(name, spec)

    def _start(self, name: str, spec: McpServer) -> None:
        self._servers[name] = server = Server(self._thread, name, spec)
        self._tools = None
        self._thread.nursery.start_soon(server.run)

    def replace(self, wanted: dict[str, McpServer]) -> None:
        """Use another configuration, from the next turn on."""
        self._wanted = wanted

    async def prepare(self) -> None:
        """For a turn: what is configured runs, or it is known why not."""
        self.start()
        if self._wanted is not None:
            wanted, self._wanted = self._wanted, None
            await self._change(wanted)
        for name, server in list(self._servers.items()):
            if server.is_lost:
                self._start(name, server.spec)
        for server in self._servers.values():
            await server.settled.wait()

    async def _change(self, wanted: dict[str, McpServer]) -> None:
        on = {name: spec for name, spec in wanted.items() if spec.enabled}
        gone = [s for name, s in self._servers.items() if on.get(name) != s.spec]
        await _close(gone)
        for server in gone:
            del self._servers[server.name]
        for name, spec in on.items():
            if name not in self._servers:
                self._start(name, spec)

    async def aclose(self) -> None:
        await _close(list(self._servers.values()))

    def keep(self, allowed: Allow) -> None:
        """Have the configuration say that a tool needs no approval any more."""
        self._thread.link.send(allowed)

    # ---- what the model is offered

    @property
    def any(self) -> bool:
        return bool(self._servers)

    def named(self, name: str) -> Server:
        """Raises McpRefusal."""
        if (server := self._servers.get(name)) is None:
            raise McpRefusal(f"unknown MCP server '{name}'")
        return server

    @property
    def all(self) -> list[Server]:
        return [self._servers[name] for name in sorted(self._servers)]

    def find(self, call: Call) -> Tool | None:
        return self._catalogue().get((call.namespace, call.name))

    def offered(self) -> list[Json]:
        """One namespace for each server that has tools."""
        groups: dict[str, list[Json]] = {}
        for (namespace, _), tool in self._catalogue().items():
            groups.setdefault(namespace or "", []).append(tool.spec)
        return [_namespace(name, self._about[name], specs) for name, specs in groups.items()]

    def _catalogue(self) -> dict[tuple[str | None, str], Tool]:
        if self._tools is None:
            self._tools = {}
            for server in self.all:
                for name in sorted(server.tools):
                    self._offer(self._tools, server, server.tools[name])
            if not all(server.settled.is_set() for server in self._servers.values()):
                found, self._tools = self._tools, None
                return found
        return self._tools

    def _offer(self, found: dict[tuple[str | None, str], Tool], server: Server, told: Json) -> None:
        """Of two tools whose names come out alike the first is kept."""
        from workers.tools.mcp import serve_mcp  # noqa: PLC0415 - it imports what imports us

        namespace, name, about = place(f"mcp__{identifier(server.name)}__", told)
        key = (identifier(namespace), identifier(name))
        self._about[key[0]] = about or f"Tools of the MCP server {server.name}."
        if key not in found:
            found[key] = Tool(
                _function(key[1], told),
                partial(serve_mcp, server, told),
                alone=not server.spec.supports_parallel_tool_calls,
            )

    # ---- what they ask

    async def elicit(self, server: Server, asked: Json) -> Json:
        """Ask the clients, where the user wants to be asked; else decline (observed)."""
        if not asks(self._thread.settings.approval_policy):
            return {"action": "decline"}
        known = {"message", "mode", "requestedSchema", "url", "elicitationId", "_meta"}
        told = {key: value for key, value in asked.items() if key in known}
        params = elicitation(self._thread.thread.id, server.turn_id, server.name, told)
        try:
            answer = await self._thread.questions.ask(MCP_ELICITATION, params)
        except (Unasked, *DECODE_ERRORS):
            return {"action": "cancel"}
        if answer.action != "accept":
            return {"action": answer.action}
        return {"action": "accept", "content": answer.content or {}}


async def _close(servers: list[Server]) -> None:
    async with trio.open_nursery() as nursery:
        for server in servers:
            nursery.start_soon(server.close)


def elicitation(
    thread_id: str, turn_id: str | None, server: str, asked: Json
) -> McpServerElicitationRequestParams:
    """The question as clients get it; `asked` is the server's own JSON."""
    params = McpServerElicitationRequestParams(
        thread_id=thread_id,
        turn_id=turn_id,
        server_name=server,
        mode="url" if asked.get("mode") == "url" else "form",
        meta=asked.get("_meta"),
        message=asked["message"],
    )
    if params.mode == "url":
        params.url, params.elicitation_id = asked["url"], asked.get("elicitationId") or ""
    else:
        params.requested_schema = asked["requestedSchema"]
    return params


def asks(policy: AskForApproval) -> bool:
    match policy:
        case GranularApproval(granular=granular):
            return granular.mcp_elicitations
        case _:
            return policy != "never"


def identifier(name: str) -> str:
    """A name as the Responses API takes it; a long one keeps its end, which tells it apart."""
    clean = re.sub(r"[^a-zA-Z0-9_-]", "_", name) or "_"
    return clean if len(clean) <= NAME_CHARS else clean[-NAME_CHARS:]


def _function(name: str, told: Json) -> Json:
    parameters: Json = {"type": "object", "properties": {}, **told["inputSchema"]}
    return {
        "type": "function",
        "name": name,
        "description": told.get("description") or "",
        "strict": False,
        "parameters": {key: value for key, value in parameters.items() if key != "$schema"},
    }


def _namespace(name: str, about: str, specs: list[Json]) -> Json:
    return {"type": "namespace", "name": name, "description": about, "tools": specs}


# ---- what clients ask


@serves_later(MCP_TOOL_CALL)
async def mcp_tool_call(
    thread: "LoadedThread", params: McpServerToolCallParams
) -> McpServerToolCallResponse:
    """On the user's own word, so nobody is asked for approval."""
    thread.servers.start()
    try:
        server = thread.servers.named(params.server)
        told = await server.call(params.tool, params.arguments, params.meta)
    except McpRefusal as error:
        raise RpcError(INTERNAL_ERROR, str(error)) from None
    return McpServerToolCallResponse(
        content=told["content"],
        structured_content=told.get("structuredContent", UNSET),
        is_error=told.get("isError", UNSET),
        meta=told.get("_meta", UNSET),
    )


@serves_later(MCP_RESOURCE_READ)
async def mcp_resource_read(
    thread: "LoadedThread", params: McpResourceReadParams
) -> McpResourceReadResponse:
    thread.servers.start()
    try:
        told = await thread.servers.named(params.server).read(params.uri)
    except McpRefusal as error:
        raise RpcError(INTERNAL_ERROR, str(error)) from None
    return McpResourceReadResponse(contents=told["contents"])
