"""A server with its model and its clients, for a test that is no coroutine.

Trio runs in a thread of its own; every call here blocks until what it is for has happened, for a
bounded time.
"""

import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import outcome
import trio

from protocol.methods import THREAD_LOADED_LIST
from protocol.thread import ThreadLoadedListParams
from tests.client import Client
from tests.conftest import CONFIG, WEBSOCKET
from tests.server import Server, serving
from tests.threads.oracle import Oracle

R = TypeVar("R")

WAIT_SECONDS = 20.0


class World:
    """`do` runs anything of the clients' in their thread."""

    def __init__(self, place: Path, grace_seconds: int) -> None:
        self.home, self.project = place / "home", place / "project"
        self.home.mkdir()
        self.project.mkdir()
        self.clients: list[Client] = []
        self.oracle = Oracle()
        self.server: Server
        self._grace = grace_seconds
        self._leaving: dict[Client, trio.CancelScope] = {}
        self._token: trio.lowlevel.TrioToken
        self._tasks: trio.Nursery
        self._over: trio.Event
        self._ended: trio.Event

    def do(self, what: Callable[..., Awaitable[R]], *arguments: Any) -> R:
        return trio.from_thread.run(what, *arguments, trio_token=self._token)

    def open_gate(self, word: str) -> None:
        """Let the model go on with what it does for this word."""
        trio.from_thread.run_sync(self.oracle.gates[word].set, trio_token=self._token)

    # ---- the server

    def begin(self) -> None:
        """Start the server."""
        self.do(self._begin)

    async def _begin(self) -> None:
        self._over, self._ended = trio.Event(), trio.Event()
        await self._tasks.start(self._serve)

    async def _serve(self, *, task_status: Any) -> None:
        try:
            async with serving(self.home, self.project, listen=WEBSOCKET) as self.server:
                task_status.started()
                await self._over.wait()
        finally:
            self._ended.set()

    def end(self, *, kill: bool = False) -> None:
        """End the server and wait until nothing of it is left."""
        self.do(self._end, kill)

    async def _end(self, kill: bool) -> None:
        if kill:
            await self.server.kill()
        else:
            self.server.processes()
            self.server.process.send_signal(signal.SIGTERM)
            self.server.process.send_signal(signal.SIGINT)  # and do not wait for running turns
        for client in list(self.clients):
            await client.gone()
            await self._leave(client)
        self._over.set()
        with trio.fail_after(WAIT_SECONDS):
            await self._ended.wait()

    # ---- clients

    def join(self) -> Client:
        return self.do(self._join)

    async def _join(self) -> Client:
        client: Client = await self._tasks.start(self._visit)
        await client.initialize()
        return client

    async def _visit(self, *, task_status: Any) -> None:
        with trio.CancelScope() as scope:
            async with self.server.connect() as client:
                self._leaving[client] = scope
                self.clients.append(client)
                task_status.started(client)
                await trio.sleep_forever()

    def leave(self, client: Client) -> None:
        self.do(self._leave, client)

    async def _leave(self, client: Client) -> None:
        self.clients.remove(client)
        self._leaving.pop(client).cancel()
        await trio.lowlevel.checkpoint()

    def caught_up(self) -> None:
        """Return once each client has heard all that it was told until now."""
        self.do(self._caught_up)

    async def _caught_up(self) -> None:
        for client in self.clients:
            await client.call(THREAD_LOADED_LIST, ThreadLoadedListParams())

    # ---- waiting

    def until(self, is_so: Callable[[], bool], what: str) -> None:
        """Return once it is so; nobody says when, so it is asked again and again."""
        self.do(self._until, is_so, what)

    def wait(self, is_so: Callable[[], Awaitable[bool]], what: str) -> None:
        """The same for what clients have to be asked about."""
        self.do(self._wait, is_so, what)

    async def _wait(self, is_so: Callable[[], Awaitable[bool]], what: str) -> None:
        with trio.move_on_after(WAIT_SECONDS):
            while not await is_so():
                await trio.sleep(0.002)
            return
        raise AssertionError(f"waited for {what}; the server says {self.server.said[-20:]}")

    async def _until(self, is_so: Callable[[], bool], what: str) -> None:
        with trio.move_on_after(WAIT_SECONDS):
            while not is_so():
                await trio.sleep(0.002)
            return
        raise AssertionError(f"waited for {what}; the server says {self.server.said[-20:]}")

    def kill_holder(self, path: str) -> bool:
        """Kill the worker that has this file open, if any has."""
        holder = self.server.holder(path)
        if holder is not None:
            self.do(self.server.kill, holder)
        return holder is not None

    # ---- the thread that Trio runs in

    async def run(self, ready: Callable[[], None]) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._finished = trio.Event()
        async with trio.open_nursery() as self._tasks:
            await self._tasks.start(self.oracle.serve)
            config = CONFIG.format(base_url=self.oracle.base_url)
            grace = f"\n[atrio]\nunload_grace_seconds = {self._grace}\n"
            (self.home / "config.toml").write_text(config + grace)
            ready()
            await self._finished.wait()
            self._tasks.cancel_scope.cancel()

    def finish(self) -> None:
        self._token.run_sync_soon(self._finished.set)


@contextmanager
def world(place: Path, grace_seconds: int) -> Iterator[World]:
    """A world whose server runs; it is ended, with all that belongs to it."""
    made = World(place, grace_seconds)
    ready = threading.Event()
    ended: list[outcome.Maybe[None]] = []

    def run() -> None:
        ended.append(outcome.capture(trio.run, made.run, ready.set))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(WAIT_SECONDS)
    try:
        made.begin()
        yield made
        made.end()
    finally:
        with suppress(trio.RunFinishedError):  # it has failed, and says below why
            made.finish()
        thread.join(WAIT_SECONDS)
        ended[0].unwrap()
