"""A supervisor without processes: the test plays the workers, and reads what clients are told.

Sockets between tasks of one process never make anybody wait who could go on, so the clock may jump.
"""

import json
import math
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import trio

from protocol import frames
from protocol.envelope import Request
from protocol.frames import Ask, Call, Event, Reply, StartThread, State
from protocol.framing import Frames
from protocol.initialize import ClientInfo
from protocol.methods import QUESTIONS
from protocol.settings import Provider, Settings
from protocol.thread import ActiveStatus, IdleStatus, Thread
from supervisor.agents import Agents
from supervisor.asks import Asks
from supervisor.connection import Connection
from supervisor.host import Host
from supervisor.router import Router
from supervisor.threads import GRACE_SECONDS, Threads
from supervisor.worker import Worker

ID = "01999999-0000-7000-8000-000000000000"
ASKED = "item/tool/requestUserInput"
assert ASKED in QUESTIONS


def spec(id=ID, **others) -> StartThread:
    settings = Settings(home="/h", cwd="/", model="m", provider=Provider("p", "p"))
    return StartThread(thread_id=id, settings=settings, **others)


def state(id=ID, *, turn_id=None, stored=False, path="/rollout") -> State:
    status = ActiveStatus(active_flags=[]) if turn_id else IdleStatus()
    thread = Thread(
        cli_version="0", created_at=1, cwd="/", ephemeral=False, id=id, model_provider="p",
        preview="", session_id=id, source="vscode", status=status, turns=[], updated_at=2,
        path=path,
    )  # fmt: skip
    return State(thread, turn_id, stored)


def event(seq=0, method="item/completed", n=0, only=None) -> Event:
    body = json.dumps({"method": method, "params": {"n": n}}).encode()
    return Event(seq, method, body, only)


class Played:
    """The other end of a worker's link."""

    def __init__(self, link: socket.socket) -> None:
        self.socket = trio.socket.from_stdlib_socket(link)
        self._splitter = Frames()
        self._heard = []

    async def hear(self):
        """The next frame; None when the supervisor has closed the link."""
        with trio.fail_after(1000):  # of a clock that jumps
            while not self._heard:
                try:
                    data = await self.socket.recv(1 << 16)
                except ConnectionResetError:  # closed with something of ours unread
                    data = b""
                if not data:
                    return None
                self._heard += map(frames.decode_down, self._splitter.feed(data))
        return self._heard.pop(0)

    async def say(self, *said) -> None:
        await self.socket.send(b"".join(map(frames.encode, said)))

    async def born(self) -> StartThread:
        """Take on the thread, and answer what it was loaded for."""
        start, call = await self.hear(), await self.hear()
        assert isinstance(start, StartThread)
        assert isinstance(call, Call)
        await self.say(state(start.thread_id, stored=start.rollout is not None))
        await self.say(Reply(call.n, b"{}"))
        return start

    def die(self) -> None:
        self.socket.close()


class Births:
    """In place of the nursery process.  Nobody is born while `barren`."""

    def __init__(self) -> None:
        self.played: list[Played] = []
        self.workers: list[Worker] = []
        self.barren = False

    async def adopt(self, *, mcp: bool = False) -> Worker:
        await trio.sleep(math.inf if self.barren else 0)
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        self.played.append(Played(theirs))
        self.workers.append(Worker(ours))
        return self.workers[-1]

    def close(self) -> None:
        for played, worker in zip(self.played, self.workers, strict=True):
            played.die()
            worker.close()


class Store:
    def __init__(self) -> None:
        self.reported = []
        self.threads: dict[str, Thread] = {}

    async def read(self, thread_id: str) -> Thread | None:
        return self.threads.get(thread_id)

    def upsert(self, thread: Thread) -> None:
        self.reported.append(thread.id)


class Stage:
    def __init__(self, nursery: trio.Nursery, grace_seconds: float) -> None:
        self.nursery = nursery
        self.births = Births()
        self.threads = Threads(self.births, nursery, grace_seconds)
        nothing = SimpleNamespace(left=lambda client: None, look=lambda: None)
        self.agents = Agents(nursery)
        self.host = self.threads.host = self.agents.host = Host(
            home=Path("/h"),
            version="0",
            config=None,
            store=Store(),
            threads=self.threads,
            asks=Asks(),
            commands=nothing,
            agents=self.agents,
            watches=nothing,
            searches=nothing,
            services=nothing,
            accounts=nothing,
            skill_watch=nothing,
        )
        self.router = Router(self.host, nursery)

    def client(self) -> Connection:
        client = Connection(self.router, "line", info=ClientInfo("test", "0"), experimental=True)
        self.host.clients.add(client)
        return client

    async def load(self, client, id=ID, **others):
        """A loaded thread that the client listens to, and its worker."""
        loaded = await self.threads.load(spec(id, **others))
        loaded.call(client, request(), subscribe=True)
        played = self.births.played[-1]
        await played.born()
        await until(lambda: loaded.born)
        await heard(client)
        return loaded, played


@asynccontextmanager
async def staged(grace_seconds: float = GRACE_SECONDS) -> AsyncGenerator[Stage]:
    async with trio.open_nursery() as nursery:
        stage = Stage(nursery, grace_seconds)
        yield stage
        nursery.cancel_scope.cancel()
        stage.births.close()


def request(id=0, method="thread/start", **params):
    return Request(id, method, json.dumps(params).encode())


def ask(client, id, method, **params) -> None:
    """Send a request as a client does."""
    client.receive(json.dumps({"id": id, "method": method, "params": params}).encode())


async def heard(client) -> list:
    """What the client was told since the last time."""
    if not client.outbox.size:
        return []
    return [json.loads(line) for line in (await client.outbox.take()).splitlines()]


async def told(client) -> list:
    """The same in short: methods, and ids of answers."""
    return [message.get("method", message.get("id")) for message in await heard(client)]


async def until(true) -> None:
    with trio.fail_after(1000):
        while not true():
            await trio.sleep(0.01)


def question(k=1) -> Ask:
    return Ask(k, ASKED, b"{}")
