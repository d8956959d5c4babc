"""The pool of command workers: who runs what, and what a client that does not read costs."""

from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import trio
import trio.testing

from protocol.envelope import Request
from protocol.errors import RpcError
from protocol.frames import Call, Cancel, Event, Failed, Reply, Spawn, StartCommands, Taken
from protocol.initialize import ClientInfo
from protocol.methods import PROCESS_EXITED
from supervisor import commands
from supervisor.commands import WORKERS, Commands
from supervisor.connection import Connection
from supervisor.spawned import Spawned

CHUNK = b"x" * Spawned.GRANT_BYTES


class Worker:
    """Does as it is told by the test."""

    pid = None

    def __init__(self):
        self.told = []
        self.gone = trio.Event()
        self._say, self._said = trio.open_memory_channel(100)

    def send(self, frame):
        self.told.append(frame)

    async def write(self):
        await trio.sleep_forever()

    async def receive(self):
        return await self._said.receive()

    async def says(self, *frames):
        self._say.send_nowait(list(frames))
        await trio.testing.wait_all_tasks_blocked()

    def close(self):
        self.gone.set()


@dataclass
class Births:
    born: list[Worker] = field(default_factory=list)

    async def adopt(self, *, mcp=False):
        self.born.append(Worker())
        return self.born[-1]


class Nobody:
    def gone(self, client):
        pass


def connection():
    client = Connection(Nobody(), "line")
    client.info = ClientInfo(name="test", version="1")
    return client


def spec(answer="atEnd"):
    return Spawn(n=0, id="p", answer=answer, argv=["true"], cwd="/", env={})


def request(id, method="command/exec"):
    return Request(id, method, b"{}")


async def said_to(client):
    """What waits for the client, line by line."""
    client.outbox.close()
    return (await client.outbox.take()).splitlines()


@asynccontextmanager
async def pool():
    births = Births()
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            yield Commands(births, nursery), births
            nursery.cancel_scope.cancel()


async def begin(pool, client, id="p", answer="atEnd"):
    spawned = pool.begin(client, "command/exec", id, spec(answer))
    spawned.call(client, request(1))
    await trio.testing.wait_all_tasks_blocked()
    return spawned


async def test_a_worker_is_born_when_it_is_needed_and_told_what_to_run():
    """Ours: a server that runs no commands has no worker for them."""
    async with pool() as (commands, births):
        assert births.born == []
        spawned = await begin(commands, connection())

        assert births.born[0].told == [StartCommands(), spawned.spec]


async def test_processes_are_spread_over_few_workers():
    """Ours: the one with least to do takes the next."""
    async with pool() as (commands, births):
        client = connection()
        for n in range(2 * WORKERS):
            await begin(commands, client, str(n))

        assert [len(worker.told) for worker in births.born] == [3] * WORKERS


async def test_a_call_about_a_process_goes_to_its_worker_at_once():
    """Ours: also while that worker is still being born, so order needs no waiting."""
    async with pool() as (commands, births):
        client = connection()
        spawned = commands.begin(client, "command/exec", "p", spec())
        spawned.call(client, request(1))
        spawned.call(client, request(2, "command/exec/write"))
        await trio.testing.wait_all_tasks_blocked()

        assert births.born[0].told[1:] == [
            spawned.spec,
            Call(2, "command/exec/write", b"{}", about=1),
        ]


async def test_output_waits_while_its_client_does_not_read_and_is_told_in_order():
    """Ours: neither the server's memory nor the output is lost to a slow client."""
    async with pool() as (commands, births):
        client = connection()
        await begin(commands, client)
        worker = births.born[0]
        client.outbox.put(bytes(Spawned.ROOM_BYTES + 1))
        await worker.says(Event(0, "command/exec/outputDelta", CHUNK, only=1))
        await worker.says(Reply(1, b"{}"))
        assert client.outbox.size == Spawned.ROOM_BYTES + 1
        assert not any(isinstance(frame, Taken) for frame in worker.told)

        await client.outbox.take()
        await trio.testing.wait_all_tasks_blocked()

        assert worker.told[-1] == Taken(1, len(CHUNK))
        assert await said_to(client) == [CHUNK, b'{"id":1,"result":{}}']


async def test_a_slow_client_does_not_hold_up_another():
    """Ours."""
    async with pool() as (commands, births):
        slow, other = connection(), connection()
        await begin(commands, slow)
        await begin(commands, other)
        slow.outbox.put(bytes(Spawned.ROOM_BYTES + 1))
        await births.born[0].says(Reply(1, b"1"))
        await births.born[1].says(Reply(2, b"2"))

        assert await said_to(other) == [b'{"id":1,"result":2}']


async def test_what_a_client_has_begun_ends_with_it():
    """Observed: and its id means nothing to anybody else."""
    async with pool() as (commands, births):
        client = connection()
        spawned = await begin(commands, client)
        assert commands.find(client, "command/exec", "p") is spawned
        assert commands.find(connection(), "command/exec", "p") is None

        commands.left(client)

        assert commands.find(client, "command/exec", "p") is None
        assert births.born[0].told[-1] == Cancel(1)
        await births.born[0].says(Reply(1, b"{}"))  # too late, and nobody minds


async def test_an_id_is_free_with_the_answer():
    """Ours: the reference server keeps it a moment longer."""
    async with pool() as (commands, births):
        client = connection()
        await begin(commands, client)
        await births.born[0].says(Failed(1, -32603, "failed to spawn command: no"))

        assert commands.find(client, "command/exec", "p") is None
        assert client.in_flight == 0


async def test_a_dead_worker_fails_what_it_ran_and_is_replaced():
    """Ours: answers for calls, an end for processes that were answered already."""
    async with pool() as (commands, births):
        client = connection()
        await begin(commands, client, answer="atStart")
        await births.born[0].says(Reply(1, b"{}"))
        await births.born[0].says()
        spawned = await begin(commands, client, "q")

        assert len(births.born) == 2
        assert spawned.station.worker is births.born[1]
        first, exited = await said_to(client)
        assert first == b'{"id":1,"result":{}}'
        assert PROCESS_EXITED.name.encode() in exited
        assert b"worker process that ran it died" in exited


async def test_a_client_runs_a_bounded_number_of_processes(monkeypatch):
    """Ours: the refusal says what to do."""
    monkeypatch.setattr(commands, "PROCESSES", 2)
    async with pool() as (few, _):
        client = connection()
        await begin(few, client, "a")
        await begin(few, client, "b")

        with pytest.raises(RpcError, match="runs 2 processes already; end some first"):
            few.begin(client, "command/exec", "c", spec())
        await begin(few, connection(), "c")
