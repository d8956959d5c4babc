"""One MCP server of a thread: started beside everything else, asked, and ended with the thread."""

import importlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from math import inf
from typing import TYPE_CHECKING, Any

import trio
from msgspec.structs import replace

from protocol.frames import Apps, Log
from protocol.mcp import McpServerStartupState, McpServerStatusUpdatedNotification
from protocol.methods import MCP_SERVER_STARTUP_STATUS_UPDATED
from protocol.settings import McpServer
from workers.mcp.connectors import allowed, found

if TYPE_CHECKING:
    from workers.mcp.connection import Connection
    from workers.thread import LoadedThread

FAREWELL_SECONDS = 3.0  # longer than any server is given to go

Json = dict[str, Any]


class McpRefusal(Exception):
    """The call cannot be made, or was not done; the text says why."""


class Server:
    """`settled` is set once it is known how its start went; `ended` when nothing of it is left."""

    def __init__(self, thread: "LoadedThread", name: str, spec: McpServer) -> None:
        self.name = name
        self.spec = spec
        self.tools: dict[str, Json] = {}
        self.problem: str | None = None
        self.settled = trio.Event()
        self.ended = trio.Event()
        self.turn_id: str | None = None  # of the turn that is calling it
        self._thread = thread
        self._connection: Connection | None = None
        self._scope = trio.CancelScope()
        self._closing = trio.Event()
        self._calls: set[trio.CancelScope] = set()

    @property
    def is_lost(self) -> bool:
        """It was well once, and is no more."""
        return self.ended.is_set() and self.problem is None

    # ---- its life

    async def run(self) -> None:
        """Start it, keep it, end it.  Whatever goes wrong is said, and is nobody else's."""
        self._tell("starting")
        try:
            await trio.to_thread.run_sync(importlib.import_module, "workers.mcp.oauth")
            with self._scope:
                await self._live()
        except Exception as error:  # noqa: BLE001 - of a library, and of a program we do not know
            from workers.mcp.connection import fault  # noqa: PLC0415

            self._fail(f"failed to start: MCP startup failed: {fault(error)}")
        finally:
            self._connection = None
            self.ended.set()
        if self._scope.cancelled_caught and not self.settled.is_set():
            self._give_up()

    async def _live(self) -> None:
        from workers.mcp.connection import connect  # noqa: PLC0415 - most threads have no servers
        from workers.mcp.oauth import authorized  # noqa: PLC0415 - as above

        thread = self._thread
        self._scope.deadline = trio.current_time() + self.spec.startup_timeout_sec
        async with connect(
            self.name,
            self._signed(),
            cwd=thread.settings.cwd,
            limits=thread.settings.limits,
            log=self._log,
            elicit=self._elicit,
            auth=await authorized(thread.settings.home, self.name, self.spec),
            version=thread.settings.cli_version,
        ) as connection:
            listed = await connection.tools()
            self.tools = {tool["name"]: tool for tool in listed if allowed(self.spec, tool)}
            if self.spec.apps is not None:
                thread.link.send(Apps(found(listed)))
            self._scope.deadline = inf
            self._connection = connection
            self._tell("ready")
            self.settled.set()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_first, connection.closed, nursery.cancel_scope)
                await self._closing.wait()
                nursery.cancel_scope.cancel()

    def _signed(self) -> McpServer:
        """With the login's token of now, where it is ChatGPT's: a thread outlives many."""
        provider = self._thread.settings.provider
        if self.spec.apps is None or not provider.uses_login or provider.bearer_token is None:
            return self.spec
        token = {"authorization": f"Bearer {provider.bearer_token}"}
        return replace(self.spec, http_headers=self.spec.http_headers | token)

    async def close(self) -> None:
        """Let it go in order if it is well, and be rid of it in any case."""
        if self._connection is None:
            self._scope.cancel()
        self._closing.set()
        with trio.move_on_after(FAREWELL_SECONDS):
            await self.ended.wait()
        self._scope.cancel()
        await self.ended.wait()

    def _give_up(self) -> None:
        if self._closing.is_set():
            self.problem = "was cancelled"
            self._tell("cancelled")
        else:
            self._fail(
                f"timed out after {self.spec.startup_timeout_sec:g} seconds. "
                f"Add or adjust `startup_timeout_sec` in your config.toml:\n"
                f"[mcp_servers.{self.name}]\nstartup_timeout_sec = XX"
            )
        self.settled.set()

    def _fail(self, what: str) -> None:
        """Nothing of this is news once it has been well."""
        if self.settled.is_set():
            self._log(what)
            return
        self.problem = f"MCP client for `{self.name}` {what}"
        self._tell("failed", self.problem)
        self.settled.set()

    def _tell(self, status: McpServerStartupState, error: str | None = None) -> None:
        told = McpServerStatusUpdatedNotification(name=self.name, status=status, error=error)
        self._thread.tell(MCP_SERVER_STARTUP_STATUS_UPDATED, told)

    def _log(self, line: str) -> None:
        self._thread.link.send(Log("info", f"MCP server {self.name}: {line}"))

    # ---- what it is asked

    async def ready(self) -> "Connection":
        """The open session.  Raises McpRefusal when there is none."""
        await self.settled.wait()
        if self._connection is None:
            raise McpRefusal(self.problem or "Transport closed")
        return self._connection

    async def call(
        self,
        tool: str,
        arguments: Any,
        meta: Any = None,
        progress: Callable[[str], None] | None = None,
    ) -> Json:
        """The server's own answer.  Raises McpRefusal."""
        if not self.spec.allows(tool) or (self.spec.apps is not None and tool not in self.tools):
            raise McpRefusal(f"tool '{tool}' is disabled for MCP server '{self.name}'")
        connection = await self.ready()
        from workers.mcp.connection import McpFault  # noqa: PLC0415 - it is there by now

        try:
            with self._timed() as scope:
                return await connection.call(tool, arguments, meta, progress)
        except McpFault as error:
            why = str(error)
        else:
            assert scope.cancelled_caught
            why = f"timed out awaiting tools/call after {_duration(self.spec.tool_timeout_sec)}"
        raise McpRefusal(f"tool call failed for `{self.name}/{tool}`: {why}")

    async def read(self, uri: str) -> Json:
        """Raises McpRefusal."""
        connection = await self.ready()
        from workers.mcp.connection import McpFault  # noqa: PLC0415 - as above

        try:
            with self._timed():
                return await connection.read(uri)
        except McpFault as error:
            why = str(error)
        else:
            why = f"timed out after {_duration(self.spec.tool_timeout_sec)}"
        raise McpRefusal(f"resources/read failed for `{self.name}` ({uri}): {why}")

    async def page(self, key: str, cursor: str | None) -> Json:
        """One page of its `resources` or `resourceTemplates`.  Raises McpRefusal."""
        connection = await self.ready()
        from workers.mcp.connection import McpFault  # noqa: PLC0415 - as above

        ask = connection.resource_page if key == "resources" else connection.template_page
        try:
            with self._timed():
                return await ask(cursor)
        except McpFault as error:
            raise McpRefusal(f"{key} of `{self.name}` cannot be listed: {error}") from None
        raise McpRefusal(f"{key} of `{self.name}` cannot be listed: timed out")

    @contextmanager
    def _timed(self) -> Generator[trio.CancelScope]:
        with trio.move_on_after(self.spec.tool_timeout_sec) as scope:
            self._calls.add(scope)
            try:
                yield scope
            finally:
                self._calls.discard(scope)

    async def _elicit(self, params: Json) -> Json:
        """Pass on a question of the server; its calls have all the time until the answer."""
        for scope in self._calls:
            scope.deadline = inf
        try:
            return await self._thread.servers.elicit(self, params)
        finally:
            for scope in self._calls:
                scope.deadline = trio.current_time() + self.spec.tool_timeout_sec


async def _first(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()


def _duration(seconds: float) -> str:
    return f"{seconds:g}s" if seconds >= 1 else f"{seconds * 1000:g}ms"
