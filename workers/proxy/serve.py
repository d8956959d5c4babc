"""The proxy's sockets, served: a bounded number of connections, a bounded time to say a wish."""

from collections.abc import Awaitable, Callable
from functools import partial

import trio

from workers.proxy.gate import Gate
from workers.proxy.http import serve_http
from workers.proxy.socks import serve_socks

CONNECTIONS = 256  # of one thread, with two descriptors each; further ones wait in the kernel
HEAD_SECONDS = 20  # until a client has said what it wants

Serve = Callable[[trio.SocketStream, Gate, Callable[[], None]], Awaitable[None]]
Report = Callable[[Exception], None]


class Bounded(trio.abc.Listener[trio.SocketStream]):
    """Accepts a connection when there is a place for it."""

    def __init__(self, listener: trio.SocketListener, places: trio.Semaphore) -> None:
        self._listener = listener
        self._places = places

    async def accept(self) -> trio.SocketStream:
        await self._places.acquire()
        try:
            return await self._listener.accept()
        except BaseException:
            self._places.release()
            raise

    async def aclose(self) -> None:
        await self._listener.aclose()


async def serve(listeners: list[trio.SocketListener], gate: Gate, report: Report) -> None:
    """The first is for HTTP, the second, if there is one, for SOCKS.  Until it is cancelled; every
    connection goes with it."""
    places = trio.Semaphore(CONNECTIONS)
    async with trio.open_nursery() as nursery:
        for listener, how in zip(listeners, (serve_http, serve_socks), strict=False):
            handler = partial(_attend, how, gate, places, report)
            nursery.start_soon(trio.serve_listeners, handler, [Bounded(listener, places)])


async def _attend(
    how: Serve,
    gate: Gate,
    places: trio.Semaphore,
    report: Report,
    stream: trio.SocketStream,
) -> None:
    """One connection.  What goes wrong with it is its own business, not its thread's."""
    try:
        async with stream:
            with trio.CancelScope(deadline=trio.current_time() + HEAD_SECONDS) as scope:
                await how(stream, gate, partial(_wait, scope))
    except trio.BrokenResourceError:
        pass  # the client has gone
    except Exception as error:  # noqa: BLE001 - what strangers send must not end a thread
        report(error)
    finally:
        places.release()


def _wait(scope: trio.CancelScope) -> None:
    scope.deadline = float("inf")
