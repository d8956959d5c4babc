"""A client's message finds whoever answers it: a handler here, or a thread's worker.

This is one of the places that catch everything.  The others are a worker's mailbox, and whoever
listens to a worker: what one thread does wrong must not end the others.
"""

import inspect
import logging
from collections.abc import Awaitable
from typing import Any

import msgspec
import trio
from msgspec import Struct

from protocol.envelope import Answer, Request
from protocol.errors import INTERNAL_ERROR, RpcError, invalid, overloaded
from protocol.methods import (
    INITIALIZE,
    MCP_RESOURCE_READ,
    REQUESTS,
    REVIEW_START,
    THREAD_GOAL_CLEAR,
    THREAD_GOAL_GET,
    THREAD_GOAL_SET,
    THREAD_MEMORY_MODE_SET,
    THREAD_METADATA_UPDATE,
    THREAD_READ,
    THREAD_TURNS_LIST,
)
from protocol.row import Method, check_experimental
from supervisor.connection import Connection
from supervisor.handlers import (
    HANDLERS,
    account,
    app,
    command,
    config,
    external,
    feedback,
    fs,
    fuzzy,
    goal,
    hook,
    initialize,
    marketplace,
    mcp,
    memory,
    metadata,
    model,
    plugin,
    process,
    realtime,
    review,
    share,
    skill,
    stored,
    thread,
    windows,
)
from supervisor.host import Host
from supervisor.loaded import Loaded
from supervisor.spawned import Spawned

IN_FLIGHT_LIMIT = 4096  # requests of one client that wait for an answer
TOTAL_LIMIT = 32768  # and of all clients

# Importing a file enters its handlers.
SERVING = (
    account,
    app,
    command,
    config,
    external,
    feedback,
    fs,
    fuzzy,
    goal,
    hook,
    initialize,
    marketplace,
    mcp,
    memory,
    metadata,
    model,
    plugin,
    process,
    realtime,
    review,
    share,
    skill,
    stored,
    thread,
    windows,
)

# Answered by a worker, and yet no reason to listen to its thread from now on.
QUIET = frozenset(
    row.name
    for row in (
        THREAD_METADATA_UPDATE,
        THREAD_MEMORY_MODE_SET,
        THREAD_GOAL_SET,
        THREAD_GOAL_GET,
        THREAD_GOAL_CLEAR,
        REVIEW_START,
        MCP_RESOURCE_READ,
    )
)

# What only reads may take long, and nobody waits for it.
READING = frozenset((THREAD_READ.name, THREAD_TURNS_LIST.name))

log = logging.getLogger("atrio.router")
_encode = msgspec.json.Encoder().encode


class Router:
    """`nursery` runs the handlers that may block.

    What one client asks about one thread is done in the order in which it asks (observed), so that
    it need not wait for `thread/resume` before it sends `turn/start`.
    """

    def __init__(self, host: Host, nursery: trio.Nursery) -> None:
        self._host = host
        self._nursery = nursery
        self._lines: dict[tuple[Connection, str], list[Request]] = {}

    def request(self, client: Connection, request: Request) -> None:
        try:
            self._route(client, request)
        except RpcError as error:
            client.refuse(request.id, error)
        except Exception as error:  # noqa: BLE001 - a bug of ours must not end the connection
            client.refuse(request.id, _bug(request.method, error))

    def answer(self, client: Connection, answer: Answer) -> None:
        self._host.asks.answer(client, answer)

    def gone(self, client: Connection) -> None:
        self._host.clients.discard(client)
        self._host.threads.left(client)
        self._host.commands.left(client)
        self._host.watches.left(client)
        self._host.searches.left(client)
        self._host.asks.left(client)

    def _route(self, client: Connection, request: Request) -> None:
        row = REQUESTS.get(request.method)
        if row is None:
            raise invalid(f"Invalid request: unknown variant `{request.method}`")
        if client.info is None and row is not INITIALIZE:
            raise invalid("Not initialized")
        params = row.decode(request.params)
        if not client.experimental and row is not INITIALIZE:
            check_experimental(row, params)
        if client.in_flight >= IN_FLIGHT_LIMIT or self._host.in_flight >= TOTAL_LIMIT:
            raise overloaded()
        line = self._lines.get((client, getattr(params, "thread_id", "")))
        if line is not None:
            line.append(request)
            self._count(client, 1)
        elif row.by == "here":
            self._here(client, request, row, params)
        else:
            loaded = self._host.threads.loaded(getattr(params, row.by))
            self._forward(loaded, client, request)

    def _here(
        self, client: Connection, request: Request, row: Method[Any, Any], params: Struct
    ) -> None:
        result = HANDLERS[row.name](self._host, client, params)
        if inspect.isawaitable(result):
            thread_id = getattr(params, "thread_id", "")
            if thread_id and row.name not in READING:
                self._lines[client, thread_id] = []
            self._count(client, 1)
            self._nursery.start_soon(self._finish, client, request, result, thread_id)
        else:
            self._deliver(client, request, result)

    async def _finish(
        self,
        client: Connection,
        request: Request,
        pending: Awaitable[Struct | Loaded | Spawned],
        thread_id: str,
    ) -> None:
        try:
            self._deliver(client, request, await pending)
        except RpcError as error:
            client.refuse(request.id, error)
        except Exception as error:  # noqa: BLE001 - as above
            client.refuse(request.id, _bug(request.method, error))
        finally:
            self._count(client, -1)
        if request.method not in READING:
            self._advance(client, thread_id)

    def _advance(self, client: Connection, thread_id: str) -> None:
        """Do what has been waiting; the first of it that may block has the others wait again."""
        for waiting in self._lines.pop((client, thread_id), ()):
            self._count(client, -1)
            self.request(client, waiting)

    def _count(self, client: Connection, change: int) -> None:
        client.in_flight += change
        self._host.in_flight += change

    def _deliver(
        self, client: Connection, request: Request, result: Struct | Loaded | Spawned
    ) -> None:
        """Send a handler's answer, or let the thread or process that it named give it."""
        if isinstance(result, Loaded):
            self._forward(result, client, request, subscribe=request.method not in QUIET)
        elif isinstance(result, Spawned):
            result.call(client, request)
        else:
            client.reply(request.id, _encode(result))

    def _forward(
        self, loaded: Loaded, client: Connection, request: Request, *, subscribe: bool = False
    ) -> None:
        loaded.call(client, request, subscribe=subscribe)
        if loaded.worker is None:  # it has died: the thread gets another, and that the request
            self._nursery.start_soon(self._host.threads.revive, loaded)


def _bug(method: str, error: Exception) -> RpcError:
    log.error("%s failed", method, exc_info=error)
    return RpcError(INTERNAL_ERROR, f"{method} failed: {error!r}")
