"""One client on the process's own standard streams: a message is a line.

The wire is taken away from descriptors 0 and 1 before anything else can use them: a stray `print`
goes to stderr, and a child finds nothing to read.  Pipes and terminals are opened anew where the
system allows it, because O_NONBLOCK belongs to the open file and not to us: set on a shared one,
it would outlive us in the terminal that started us.
"""

import fcntl
import logging
import os
import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import trio

from protocol.framing import Lines, Overlong
from supervisor.options import Refused
from supervisor.outbox import Closed, Outbox
from supervisor.transport import Host

LINE_LIMIT = 64 << 20  # bytes; four times the largest WebSocket message
READ_BYTES = 64 << 10  # what a Linux pipe holds
PIPE_BYTES = 256 << 10  # what ours to the client is to hold
ANSWER_SECONDS = 2.0  # what a request may still take once the client has stopped asking

log = logging.getLogger(__name__)


class Input(Protocol):
    async def receive_some(self, max_bytes: int) -> bytes | bytearray: ...


class Output(Protocol):
    async def send_all(self, data: bytes) -> None: ...


class Client(Protocol):
    """What is needed of a connection to converse with it."""

    outbox: Outbox
    in_flight: int

    def receive(self, message: bytes) -> None: ...


class FileStream:
    """A file or a device that cannot be polled: read and written in a thread."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    async def receive_some(self, max_bytes: int) -> bytes:
        return await trio.to_thread.run_sync(os.read, self._fd, max_bytes, abandon_on_cancel=True)

    async def send_all(self, data: bytes) -> None:
        await trio.to_thread.run_sync(self._write, data)

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(self._fd, left) :]

    async def aclose(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
        await trio.lowlevel.checkpoint()


@dataclass(frozen=True)
class Wire:
    """Private descriptors of what were stdin and stdout."""

    stdin: int
    stdout: int


def claim() -> Wire:
    """Take the standard streams; to be called before any child is started.

    Raises Refused when one of them is closed.
    """
    try:
        wire = Wire(_private(0, os.O_RDONLY), _private(1, os.O_WRONLY))
        _widen(wire.stdout)
    except OSError as error:
        raise Refused(f"stdin and stdout must be open to serve stdio:// ({error})") from None
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return wire


def _private(fd: int, mode: int) -> int:
    """A descriptor of the same pipe or terminal with flags of its own, or else a duplicate."""
    kind = os.fstat(fd).st_mode
    if stat.S_ISFIFO(kind) or os.isatty(fd):
        with suppress(OSError):
            return os.open(f"/dev/fd/{fd}", mode | os.O_NOCTTY | os.O_NONBLOCK)
    return os.dup(fd)


def _widen(stdout: int) -> None:
    """A delta of 64 KiB of output is 87 KiB of text, and each piece of it wakes the client."""
    with suppress(OSError, AttributeError):  # no pipe, not on this system, or beyond a user's bound
        fcntl.fcntl(stdout, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


@asynccontextmanager
async def streams(wire: Wire) -> AsyncGenerator[tuple[Input, Output]]:
    """stdin and stdout, whatever they are; at the end they are as they were."""
    stdin, stdout = _open(wire.stdin), _open(wire.stdout)
    try:
        yield stdin, stdout
    finally:
        with trio.CancelScope(shield=True):  # neither close waits for anybody
            await stdout.aclose()  # the second to be opened: both may be one socket, and then
            await stdin.aclose()  # only the first knows whether it was blocking


def _open(fd: int) -> trio.lowlevel.FdStream | FileStream:
    kind = os.fstat(fd).st_mode
    if stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind) or os.isatty(fd):
        return trio.lowlevel.FdStream(fd)  # puts the blocking mode back when it is closed
    return FileStream(fd)


async def serve_stdio(
    host: Host,
    wire: Wire | None = None,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the one client, and return once it has gone and been told all that was queued."""
    async with streams(wire or claim()) as (stdin, stdout):
        with host.connect("line") as connection:
            task_status.started()
            await converse(connection, stdin, stdout)


async def converse(connection: Client, stdin: Input, stdout: Output) -> None:
    """Read and write until the client ends its input or takes no more output."""
    async with trio.open_nursery() as nursery:
        ended = trio.Event()

        async def speak() -> None:
            await _write(connection, stdout, ended)
            nursery.cancel_scope.cancel()

        nursery.start_soon(speak)
        if isinstance(stdout, trio.lowlevel.FdStream):
            connection.outbox.push = partial(_push, stdout)
        await _read(connection, stdin)
        connection.outbox.push = None  # the last answer must come to the writer's notice
        ended.set()
        if connection.in_flight:
            await trio.sleep(ANSWER_SECONDS)
        connection.outbox.close()


async def _read(connection: Client, stdin: Input) -> None:
    lines = Lines(LINE_LIMIT)
    with suppress(trio.BrokenResourceError):
        while data := await _receive(connection, stdin):
            for line in lines.feed(bytes(data)):
                _take(connection, line)
    for line in lines.close():
        _take(connection, line)


async def _receive(connection: Client, stdin: Input) -> bytes | bytearray:
    """The next bytes, once the client has read enough of what it was told already."""
    await connection.outbox.wait_room()
    try:
        return await stdin.receive_some(READ_BYTES)
    except OSError as error:  # a terminal that has hung up says EIO
        log.warning("stdin has failed (%s); taken as its end", error)
        return b""


def _take(connection: Client, line: bytes | Overlong) -> None:
    if isinstance(line, Overlong):
        log.warning("ignored %s on stdin; send less in one message", line)
    else:
        connection.receive(line)


def _push(stdout: trio.lowlevel.FdStream, data: bytes) -> int:
    """Write what fits; that the client has gone is for the writer to find out."""
    try:
        return os.write(stdout.fileno(), data)
    except OSError:
        return 0


async def _write(connection: Client, stdout: Output, ended: trio.Event) -> None:
    """Return when the outbox is closed and empty, or the client has gone.

    Once the client has ended its input, the last answer to go out closes the outbox.
    """
    with suppress(Closed, trio.BrokenResourceError):
        while True:
            await stdout.send_all(await connection.outbox.take())
            if ended.is_set() and not connection.in_flight:
                connection.outbox.close()
