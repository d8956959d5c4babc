"""One child process on pipes or on a PTY: its output, its input, its end.

Started by `subprocess.Popen` from the main thread, without code between fork and exec: a worker
runs Trio and must not fork, and the parent-death signal of a sandbox follows the thread that
started it, so a thread of a pool would end the command with itself.  Every child leads a session
and a process group of its own, and where the host has them it is born in a control group of its
own: through that, whatever it has started is reached.  Elsewhere it is looked for among what this
worker has adopted.
"""

import contextlib
import errno
import os
import signal
import subprocess
import termios
from collections.abc import Awaitable, Callable, Generator
from typing import TYPE_CHECKING

import trio

from protocol.settings import Limits
from sandbox import Launch, Prepared
from workers import groups, orphans
from workers.limits import inherited

if TYPE_CHECKING:
    import psutil

# How long what was written before the end may still come in, when a grandchild keeps the output
# open.  The reference server waits as long (observed: 51 ms).
DRAIN_SECONDS = 0.05
TERM_SECONDS = 0.5  # for traps: a command killed at once can leave its lock files behind
REAP_SECONDS = 5  # a killed process can hang in the kernel; the worker must not hang with it
READ_BYTES = 64 << 10  # the capacity of a pipe; larger reads are slower, they leave the cache
DRAIN_BYTES = 1 << 20
TTY_SIZE = (24, 80)  # rows, columns; the reference server's default

# A new session has no terminal until its leader opens one.  Python cannot do that between fork
# and exec, so a shell does it in the child and is then replaced by the command.
_ON_TTY = ["/bin/sh", "-c", 'exec 0<>"$0" 1>&0 2>&1; exec "$@"']

_USUAL = Limits()

Sink = Callable[[bytes], None]
Room = Callable[[], Awaitable[None]]

LIVE: "set[Process]" = set()
_BUFFER = memoryview(bytearray(READ_BYTES))


async def _always() -> None:
    """There is room."""


class Process:
    """A started child.  `exit_code` is None while it runs; `pid` is also its process group."""

    def __init__(
        self,
        launch: Launch,
        *,
        tty: bool = False,
        stdin: bool = False,
        apart: bool = False,
        size: tuple[int, int] = TTY_SIZE,
        limits: Limits = _USUAL,
    ) -> None:
        """Start it.  Output and errors are one stream unless they are to be kept `apart`, which
        a terminal of `size` cannot; without `stdin` the input is empty.

        Raises OSError when the program or the cwd is missing.
        """
        self.tty = tty
        self._size = size
        self._errors: trio.lowlevel.FdStream | None = None
        self.exit_code: int | None = None
        self.killed_by: int | None = None  # the signal, once one has ended it
        self._ended = trio.Event()
        self._writer: trio.lowlevel.FdStream | None = None
        self._writing = trio.Lock()
        self._limits = limits
        self._group = groups.make(limits)
        try:
            self._popen = (
                self._start_on_tty(launch) if tty else self._start_on_pipes(launch, stdin, apart)
            )
        except BaseException:
            if self._group is not None:
                self._group.remove()
            raise
        self.pid = self._popen.pid
        LIVE.add(self)

    def _start_on_pipes(self, launch: Launch, stdin: bool, apart: bool) -> subprocess.Popen[bytes]:
        pipes = [os.pipe() for _ in range(2 if apart else 1)]
        try:
            popen = self._spawn(
                launch.prepare(),
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                output=pipes[0][1],
                errors=pipes[-1][1],
            )
        except BaseException:
            for ours, _ in pipes:
                os.close(ours)
            raise
        finally:
            for _, theirs in pipes:
                os.close(theirs)
        self._reader = trio.lowlevel.FdStream(pipes[0][0])
        if apart:
            self._errors = trio.lowlevel.FdStream(pipes[1][0])
        if popen.stdin is not None:
            self._writer = trio.lowlevel.FdStream(os.dup(popen.stdin.fileno()))
            popen.stdin.close()
        return popen

    def _start_on_tty(self, launch: Launch) -> subprocess.Popen[bytes]:
        master, slave = os.openpty()
        try:
            termios.tcsetwinsize(master, self._size)
            through = (*_ON_TTY, os.ttyname(slave)) if not launch.fence else launch.fence.session
            popen = self._spawn(launch.prepare(through), stdin=slave, output=slave, errors=slave)
        except BaseException:
            os.close(master)
            raise
        finally:
            os.close(slave)
        self._reader = self._writer = trio.lowlevel.FdStream(master)
        return popen

    def _spawn(
        self, prepared: Prepared, *, stdin: int, output: int, errors: int
    ) -> subprocess.Popen[bytes]:
        self._prepared = prepared
        try:
            with self._bounds():
                popen = subprocess.Popen(
                    prepared.argv,
                    stdin=stdin,
                    stdout=output,
                    stderr=errors,
                    cwd=prepared.cwd,
                    env=prepared.env,
                    pass_fds=prepared.pass_fds,
                    start_new_session=True,
                    bufsize=0,
                )
        except BaseException:
            prepared.close()
            raise
        prepared.started()
        return popen

    @contextlib.contextmanager
    def _bounds(self) -> Generator[None]:
        """What is forked within is born in its group, and bounded."""
        ground = groups.ground() if self._group else None
        with inherited(self._limits, ground), contextlib.ExitStack() as stack:
            if self._group is not None:
                stack.enter_context(self._group.entered())
            yield

    # ---- its output and its end

    async def run(
        self,
        sink: Sink,
        errors: Sink | None = None,
        room: Room = _always,
        *,
        linger: float | None = None,
    ) -> int:
        """Hand on all output, reap the child, return its exit code.

        `errors` is for a process that keeps them apart.  Before each piece `room` is waited for:
        a process whose output nobody takes has to wait itself.

        Cancelling ends all that it has started: it is asked, then killed.  A grandchild that keeps
        the output open does not keep this waiting; it is left running until this worker ends, and
        what it writes is lost.  With `linger` it may write for so many seconds more, and whatever
        the child has started, wherever it has gone, ends with this.
        """
        try:
            async with trio.open_nursery() as nursery:
                for stream, heard in self._heard(sink, errors):
                    nursery.start_soon(self._read, stream, heard, room)
                await (self._reap() if linger is None else self._wait_exit())
                grace = DRAIN_SECONDS if linger is None else linger
                nursery.cancel_scope.deadline = trio.current_time() + grace
            if linger is not None:
                await self._clear()
            self.drain(sink, errors)
            self._tell_breach(errors or sink)
        finally:
            await self._end()
        assert self.exit_code is not None
        return self.exit_code

    def _tell_breach(self, sink: Sink) -> None:
        """Say which bound it has hit: who reads the output should not have to guess."""
        if self._group is None or not (breach := self._group.verdict()):
            return
        sink(f"atrio: killed: {breach}\n".encode())
        if self.exit_code == 0:  # it ended in time, but not well
            self._note_code(-signal.SIGKILL)

    def _heard(self, sink: Sink, errors: Sink | None) -> list[tuple[trio.lowlevel.FdStream, Sink]]:
        apart = [] if self._errors is None else [(self._errors, errors or sink)]
        return [(self._reader, sink), *apart]

    async def _read(self, stream: trio.lowlevel.FdStream, sink: Sink, room: Room) -> None:
        """Wait first and read then: Trio's streams do it the other way round, which costs each
        piece two more turns of the scheduler.  One buffer serves all, because a new one for each
        piece makes the heap grow and shrink."""
        with contextlib.suppress(OSError):  # EIO: the last holder of the terminal has gone
            while True:
                await room()
                await trio.lowlevel.wait_readable(stream.fileno())
                with contextlib.suppress(BlockingIOError):
                    if not (size := os.readv(stream.fileno(), [_BUFFER])):
                        return
                    sink(bytes(_BUFFER[:size]))

    def drain(self, sink: Sink, errors: Sink | None = None) -> None:
        """Take what is waiting: at the end the machine may be too busy to have read it in time."""
        for stream, heard in self._heard(sink, errors):
            with contextlib.suppress(OSError):  # nothing waits, or the terminal has gone
                for _ in range(DRAIN_BYTES // READ_BYTES):
                    if not (data := os.read(stream.fileno(), READ_BYTES)):
                        break
                    heard(data)

    async def _reap(self) -> None:
        self._note_end()
        if self.exit_code is None:
            await self._wait_exit()
            self._note_end()

    async def _wait_exit(self) -> None:
        """Until the child has ended; where there are pidfds, without reaping it."""
        if not hasattr(os, "pidfd_open"):
            await trio.to_thread.run_sync(self._popen.wait, abandon_on_cancel=True)
        elif self._popen.returncode is None:
            pidfd = os.pidfd_open(self.pid)
            try:
                await trio.lowlevel.wait_readable(pidfd)
            finally:
                os.close(pidfd)

    def _note_end(self) -> None:
        if (code := self._popen.poll()) is None:
            return
        self._note_code(code)
        LIVE.discard(self)
        self._ended.set()

    def _note_code(self, code: int) -> None:
        """Death by signal as the reference server tells it: -1, from a terminal 1 (observed)."""
        self.exit_code = code if code >= 0 else 1 if self.tty else -1
        self.killed_by = -code if code < 0 else None

    async def _end(self) -> None:
        """Leave nothing behind: no child that runs, no zombie, no descriptor."""
        if self.exit_code is None:
            family = _family(self.pid) if self._group is None else []
            self.terminate()
            with trio.move_on_after(TERM_SECONDS, shield=True):
                await self._wait_exit()
            _kill(family)
            await self._clear()
        if self._group is not None:
            self._group.remove()  # or later, when what is left running has ended
        for stream in (self._reader, self._errors, self._writer):
            if stream is not None:
                stream.close()
        await self._give_back()

    async def _clear(self) -> None:
        """Reap it; nothing runs on that it has started, wherever that has gone."""
        self._signal(self._prepared.killing)  # before: its zombie keeps their number
        with trio.move_on_after(REAP_SECONDS, shield=True):
            if self._group is not None:
                await self._group.end()
            await self._reap()
        reap()
        if self._group is None:  # while nothing else runs all that was adopted is its own
            await orphans.end(live, self.pid if LIVE else None)

    async def _give_back(self) -> None:
        """Take away what stood for missing names, once nothing of the sandbox can make them."""
        if self._prepared.gone is not None:
            with trio.move_on_after(REAP_SECONDS, shield=True):
                await trio.lowlevel.wait_readable(self._prepared.gone)
        self._prepared.close()

    async def wait(self) -> int:
        """The exit code, once `run` has seen the end."""
        await self._ended.wait()
        assert self.exit_code is not None
        return self.exit_code

    # ---- what others do to it

    async def write(self, data: bytes) -> None:
        """Raises trio.BrokenResourceError or ClosedResourceError when nobody can read it."""
        if self._writer is None:
            raise trio.ClosedResourceError
        async with self._writing:
            await self._writer.send_all(data)

    def write_now(self, data: bytes) -> int:
        """How much of it is taken without waiting; what is wrong is for `write` to find out."""
        if self._writer is not None and not self._writing.locked():
            with contextlib.suppress(OSError):
                return os.write(self._writer.fileno(), data)
        return 0

    async def close_stdin(self) -> None:
        if self._writer is not None and not self.tty:
            await self._writer.aclose()

    def resize(self, rows: int, columns: int) -> None:
        """Raises OSError when the process is not on a terminal, or has ended."""
        if not self.tty or self.exit_code is not None:
            raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
        termios.tcsetwinsize(self._reader.fileno(), (rows, columns))

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def kill_group(self) -> None:
        """Kill all that belongs to it."""
        self._signal(self._prepared.killing)
        if self._group is not None:
            self._group.kill()

    def _signal(self, number: int) -> None:
        # Only while the child is not reaped: afterwards its number may be somebody else's.
        if self._popen.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)


def _family(pid: int) -> "list[psutil.Process]":
    """All that it has started so far, groups of their own included; not what has left it."""
    import psutil  # noqa: PLC0415 - most processes end by themselves

    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def _kill(family: "list[psutil.Process]") -> None:
    import psutil  # noqa: PLC0415 - as above

    for process in family:
        with contextlib.suppress(psutil.Error):
            process.kill()  # looks first whether the number is still the same process's


def live() -> set[int]:
    """The children that are waited for here."""
    return {process.pid for process in LIVE}


def reap() -> None:
    """Bury what commands have left and has ended."""
    orphans.reap(live())


def kill_all() -> None:
    """Kill every live command of this process, with all that it has started."""
    for process in list(LIVE):
        process.kill_group()
