"""The actor of the service worker: it asks MCP servers what clients want to know without a thread.

Each question starts the servers that it is about and ends them again: what is configured may have
changed since, and nothing runs on for nobody.
"""

import traceback
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from math import inf
from typing import Any

import msgspec
import trio

from protocol.errors import INTERNAL_ERROR
from protocol.frames import Bye, Down, Failed, Log, Reply
from protocol.mcp import (
    McpAuthStatus,
    McpServerOauthLoginCompletedNotification,
    McpServerOauthLoginResponse,
)
from protocol.methods import MCP_OAUTH_LOGIN_COMPLETED
from protocol.seldom import AskStatus, LogIn, ReadResource, StartServices
from protocol.settings import Limits, McpServer
from workers.link import Link
from workers.mcp.connection import Connection, McpFault, connect, fault
from workers.mcp.oauth import authorized, discover

STARTS = 8  # servers at the same time, of one question
Json = dict[str, Any]

_encode = msgspec.json.Encoder().encode


class Services:
    def __init__(self, start: StartServices, link: Link, nursery: trio.Nursery) -> None:
        self._start = start
        self._link = link
        self._nursery = nursery

    def take(self, frame: Down) -> None:
        match frame:
            case AskStatus():
                self._nursery.start_soon(self._answer, frame.n, self._statuses, frame)
            case ReadResource():
                self._nursery.start_soon(self._answer, frame.n, self._read, frame)
            case LogIn():
                self._nursery.start_soon(self._log_in, frame)
            case _:
                pass

    async def _answer(self, n: int, do: Any, frame: Down) -> None:
        try:
            self._link.send(Reply(n, _encode(await do(frame))))
        except McpFault as error:
            self._link.send(Failed(n, INTERNAL_ERROR, str(error)))
        except Exception as error:  # noqa: BLE001 - it must not end with one question
            self._link.send(Log("error", traceback.format_exc()))
            self._link.send(Failed(n, INTERNAL_ERROR, f"asking MCP servers failed: {error!r}"))

    async def _log_in(self, asked: LogIn) -> None:
        """The answer is where to go; what comes of it is everybody's business."""
        from workers.mcp.login import log_in  # noqa: PLC0415 - few ever log in

        answered, error = False, None

        def told(url: str) -> None:
            nonlocal answered
            answered = True
            self._link.send(Reply(asked.n, _encode(McpServerOauthLoginResponse(url))))

        try:
            await log_in(self._start.home, asked, told)
        except Exception as problem:  # noqa: BLE001 - as above
            error = fault(problem)
        if not answered:
            why = f"failed to login to MCP server '{asked.name}': {error}"
            self._link.send(Failed(asked.n, INTERNAL_ERROR, why))
            return
        done = McpServerOauthLoginCompletedNotification(asked.name, error is None, error)
        self._link.event(MCP_OAUTH_LOGIN_COMPLETED.name, MCP_OAUTH_LOGIN_COMPLETED.encode(done))

    # ---- what is asked

    async def _statuses(self, asked: AskStatus) -> list[Json]:
        found: dict[str, Json] = {}
        places = trio.CapacityLimiter(STARTS)

        async def ask(name: str, server: McpServer) -> None:
            async with places:
                found[name] = await self._status(name, server, full=asked.full)

        async with trio.open_nursery() as nursery:
            for name, server in asked.servers.items():
                nursery.start_soon(ask, name, server)
        return [found[name] for name in sorted(found)]

    async def _status(self, name: str, server: McpServer, *, full: bool) -> Json:
        """One that cannot be had has nothing to offer, and the log says why (observed)."""
        told: Json = {"name": name, "tools": {}, "resources": [], "resourceTemplates": []}
        if server.enabled:
            try:
                async with self._opened(name, server) as connection:
                    await _fill(told, server, connection, full=full)
            except Exception as error:  # noqa: BLE001 - of a library, and of a program we do not know
                self._log(name, fault(error))
        return {**told, "authStatus": await self._auth(name, server)}

    async def _auth(self, name: str, server: McpServer) -> McpAuthStatus:
        headers = {header.lower() for header in (*server.http_headers, *server.env_http_headers)}
        if server.bearer_token_env_var is not None or "authorization" in headers:
            return "bearerToken"
        if server.url is None or not server.enabled:
            return "unsupported"
        if await authorized(self._start.home, name, server) is not None:
            return "oAuth"
        return "notLoggedIn" if await discover(server.url) is not None else "unsupported"

    async def _read(self, asked: ReadResource) -> Json:
        try:
            async with self._opened(asked.name, asked.server) as connection:
                return await connection.read(asked.uri)
        except Exception as error:  # noqa: BLE001 - as above
            why = f"resources/read failed for `{asked.name}` ({asked.uri}): {fault(error)}"
            raise McpFault(why) from None

    @asynccontextmanager
    async def _opened(self, name: str, server: McpServer) -> AsyncGenerator[Connection]:
        """Raises McpFault and whatever `connect` does."""
        seconds = server.startup_timeout_sec
        with trio.move_on_after(seconds) as scope:
            async with connect(
                name,
                server,
                cwd=self._start.home,
                limits=Limits(),
                log=lambda line: self._log(name, line),
                elicit=None,
                auth=await authorized(self._start.home, name, server),
                version=self._start.version,
            ) as connection:
                scope.deadline = trio.current_time() + server.tool_timeout_sec
                yield connection
                scope.deadline = inf
        if scope.cancelled_caught:
            raise McpFault(f"MCP client for `{name}` timed out")

    def _log(self, name: str, line: str) -> None:
        self._link.send(Log("info", f"MCP server {name}: {line}"))


async def _fill(told: Json, server: McpServer, connection: Connection, *, full: bool) -> None:
    tools = await connection.tools()
    told["tools"] = {tool["name"]: tool for tool in tools if server.allows(tool["name"])}
    if full:
        for key, ask in (
            ("resources", connection.resources),
            ("resourceTemplates", connection.templates),
        ):
            try:
                told[key] = await ask()
            except McpFault:  # most servers have tools only
                continue


async def be(
    start: StartServices, link: Link, incoming: AsyncIterator[Down], nursery: trio.Nursery
) -> None:
    """Be the service worker until `Bye` or the end of the link."""
    services = Services(start, link, nursery)
    async for frame in incoming:
        if isinstance(frame, Bye):
            return
        services.take(frame)
