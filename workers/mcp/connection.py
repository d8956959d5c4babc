"""One session with an MCP server, whichever way it is reached.

Answers stay the server's own JSON: what newer servers say survives.  The SDK has checked their
shape, and what does not fit is an error of the call alone.
"""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Self

import mcp_types as types
import trio
from mcp.client.session import ClientRequestContext, ClientSession
from mcp.shared.exceptions import MCPError
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from pydantic import TypeAdapter, ValidationError

from protocol.settings import Limits, McpServer
from workers.mcp.http import Unset, reached
from workers.mcp.stdio import Log, running

PROTOCOL = "2025-06-18"  # the reference server's
PAGES = 100  # of one list; a server that goes on for ever must not keep us
TOOLS = 1000  # of one server; no model can tell more apart

Json = dict[str, Any]
Elicit = Callable[[Json], Awaitable[Json]]
Progress = Callable[[str], None]

_raw: TypeAdapter[Json] = TypeAdapter(dict[str, Any])


class McpFault(Exception):
    """The server did not do it; the text says why, in the reference server's words."""


class Connection:
    """What an open session is asked.  All of it raises McpFault."""

    def __init__(self, session: Any, closed: trio.Event) -> None:
        self._session = session
        self.closed = closed

    async def tools(self) -> list[Json]:
        listed = await self._pages(types.ListToolsRequest, "tools")
        return listed[:TOOLS]

    async def resources(self) -> list[Json]:
        return await self._pages(types.ListResourcesRequest, "resources")

    async def templates(self) -> list[Json]:
        return await self._pages(types.ListResourceTemplatesRequest, "resourceTemplates")

    async def resource_page(self, cursor: str | None) -> Json:
        return await self._ask(_paged(types.ListResourcesRequest, cursor))

    async def template_page(self, cursor: str | None) -> Json:
        return await self._ask(_paged(types.ListResourceTemplatesRequest, cursor))

    async def read(self, uri: str) -> Json:
        params = types.ReadResourceRequestParams(uri=uri)
        return await self._ask(types.ReadResourceRequest(params=params))

    async def call(
        self, tool: str, arguments: Any, meta: Any = None, progress: Progress | None = None
    ) -> Json:
        params = types.CallToolRequestParams.model_validate(
            {"name": tool, "arguments": arguments, "_meta": meta}, by_name=False
        )

        async def told(done: float, total: float | None, message: str | None) -> None:
            if progress is not None:
                progress(message or _share(done, total))

        return await self._ask(types.CallToolRequest(params=params), told if progress else None)

    async def _pages(self, kind: Any, key: str) -> list[Json]:
        found: list[Json] = []
        cursor: str | None = None
        for _ in range(PAGES):
            page = await self._ask(_paged(kind, cursor))
            found += page[key]
            cursor = page.get("nextCursor")
            if not cursor:
                break
        return found

    async def _ask(self, request: Any, progress: Any = None) -> Json:
        try:
            return await self._session.send_request(request, _raw, progress_callback=progress)
        except MCPError as error:
            raise McpFault(_told(error)) from None
        except ValidationError as error:
            raise McpFault(f"the server's answer is malformed: {_first(error)}") from None
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise McpFault("Transport closed") from None


@asynccontextmanager
async def connect(
    name: str,
    server: McpServer,
    *,
    cwd: str,
    limits: Limits,
    log: Log,
    elicit: Elicit | None,
    auth: Any = None,
    version: str,
) -> AsyncGenerator[Connection]:
    """Open a session; it closes, and a program ends, with the block.

    Raises OSError, Unset, McpFault, or an ExceptionGroup of such; `fault` says what it was.
    """
    closed = trio.Event()

    async def ask(_: ClientRequestContext, params: Any) -> Any:
        assert elicit is not None
        asked = params.model_dump(by_alias=True, mode="json", exclude_unset=True)
        return types.ElicitResult.model_validate(await elicit(asked), by_name=False)

    reach = (
        running(server, cwd, limits, log)
        if server.command is not None
        else reached(name, server, auth)
    )
    async with reach as (read, write):
        watched: Any = _Watched(read, closed)
        outgoing: Any = write
        asked: Any = ask if elicit else None
        session = ClientSession(watched, outgoing, elicitation_callback=asked)
        async with session:
            await _shake_hands(session, version)
            yield Connection(session, closed)


class _Watched:
    """A stream of messages that says when it has ended."""

    def __init__(self, stream: Any, closed: trio.Event) -> None:
        self._stream = stream
        self._closed = closed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __aiter__(self) -> "_Watched":
        return self

    async def __anext__(self) -> Any:
        try:
            return await self._stream.__anext__()
        except BaseException:
            self._closed.set()
            raise

    async def receive(self) -> Any:
        return await self._stream.receive()

    async def aclose(self) -> None:
        self._closed.set()
        await self._stream.aclose()

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        self._closed.set()
        await self._stream.__aexit__(*error)


async def _shake_hands(session: ClientSession, version: str) -> None:
    """Say who we are, as the reference server does: servers know it by that (observed)."""
    client = types.Implementation(name="codex-mcp-client", title="Codex", version=version)
    params = types.InitializeRequestParams(
        protocol_version=PROTOCOL,
        capabilities=types.ClientCapabilities(elicitation=types.ElicitationCapability()),
        client_info=client,
    )
    try:
        answer = await session.send_request(
            types.InitializeRequest(params=params), types.InitializeResult
        )
    except MCPError as error:
        closed = error.code == types.CONNECTION_CLOSED
        why = "connection closed: initialize response" if closed else _told(error)
        raise McpFault(f"handshaking with MCP server failed: {why}") from None
    except ValidationError as error:
        raise McpFault(f"handshaking with MCP server failed: {_first(error)}") from None
    if answer.protocol_version not in HANDSHAKE_PROTOCOL_VERSIONS:
        raise McpFault(f"the server speaks {answer.protocol_version}, which this client does not")
    session.adopt(answer)
    await session.send_notification(types.InitializedNotification())


def fault(error: BaseException) -> str:
    """What went wrong, of a group the first."""
    match error:
        case BaseExceptionGroup(exceptions=[first, *_]):
            return fault(first)
        case McpFault() | Unset():
            return str(error)
        case OSError(errno=int(number), strerror=str(what)):
            return f"{what} (os error {number})"
        case _:
            return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _paged(kind: Any, cursor: str | None) -> Any:
    return kind(params=types.PaginatedRequestParams(cursor=cursor) if cursor else None)


def _told(error: MCPError) -> str:
    if error.code == types.CONNECTION_CLOSED:
        return "Transport closed"
    data = "" if error.data is None else f"({json.dumps(error.data, separators=(',', ':'))})"
    return f"Mcp error: {error.code}: {error.message}{data}"


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def _share(done: float, total: float | None) -> str:
    return f"{done:g}" if total is None else f"{done:g}/{total:g}"
