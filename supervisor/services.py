"""What MCP servers are asked for no thread.  One worker does it, born when it is needed."""

from typing import TYPE_CHECKING, Any

import msgspec
import trio

from protocol.errors import INTERNAL_ERROR, RpcError
from protocol.frames import Down, Event, Failed, Reply, Up
from protocol.mcp import (
    McpResourceReadParams,
    McpResourceReadResponse,
    McpServerOauthLoginParams,
    McpServerOauthLoginResponse,
)
from protocol.methods import MCP_OAUTH_LOGIN, MCP_RESOURCE_READ
from protocol.seldom import AskStatus, LogIn, ReadResource, StartServices
from protocol.settings import McpServer
from supervisor.seldom import Seldom
from supervisor.worker import NurseryProcess

if TYPE_CHECKING:
    from supervisor.host import Host

LOST = "the worker process that asked the MCP server died; ask again"
FAREWELL_SECONDS = 4.0  # for the servers that it has started to go


class Question:
    """One that is answered when the worker has done it, or has died."""

    def __init__(self) -> None:
        self.answer: bytes | RpcError = b""
        self.done = trio.Event()

    def settle(self, answer: bytes | RpcError) -> None:
        self.answer = answer
        self.done.set()


class Services:
    def __init__(
        self, births: NurseryProcess, nursery: trio.Nursery, home: str, version: str
    ) -> None:
        self.host: Host  # set by the server, once there is one
        self._calls = 0
        self._logins = 0  # that somebody is in the middle of
        self._open: dict[int, Question] = {}
        self._worker = Seldom(
            births,
            nursery,
            StartServices(home, version),
            hear=self._hear,
            lost=self._lost,
            wanted=lambda: bool(self._open or self._logins),
            farewell_seconds=FAREWELL_SECONDS,
        )

    async def status(self, servers: dict[str, McpServer], *, full: bool) -> Any:
        """The statuses as final JSON, for a field of type list[McpServerStatus]."""
        if not servers:
            return []
        return msgspec.Raw(await self._ask(AskStatus(self._next(), servers, full)))

    async def read(
        self, servers: dict[str, McpServer], params: McpResourceReadParams
    ) -> McpResourceReadResponse:
        """Raises RpcError."""
        server = servers.get(params.server)
        if server is None or not server.enabled:
            raise RpcError(INTERNAL_ERROR, f"unknown MCP server '{params.server}'")
        asked = ReadResource(self._next(), params.server, server, params.uri)
        return MCP_RESOURCE_READ.decode_result(await self._ask(asked))

    async def log_in(
        self, server: McpServer, params: McpServerOauthLoginParams, port: int, url: str | None
    ) -> McpServerOauthLoginResponse:
        """Raises RpcError when there is no login to begin."""
        asked = LogIn(
            self._next(), params.name, server, params.scopes, params.timeout_secs, port, url
        )
        answer = MCP_OAUTH_LOGIN.decode_result(await self._ask(asked))
        self._logins += 1
        return answer

    def _next(self) -> int:
        self._calls += 1
        return self._calls

    async def _ask(self, frame: Down) -> bytes:
        question = self._open[self._calls] = Question()
        self._worker.send(frame)
        await question.done.wait()
        if isinstance(question.answer, RpcError):
            raise question.answer
        return question.answer

    def _hear(self, frame: Up) -> None:
        match frame:
            case Reply(n, body) if question := self._open.pop(n, None):
                question.settle(body)
            case Failed(n, code, message, data) if question := self._open.pop(n, None):
                question.settle(RpcError(code, message, data))
            case Event(_, method, body):
                self._logins = max(0, self._logins - 1)
                self.host.tell_all(method, body)
            case _:
                pass  # it was settled already

    def _lost(self) -> None:
        waiting, self._open, self._logins = self._open, {}, 0
        for question in waiting.values():
            question.settle(RpcError(INTERNAL_ERROR, LOST))

    async def close(self) -> None:
        await self._worker.close()
