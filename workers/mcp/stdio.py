"""An MCP server that is a program: JSON-RPC messages, one per line, on its input and output.

The program is a process of the worker like any command: it is in a control group of its own, and
nothing that it starts outlives it.  It runs unsandboxed, for it is the user's own configuration
that names it (observed).
"""

import os
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Self

import trio
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from protocol.settings import Limits, McpServer
from sandbox import Launch
from workers.process import Process

# What a program sees beside what its configuration names (observed).
INHERITED = ("HOME", "LOGNAME", "PATH", "SHELL", "USER", "LANG", "LC_ALL", "TERM", "TMPDIR", "TZ")
LINE_BYTES = 32 << 20  # one message; an image as base64 may be large, a flood without end must not
WAITING = 64  # messages that nobody has taken, before the program has to wait
FAREWELL_SECONDS = 0.5  # after its input has closed; the specification asks for that time

Log = Callable[[str], None]


class Incoming:
    """The messages of the program as the SDK's stream of them; broken ones are exceptions."""

    def __init__(self) -> None:
        self._messages: deque[SessionMessage | Exception] = deque()
        self._changed = trio.Event()
        self._closed = False

    def put(self, message: SessionMessage | Exception) -> None:
        self._messages.append(message)
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def room(self) -> None:
        while len(self._messages) >= WAITING and not self._closed:
            await self._changed.wait()

    def close(self) -> None:
        self._closed = True
        self._wake()

    async def receive(self) -> SessionMessage | Exception:
        """Raises StopAsyncIteration at the end."""
        await trio.lowlevel.checkpoint()
        while not self._messages:
            if self._closed:
                raise StopAsyncIteration
            await self._changed.wait()
        message = self._messages.popleft()
        self._wake()
        return message

    async def aclose(self) -> None:
        self.close()

    def __aiter__(self) -> "Incoming":
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        return await self.receive()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


class Outgoing:
    """The other direction.  A program that does not listen any more has nothing to say either."""

    def __init__(self, process: Process, incoming: Incoming) -> None:
        self._process = process
        self._incoming = incoming

    async def send(self, item: SessionMessage, /) -> None:
        text = item.message.model_dump_json(by_alias=True, exclude_unset=True)
        try:
            await self._process.write(text.encode() + b"\n")
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._incoming.close()

    async def aclose(self) -> None:
        await self._process.close_stdin()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class Lines:
    """What a program writes, cut into lines; one that is too long is given up and told."""

    def __init__(self, take: Callable[[bytes], None], limit: int) -> None:
        self._take = take
        self._limit = limit
        self._begun = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> None:
        *whole, rest = data.split(b"\n")
        for line in whole:
            self._begun += line
            if not self._skipping:
                self._take(bytes(self._begun))
            self._begun.clear()
            self._skipping = False
        self._begun += rest
        if len(self._begun) > self._limit:
            self._take(bytes(self._begun[: self._limit]))
            self._begun.clear()
            self._skipping = True


@asynccontextmanager
async def running(
    server: McpServer, cwd: str, limits: Limits, log: Log
) -> AsyncGenerator[tuple[Incoming, Outgoing]]:
    """Start the program; at the end ask it to go, then insist.

    Raises OSError when it cannot be started.  What it writes to its errors goes to `log`.
    """
    assert server.command is not None
    launch = Launch([server.command, *server.args], server.cwd or cwd, environment(server))
    process = Process(launch, stdin=True, apart=True, limits=limits)
    incoming = Incoming()
    lines = Lines(lambda line: _take(incoming, line), LINE_BYTES)
    errors = Lines(lambda line: log(line.decode("utf-8", "replace")), 4096)
    async with trio.open_nursery() as nursery:

        async def live() -> None:
            try:
                await process.run(lines.feed, errors.feed, incoming.room, linger=0)
            finally:
                incoming.close()

        nursery.start_soon(live)
        try:
            yield incoming, Outgoing(process, incoming)
        finally:
            incoming.close()
            with trio.CancelScope(shield=True), trio.move_on_after(FAREWELL_SECONDS):
                await process.close_stdin()
                await process.wait()
            nursery.cancel_scope.cancel()


def _take(incoming: Incoming, line: bytes) -> None:
    if not line.strip():
        return
    try:
        incoming.put(SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False)))
    except ValueError as error:
        incoming.put(error)


def environment(server: McpServer) -> dict[str, str]:
    names = (*INHERITED, *server.env_vars)
    return {name: os.environ[name] for name in names if name in os.environ} | server.env
