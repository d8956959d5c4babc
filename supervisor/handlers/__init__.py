"""What the supervisor answers itself: one file per resource, one function per row of the table.

A handler gets the host's shared state, the asking client and the decoded params.  A plain
function answers at once; an async one runs as a task of its own.  Both raise RpcError.  One that
ends with a loaded thread leaves the answer to that thread's worker, and the client will hear it; a
process is answered for by its worker, too.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from msgspec import Struct

from protocol.row import Method
from supervisor.connection import Connection
from supervisor.host import Host
from supervisor.loaded import Loaded
from supervisor.spawned import Spawned

P = TypeVar("P", bound=Struct)
R = TypeVar("R", bound=Struct)
Elsewhere = Loaded | Spawned
Handler = Callable[[Host, Connection, P], R | Elsewhere | Awaitable[R | Elsewhere]]

HANDLERS: dict[str, Handler[Any, Any]] = {}


def serves(row: Method[P, R]) -> Callable[[Handler[P, R]], Handler[P, R]]:
    """Enter a function as the one that answers this row."""

    def enter(handler: Handler[P, R]) -> Handler[P, R]:
        assert row.by == "here", f"{row.name} is served by a worker"
        assert HANDLERS.setdefault(row.name, handler) is handler, f"{row.name} served twice"
        return handler

    return enter
