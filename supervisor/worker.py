"""One child process, and the nursery process that bears them.

A worker is known by its link: when the link closes the worker is gone, whatever its process does.
Spares are forked ahead of need, because no fork may stand on the path of a request.
"""

import logging
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress

import trio

from protocol import frames
from protocol.frames import Frame, Hello, Up
from protocol.framing import Frames
from protocol.policy import Minimum
from supervisor import orphans

READ_BYTES = 1 << 18
FORK, IMPORT_MCP = b"W", b"M"  # what the nursery process is asked for
SPARES = 2  # each owns 3 MiB; one of them waits to be put where the others are
RESTART_SECONDS = 1.0  # a nursery that keeps dying must not keep a core busy
HELLO_SECONDS = 30.0  # from the nursery's start to its first worker, on a machine that is very busy
FAREWELL_SECONDS = 8.0  # for the nursery process to see its workers off; it gives them five

log = logging.getLogger("atrio.worker")
_BUFFER = memoryview(bytearray(READ_BYTES))  # for all: a new one per read costs three system calls


class Worker:
    """The supervisor's end of one link.  `pid` is known once the worker has said hello, and is
    its own until the link closes.

    It waits first and reads then, and writes at once where the system takes it: Trio's streams do
    it the other way round, which costs each small message two more turns of the scheduler.
    """

    def __init__(self, link: socket.socket, *, has_mcp: bool = False) -> None:
        """`has_mcp` says that it was born with what MCP servers take."""
        self.has_mcp = has_mcp
        link.setblocking(False)
        self._link = link
        self._splitter = Frames()
        self._waiting: list[bytes] = []
        self._said = trio.Event()
        self.pid: int | None = None
        self.gone = trio.Event()

    def send(self, frame: Frame) -> None:
        data = frames.encode(frame)
        if not self._waiting:
            data = data[self._push(data) :]
        if data:
            self._waiting.append(data)
            self._said.set()

    def _push(self, data: bytes | memoryview) -> int:
        """How many bytes the system has taken; a worker that is gone takes all."""
        try:
            return self._link.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)

    async def hello(self) -> bool:
        """Wait for the first frame.  False when the worker died before it."""
        while True:
            for frame in await self.receive() or (None,):
                if frame is None:
                    return False
                if isinstance(frame, Hello):
                    self.pid = frame.pid
                    return True

    async def write(self) -> None:
        """Write what the system did not take at once, until cancelled."""
        while True:
            await self._said.wait()
            data = b"".join(self._waiting)
            self._waiting = [data]
            left = memoryview(data)  # a large one goes in hundreds of pieces
            while left := left[self._push(left) :]:
                with suppress(trio.ClosedResourceError):
                    await trio.lowlevel.wait_writable(self._link)
            del self._waiting[0]
            if not self._waiting:
                self._said = trio.Event()

    async def receive(self) -> list[Up]:
        """All frames that have come together; empty when the worker is gone."""
        while True:
            try:
                await trio.lowlevel.wait_readable(self._link)
                data = bytes(_BUFFER[: self._link.recv_into(_BUFFER)])
                heard = [frames.decode_up(payload) for payload in self._splitter.feed(data)]
            except BlockingIOError:
                continue
            except (OSError, trio.ClosedResourceError):
                return []
            except ValueError as error:  # includes msgspec's; a worker that babbles is no worker
                log.warning("worker %s sent what is no frame: %s", self.pid, error)
                self.kill()
                return []
            if heard or not data:
                return heard

    def has_left(self) -> bool:
        """Whether a spare has died: it says nothing by itself, so all that it brings is EOF."""
        poll = select.poll()
        poll.register(self._link, select.POLLIN)
        return bool(poll.poll(0))

    def kill(self) -> None:
        """Do not wait for it any more; whoever receives from it sees that it is gone."""
        if self.pid is not None and not self.gone.is_set():
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self.close()

    def close(self) -> None:
        if not self.gone.is_set():
            self.gone.set()
            trio.lowlevel.notify_closing(self._link)
            self._link.close()


class NurseryProcess:
    """Starts the nursery process, keeps spares ready, starts it again if it dies.

    `minimum` is the weakest sandbox that its workers may make.
    """

    def __init__(self, command: Iterable[str] | None = None, minimum: Minimum = "full") -> None:
        python = (sys.executable, "-I", "-X", "faulthandler", "-m", "workers")
        self._command = list(command or (*python, "nursery", minimum))
        self._control: trio.SocketStream | None = None
        self._up = trio.Event()
        self._give, self._spares = trio.open_memory_channel[Worker](SPARES - 1)
        self._idle: set[Worker] = set()
        self._has_mcp = False  # it has been asked to import what MCP takes
        self._sessions = {os.getsid(0)}  # ours and those of all nursery processes
        self.process: subprocess.Popen[bytes] | None = None

    async def adopt(self, *, mcp: bool = False) -> Worker:
        """A worker that has said hello and is nobody yet.

        The library for `mcp` takes most of a second to import, and most servers do without.  So
        whoever is the first to want it imports it, and from then on workers are born with it.
        """
        while True:
            worker = await self._spares.receive()
            self._idle.discard(worker)
            if worker.has_left() or (mcp and self._has_mcp and not worker.has_mcp):
                worker.close()
                continue
            if mcp and not self._has_mcp:
                await self._import_mcp()
            return worker

    async def _import_mcp(self) -> None:
        if self._control is not None:
            with suppress(OSError, trio.ClosedResourceError):
                await self._control.socket.send(IMPORT_MCP)
                self._has_mcp = True

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep a nursery process and its spares, until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_spares)
                await self._start()
                task_status.started()
                orphans.adopt()
                await self._watch()
                nursery.start_soon(self._keep_clearing)
                while True:
                    log.error("the nursery process has died; starting another")
                    await self._restart()
                    await self._watch()
        finally:
            with trio.CancelScope(shield=True):
                await self._stop()

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            fd = theirs.fileno()
            # Popen and not trio.lowlevel.open_process: it must be a child of this very thread.
            try:
                self.process = subprocess.Popen(
                    [*self._command, str(fd)],
                    pass_fds=[fd],
                    stdin=subprocess.DEVNULL,
                    cwd="/",
                    start_new_session=True,  # who kills our group leaves it to end the commands
                )
            except OSError:
                ours.close()
                raise
        self._sessions.add(self.process.pid)
        self._has_mcp = False
        self._control = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
        self._up.set()

    async def _restart(self) -> None:
        """However long it takes: threads that have a worker go on meanwhile."""
        self._up = trio.Event()
        await self._end(0)
        while not self._up.is_set():
            await trio.sleep(RESTART_SECONDS)
            try:
                await self._start()
            except OSError as error:  # out of descriptors, or of processes
                log.error("cannot start the nursery process (%s); trying again", error)  # noqa: TRY400

    async def _watch(self) -> None:
        """Read what the nursery reports, until it is gone."""
        assert self._control is not None
        try:
            while data := await self._control.receive_some(4096):
                log.debug("nursery: %s", data.decode(errors="replace").strip())
        except trio.BrokenResourceError:
            pass

    async def _keep_clearing(self) -> None:
        """A dead nursery process has left us its workers: do for them what it would have done."""
        while True:
            orphans.clear(self._sessions)
            await trio.sleep(RESTART_SECONDS)

    async def _keep_spares(self) -> None:
        while True:
            await self._up.wait()
            worker = await self._fork()
            if worker is not None:
                await self._give.send(worker)
            else:  # as soon as it could be otherwise, but without keeping a core busy
                await trio.sleep(RESTART_SECONDS / 10)

    async def _fork(self) -> Worker | None:
        assert self._control is not None
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                await self._control.socket.sendmsg([FORK], [_rights(theirs)])
            except (OSError, trio.ClosedResourceError):
                ours.close()
                return None
            except trio.Cancelled:
                ours.close()
                raise
        worker = Worker(ours, has_mcp=self._has_mcp)
        self._idle.add(worker)  # from here on: whoever stops us must let it go
        with trio.move_on_after(HELLO_SECONDS) as patience:
            if await worker.hello():
                return worker
        if patience.cancelled_caught and self.process is not None:
            log.error("the nursery process does not answer; killing it")
            self.process.kill()
        self._idle.discard(worker)
        worker.close()
        return None

    async def _stop(self) -> None:
        """Let the spares go and close the control socket: the nursery ends by itself."""
        for spare in self._idle:
            spare.close()
        await self._end(FAREWELL_SECONDS)

    async def _end(self, farewell_seconds: float) -> None:
        if self._control is not None:
            await self._control.aclose()
        if self.process is None:
            return
        with trio.move_on_after(farewell_seconds):
            while self.process.poll() is None:
                await trio.sleep(0.005)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        orphans.clear(self._sessions)


def _rights(sock: socket.socket) -> tuple[int, int, bytes]:
    return socket.SOL_SOCKET, socket.SCM_RIGHTS, sock.fileno().to_bytes(4, sys.byteorder)
