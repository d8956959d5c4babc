"""A real server process, for tests: how it starts, who belongs to it and that all of it ends."""

import os
import re
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import trio
from trio_websocket import wrap_client_stream

from protocol.framing import Lines
from tests.client import MESSAGE_LIMIT, Client, Pipes, Socket, listening
from tests.leftovers import SERVERS

ATRIO = str(Path(sys.executable).with_name("atrio"))
END_SECONDS = 15.0  # for all its processes to leave; a worker's farewell alone may take 5
LISTENING = re.compile(r"listening on (ws://\S+)")


@dataclass(eq=False)
class Server:
    """A real server process.  `url` is None on stdio."""

    process: trio.Process
    url: str | None = None
    said: list[str] = field(default_factory=list[str])
    family: dict[int, psutil.Process] = field(default_factory=dict[int, psutil.Process])

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[Client]:
        """A client that has not said hello."""
        if self.url is None:
            async with listening(Pipes(self.process)) as client:
                yield client
            return
        address = urlsplit(self.url)
        assert address.hostname
        assert address.port
        async with (
            await trio.open_tcp_stream(address.hostname, address.port) as stream,
            trio.open_nursery() as nursery,
        ):
            socket = await wrap_client_stream(
                nursery, stream, address.netloc, "/", max_message_size=MESSAGE_LIMIT
            )
            async with socket, listening(Socket(socket)) as client:
                yield client

    def processes(self) -> list[psutil.Process]:
        """Everything below the server: the nursery process, its workers, their commands."""
        below = psutil.Process(self.process.pid).children(recursive=True)
        self.family.update({process.pid: process for process in below})
        return below

    def nursery(self) -> psutil.Process:
        (only,) = psutil.Process(self.process.pid).children()
        self.processes()
        return only

    def holder(self, path: str) -> psutil.Process | None:
        """The process that has this file open: of a rollout it is the thread's worker."""
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                if any(file.path == path for file in process.open_files()):
                    return process
        return None

    async def kill(self, *processes: psutil.Process) -> None:
        """SIGKILL for these, the server when none is named; return when they are gone."""
        self.processes()
        doomed = list(processes) or [psutil.Process(self.process.pid)]
        for process in doomed:
            os.kill(process.pid, signal.SIGKILL)
        with trio.fail_after(END_SECONDS):
            while any(map(_is_alive, doomed)):
                await trio.sleep(0.001)

    async def end(self) -> int:
        """End the server as its users do and wait for it.  Returns the exit status."""
        if self.process.poll() is None:
            self.processes()
            if self.url is None:
                assert self.process.stdin
                await self.process.stdin.aclose()
            else:
                self.process.terminate()
        with trio.fail_after(END_SECONDS):
            return await self.process.wait()

    async def empty(self) -> None:
        """Return once no process of the family is left."""
        with trio.move_on_after(END_SECONDS):
            while self.left():
                await trio.sleep(0.02)
            return
        raise AssertionError(f"processes were left behind: {self.left()}")

    def left(self) -> list[psutil.Process]:
        return [process for process in self.family.values() if _is_alive(process)]


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def gone(pid: int) -> None:
    """Return once the process has ended; somebody else reaps it."""
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        with trio.fail_after(END_SECONDS):
            await trio.lowlevel.wait_readable(descriptor)
        os.close(descriptor)


@asynccontextmanager
async def serving(
    home: Path,
    cwd: Path,
    *flags: str,
    listen: str = "stdio://",
    program: str = ATRIO,
    **environment: str,
) -> AsyncGenerator[Server]:
    """A server, which is ended at the end; no process of it may be left then."""
    # HOME too is the test's: a login shell must not run the profile of whoever runs the tests
    environment = {**os.environ, "HOME": str(cwd), "CODEX_HOME": str(home), **environment}
    async with trio.open_nursery() as nursery:
        process = await trio.lowlevel.open_process(
            [program, *flags, "app-server", "--listen", listen],
            stdin=-1, stdout=-1, stderr=-1, cwd=cwd, env=environment,
        )  # fmt: skip
        SERVERS.add(process.pid)
        server = Server(process)
        try:
            if listen == "stdio://":
                nursery.start_soon(_read_words, server)
            else:
                await nursery.start(_read_words, server)
            yield server
            await server.end()
            await server.empty()
        finally:
            with trio.CancelScope(shield=True):
                await _clean_up(server)
            nursery.cancel_scope.cancel()
            print(*server.said, sep="\n", file=sys.stderr)  # pytest shows it when a test fails


async def _clean_up(server: Server) -> None:
    for process in server.left():
        process.kill()
    if server.process.poll() is None:
        server.process.kill()
    await server.process.wait()


async def _read_words(
    server: Server, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Keep what the server says on stderr; it is started when it says where it listens."""
    assert server.process.stderr
    lines = Lines(MESSAGE_LIMIT)
    async for data in server.process.stderr:
        for line in lines.feed(bytes(data)):
            assert isinstance(line, bytes)
            server.said.append(line.decode(errors="replace"))
            if found := LISTENING.search(server.said[-1]):
                server.url = found[1]
                task_status.started()
