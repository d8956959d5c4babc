"""Which function answers which request in a thread's worker."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct

from protocol.row import Method

if TYPE_CHECKING:
    from workers.thread import LoadedThread

P = TypeVar("P", bound=Struct)
R = TypeVar("R", bound=Struct)
Handler = Callable[["LoadedThread", P], R]
Waiting = Callable[["LoadedThread", P], Awaitable[R]]

HANDLERS: dict[str, Handler[Any, Any] | Waiting[Any, Any]] = {}


def serves(row: Method[P, R]) -> Callable[[Handler[P, R]], Handler[P, R]]:
    """Enter a function as the one that answers this row."""

    def enter(handler: Handler[P, R]) -> Handler[P, R]:
        assert HANDLERS.setdefault(row.name, handler) is handler, f"{row.name} served twice"
        return handler

    return enter


def serves_later(row: Method[P, R]) -> Callable[[Waiting[P, R]], Waiting[P, R]]:
    """The same for one that has to wait for others: it runs beside everything else."""

    def enter(handler: Waiting[P, R]) -> Waiting[P, R]:
        assert HANDLERS.setdefault(row.name, handler) is handler, f"{row.name} served twice"
        return handler

    return enter
