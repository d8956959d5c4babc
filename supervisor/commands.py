"""The pool of command workers, and which of them runs which process of which client.

A process belongs to the connection that began it: others cannot name it, and it ends with it.  The
workers are few and born when they are needed; one that dies takes its own processes along, and the
next process gets another worker.
"""

import logging
import os
import signal
from contextlib import suppress

import trio

from protocol.envelope import Request
from protocol.errors import INTERNAL_ERROR, RpcError, invalid
from protocol.frames import (
    Bye,
    Call,
    Cancel,
    Down,
    Event,
    Failed,
    Log,
    Reply,
    Spawn,
    StartCommands,
    Up,
)
from supervisor.connection import Connection
from supervisor.spawned import Pending, Spawned
from supervisor.worker import NurseryProcess, Worker

WORKERS = 4  # of the pool; each can run many processes
PROCESSES = 512  # of one client, at the same time
FAREWELL_SECONDS = 3.0  # for the pool to end what it runs
LOST = "the worker process that ran it died, and the command with it; run it again"

log = logging.getLogger("atrio.commands")

Name = tuple[Connection, str, str]  # whose, of which kind, and what its client calls it


class Station:
    """One command worker.  What it is told before it is born waits."""

    def __init__(self) -> None:
        self.worker: Worker | None = None
        self.spawned: dict[int, Spawned] = {}
        self.pending: dict[int, Pending] = {}
        self._waiting: list[Down] = [StartCommands()]

    def send(self, frame: Down) -> None:
        if self.worker is None:
            self._waiting.append(frame)
        else:
            self.worker.send(frame)

    def born(self, worker: Worker) -> None:
        self.worker = worker
        for frame in self._waiting:
            worker.send(frame)

    def settle(self, n: int) -> Pending | None:
        """None when the caller has gone."""
        if pending := self.pending.pop(n, None):
            pending.client.in_flight -= 1
        return pending


class Commands:
    """`nursery` runs one task for each worker and for each client that is behind."""

    def __init__(self, births: NurseryProcess, nursery: trio.Nursery) -> None:
        self._births = births
        self._nursery = nursery
        self._stations: list[Station] = []
        self._names: dict[Name, Spawned] = {}
        self._slow: set[Connection] = set()
        self._calls = 0

    # ---- towards the workers

    def find(self, client: Connection, kind: str, id: str) -> Spawned | None:
        return self._names.get((client, kind, id))

    def begin(self, client: Connection, kind: str, id: str | None, spec: Spawn) -> Spawned:
        """Its worker gets the spec with the client's request.  Without an id nobody can name it.

        Raises RpcError when the client runs too many already.
        """
        if len(self._of(client)) >= PROCESSES:
            raise invalid(f"this connection runs {PROCESSES} processes already; end some first")
        spec.n = self._next()
        name = (client, kind, spec.id) if id is not None else None
        station = self._least_loaded()
        spawned = station.spawned[spec.n] = Spawned(self, station, client, spec, name)
        if name is not None:
            self._names[name] = spawned
        return spawned

    def _next(self) -> int:
        self._calls += 1
        return self._calls

    def _least_loaded(self) -> Station:
        """A new one while all have something to do and there may be more."""
        found = min(self._stations, key=lambda station: len(station.spawned), default=None)
        if found is None or (found.spawned and len(self._stations) < WORKERS):
            found = Station()
            self._stations.append(found)
            self._nursery.start_soon(self._run, found)
        return found

    def call(self, spawned: Spawned, client: Connection, request: Request) -> None:
        """Pass on a request: the one that began the process, or one about it."""
        first = not spawned.begun
        n = spawned.spec.n if first else self._next()
        spawned.station.pending[n] = Pending(client, request)
        client.in_flight += 1
        if first:
            spawned.begun = True
            spawned.station.send(spawned.spec)
        else:
            spawned.station.send(Call(n, request.method, request.params, spawned.spec.n))

    def left(self, client: Connection) -> None:
        """A client is gone, and with it all that it has begun."""
        for spawned in self._of(client):
            spawned.station.send(Cancel(spawned.spec.n))
            self.forget(spawned)
        for station in self._stations:
            for n in [n for n, pending in station.pending.items() if pending.client is client]:
                station.settle(n)

    def forget(self, spawned: Spawned) -> None:
        """It has ended: from now on its id is free."""
        spawned.station.spawned.pop(spawned.spec.n, None)
        if spawned.name is not None:
            self._names.pop(spawned.name, None)

    # ---- from the workers

    async def _run(self, station: Station) -> None:
        worker = await self._births.adopt()
        station.born(worker)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.write)
            while heard := await worker.receive():
                for frame in heard:
                    self._hear(station, frame)
            nursery.cancel_scope.cancel()
        worker.close()
        if station in self._stations:
            log.error("the command worker %s died", worker.pid)
            self._lose(station)

    def _hear(self, station: Station, frame: Up) -> None:
        match frame:
            case Event(only=n) if n is not None and (spawned := station.spawned.get(n)):
                self._tell(spawned, frame)
            case Reply(n) | Failed(n) if spawned := station.spawned.get(n):
                self._tell(spawned, frame)
            case Reply(n, body):
                if pending := station.settle(n):
                    pending.client.reply(pending.request.id, body)
            case Failed(n, code, message, data):
                if pending := station.settle(n):
                    pending.client.refuse(pending.request.id, RpcError(code, message, data))
            case Log(level, message):
                log.log(logging.getLevelNamesMapping()[level.upper()], "%s", message)
            case _:
                pass  # of a client that has gone

    def _tell(self, spawned: Spawned, frame: Event | Reply | Failed) -> None:
        spawned.hear(frame)
        client = spawned.client
        if spawned.held and client not in self._slow:
            self._slow.add(client)
            self._nursery.start_soon(self._catch_up, client)

    async def _catch_up(self, client: Connection) -> None:
        """Tell a client what is held back for it, as fast as it reads, no process before others."""
        while (held := [s for s in self._of(client) if s.held]) and not client.outbox.closed:
            for spawned in held:
                await client.outbox.wait_room(Spawned.ROOM_BYTES)
                spawned.release(1)
        self._slow.discard(client)

    def _of(self, client: Connection) -> list[Spawned]:
        return [s for at in self._stations for s in at.spawned.values() if s.client is client]

    def _lose(self, station: Station) -> None:
        self._stations.remove(station)
        for spawned in list(station.spawned.values()):
            spawned.lost(LOST)
        for n in list(station.pending):
            if pending := station.settle(n):
                pending.client.refuse(pending.request.id, RpcError(INTERNAL_ERROR, LOST))

    # ---- the end

    async def close(self) -> None:
        """Every process ends, then every worker: ask, wait a bounded time, insist."""
        stations, self._stations = self._stations, []
        async with trio.open_nursery() as nursery:
            for station in stations:
                if station.worker is not None:
                    nursery.start_soon(self._part, station.worker)

    async def _part(self, worker: Worker) -> None:
        worker.send(Bye(FAREWELL_SECONDS, "the server ends"))
        with trio.move_on_after(FAREWELL_SECONDS + 1):
            await worker.gone.wait()
            return
        if worker.pid is not None:
            log.warning("command worker %s would not leave; killing it", worker.pid)
            with suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGKILL)
