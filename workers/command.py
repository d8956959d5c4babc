"""The actor of a command worker: processes that belong to a client and to no thread.

The supervisor has checked what the client asked for; a `Spawn` says what to run, and the number of
its call names the process from then on.
"""

import traceback
from collections.abc import AsyncIterator, Callable
from functools import partial

import msgspec
import trio

from protocol.command import (
    CommandExecResizeParams,
    CommandExecTerminateParams,
    CommandExecWriteParams,
)
from protocol.errors import INTERNAL_ERROR, RpcError, invalid, no_command, no_process
from protocol.frames import Bye, Call, Cancel, Down, Failed, Log, Reply, Spawn, Taken
from protocol.methods import REQUESTS
from protocol.process import ProcessKillParams, ProcessResizePtyParams, ProcessWriteStdinParams
from protocol.wire import Nothing
from workers.link import Link
from workers.spawned import Spawned

END_SECONDS = 3.0  # for all processes, when the worker is to leave

_encode = msgspec.json.Encoder().encode


class Commands:
    """All processes of this worker, by the number of the call that began them."""

    def __init__(self, link: Link, nursery: trio.Nursery) -> None:
        self._link = link
        self._nursery = nursery
        self._running: dict[int, Spawned] = {}
        self._ended = trio.Event()

    def take(self, frame: Down) -> None:
        match frame:
            case Spawn(n):
                self._answer(n, "a spawn", partial(self._spawn, frame))
            case Call(n, method):
                self._answer(n, method, partial(self._about, frame))
            case Taken(n, size) if running := self._running.get(n):
                running.taken(size)
            case Cancel(n) if running := self._running.get(n):
                running.silent = True
                running.end()
            case _:
                pass  # of a process that has ended meanwhile

    def _answer(self, n: int, method: str, act: Callable[[], Nothing | None]) -> None:
        try:
            result = act()
        except RpcError as error:
            self._link.send(Failed(n, error.code, error.message, error.data))
        except Exception as error:  # noqa: BLE001 - this is a worker's mailbox
            self._link.send(Log("error", "".join(traceback.format_exception(error))))
            self._link.send(Failed(n, INTERNAL_ERROR, f"{method} failed: {error!r}"))
        else:
            if result is not None:
                self._link.send(Reply(n, _encode(result)))

    def _spawn(self, spec: Spawn) -> Nothing | None:
        running = self._running[spec.n] = Spawned(spec, self._link)
        self._nursery.start_soon(self._run, running)
        return Nothing() if spec.answer == "atStart" else None

    async def _run(self, running: Spawned) -> None:
        try:
            await running.run()
        finally:
            del self._running[running.spec.n]
            self._ended.set()
            self._ended = trio.Event()

    def _about(self, call: Call) -> Nothing | None:
        """None when the answer comes later."""
        params = REQUESTS[call.method].decode(call.params)
        running = None if call.about is None else self._running.get(call.about)
        if running is None:
            raise _unknown(params)
        match params:
            case CommandExecWriteParams() | ProcessWriteStdinParams():
                return running.write(call.n, params)
            case CommandExecResizeParams() | ProcessResizePtyParams():
                running.resize(params)
            case CommandExecTerminateParams():
                running.end()
            case ProcessKillParams():
                running.kill()
            case _:
                raise invalid(f"{call.method} is not about a process")
        return Nothing()

    async def end(self) -> None:
        """End them all, and return once their clients have been told."""
        for running in self._running.values():
            running.end()
        while self._running:
            await self._ended.wait()


def _unknown(params: object) -> RpcError:
    """It ended while the call was on its way."""
    if (id := getattr(params, "process_id", None)) is not None:
        return no_command(id)
    return no_process(getattr(params, "process_handle", ""))


def _keep_heap() -> None:
    """Keep up to 2 MiB of freed memory: glibc would give each piece of output back to the system,
    and ask for it again, page by page.  It learns from the first large block that it sees freed.
    """
    bytearray(1 << 20)  # its pages are never touched


async def be(link: Link, incoming: AsyncIterator[Down], nursery: trio.Nursery) -> None:
    """Be a command worker until `Bye` or the end of the link."""
    _keep_heap()
    commands = Commands(link, nursery)
    grace = END_SECONDS
    try:
        async for frame in incoming:
            if isinstance(frame, Bye):
                grace = frame.seconds
                break
            with link.together(at_once=True):
                commands.take(frame)
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + grace):
            await commands.end()
            await link.flush()
