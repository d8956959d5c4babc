"""A worker that is seldom needed: born when it is, gone when nobody has wanted it for a while.

It serves the whole host.  Who uses it says what it is to be, hears what it says, and is told when
it has died.
"""

import logging
import os
import signal
from collections.abc import Callable
from contextlib import suppress

import trio

from protocol.frames import Birth, Bye, Down, Log, Up
from protocol.seldom import StartServices
from supervisor.worker import NurseryProcess, Worker

IDLE_SECONDS = 60.0
FAREWELL_SECONDS = 1.0  # it has nothing to lose

log = logging.getLogger("atrio.seldom")


class Seldom:
    """`hear` gets each frame, `lost` is called when the worker has died on its own, and while
    `wanted` says so it stays.  `nursery` runs one task for it."""

    def __init__(
        self,
        births: NurseryProcess,
        nursery: trio.Nursery,
        birth: Birth,
        *,
        hear: Callable[[Up], None],
        lost: Callable[[], None],
        wanted: Callable[[], bool],
        farewell_seconds: float = FAREWELL_SECONDS,
    ) -> None:
        self._births = births
        self._nursery = nursery
        self._birth = birth
        self._hear = hear
        self._lost = lost
        self._wanted = wanted
        self._farewell_seconds = farewell_seconds
        self._worker: Worker | None = None
        self._waiting: list[Down] = []
        self._is_up = False
        self._busy = trio.Event()

    def send(self, frame: Down) -> None:
        self._busy.set()
        if self._worker is not None:
            self._worker.send(frame)
            return
        self._waiting.append(frame)
        if not self._is_up:
            self._is_up = True
            self._nursery.start_soon(self._run)

    async def _run(self) -> None:
        worker = await self._births.adopt(mcp=isinstance(self._birth, StartServices))
        for frame in (self._birth, *self._waiting):
            worker.send(frame)
        self._waiting.clear()
        self._worker = worker
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.write)
            nursery.start_soon(self._end_when_idle, worker)
            while heard := await worker.receive():
                for frame in heard:
                    self._take(frame)
            nursery.cancel_scope.cancel()
        worker.close()
        if self._worker is worker:  # else it was asked to go
            log.error("the worker %s died (%s)", worker.pid, type(self._birth).__name__)
            self._worker, self._is_up = None, False
            self._lost()

    def _take(self, frame: Up) -> None:
        match frame:
            case Log(level, message):
                log.log(logging.getLevelNamesMapping()[level.upper()], "%s", message)
            case _:
                self._hear(frame)

    async def _end_when_idle(self, worker: Worker) -> None:
        while self._worker is worker:
            self._busy = trio.Event()
            with trio.move_on_after(IDLE_SECONDS):
                await self._busy.wait()
                continue
            if not self._wanted():
                self._worker, self._is_up = None, False
                await self._part(worker)

    async def close(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            await self._part(worker)

    async def _part(self, worker: Worker) -> None:
        worker.send(Bye(self._farewell_seconds, "nobody needs it"))
        with trio.move_on_after(self._farewell_seconds + 1):
            await worker.gone.wait()
            return
        if worker.pid is not None:
            log.warning("worker %s would not leave; killing it", worker.pid)
            with suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGKILL)
