"""The worker's end of the pipe: calls come in, replies, events and questions go out.

Everything that is said within one turn of the scheduler travels in one write.  Deltas that follow
each other faster than a reader could tell apart travel together, because a write that wakes another
process costs more than all the rest of a delta (bench/stream.py, paced).
"""

import os
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager, suppress
from math import inf

import trio

from protocol import frames
from protocol.frames import Down, Event, Frame
from protocol.framing import Frames

READ_BYTES = 1 << 16
HIGH_WATER = 1 << 20  # bytes that may wait for the supervisor before a turn waits too
GATHER_SECONDS = 0.004  # between two writes of deltas alone; a model's words come every 10 to 20 ms
GATHER_BYTES = 1 << 16  # a burst need not wait


class Link:
    """Frames over any `trio.abc.Stream`."""

    def __init__(self, stream: trio.abc.Stream, next_seq: int = 0) -> None:
        self._stream = stream
        self._waiting: list[bytes] = []
        self._size = 0
        self._said = trio.Event()
        self._written = trio.Event()
        self._urgent = trio.Event()
        self._gathering = False
        self._pushed_at = -inf
        self._writing = False
        self._lost = False
        self.next_seq = next_seq

    def send(self, frame: Frame) -> None:
        data = frames.encode(frame)
        self._waiting.append(data)
        self._size += len(data)
        if not self._gathering:
            self._said.set()
            self._urgent.set()

    @contextmanager
    def together(self, *, at_once: bool = False) -> Generator[None]:
        """Write what is said within in one piece: at once, unless something was just written.

        A delta that comes alone then costs no turn of the scheduler beyond its own.  What has to
        go `at_once` waits only while the writer has something to write already.
        """
        self._gathering = isinstance(self._stream, trio.SocketStream)
        try:
            yield
        finally:
            if self._gathering and self._waiting:
                self._push(0 if at_once else GATHER_SECONDS)
            self._gathering = False

    def _push(self, gather_seconds: float) -> None:
        now = trio.current_time()
        if not self._said.is_set() and now - self._pushed_at >= gather_seconds:
            self._write_now()
            self._pushed_at = now
        if self._waiting:
            self._said.set()
            if self._size > GATHER_BYTES or not gather_seconds:
                self._urgent.set()

    def _write_now(self) -> None:
        assert isinstance(self._stream, trio.SocketStream)
        data, taken = b"".join(self._waiting), 0
        with suppress(OSError):  # not now, or the supervisor is gone: `write` finds out
            taken = os.write(self._stream.socket.fileno(), data)
        self._waiting, self._size = [data[taken:]] if taken < len(data) else [], len(data) - taken

    def event(self, method: str, body: bytes, only: int | None = None) -> None:
        """Send a finished notification, under the thread's next number."""
        self.send(Event(self.next_seq, method, body, only))
        self.next_seq += 1

    async def write(self) -> None:
        """Write what is said, until cancelled.  Returns when the supervisor is gone."""
        try:
            while True:
                await self._said.wait()
                if not self._urgent.is_set():
                    with trio.move_on_at(self._pushed_at + GATHER_SECONDS):
                        await self._urgent.wait()
                self._urgent = trio.Event()
                self._pushed_at = trio.current_time()
                data, self._waiting, self._size = b"".join(self._waiting), [], 0
                self._writing = True
                await self._stream.send_all(data)
                self._writing = False
                if not self._waiting:
                    self._said = trio.Event()
                self._written.set()
                self._written = trio.Event()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._lost = True
            self._written.set()

    async def wait_room(self) -> None:
        """Return once the supervisor keeps up, or is gone."""
        while self._size > HIGH_WATER and not self._lost:
            await self._written.wait()

    async def flush(self) -> None:
        """Return once all that was said has been handed to the system, or nobody can hear it."""
        self._urgent.set()
        while (self._waiting or self._writing) and not self._lost:
            await self._written.wait()

    async def read(self) -> AsyncIterator[Down]:
        """Yield the supervisor's frames; ends with the stream."""
        splitter = Frames()
        while True:
            try:
                data = await self._stream.receive_some(READ_BYTES)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return
            if not data:
                return
            for payload in splitter.feed(bytes(data)):
                yield frames.decode_down(payload)
