"""What waits to be written to one client: bounded in bytes, handed over in one piece."""

from collections.abc import Callable

import trio

LIMIT_BYTES = 16 << 20  # one message may be as large as the protocol's largest; see DESIGN.md 7


class Closed(Exception):
    """Nothing more will come out of this box."""


class Outbox:
    """Bytes that are framed already.  `put` never waits; whoever fills it beyond `limit` is told.

    `push` writes at once what the system takes without waiting, and returns how much that was.  It
    is called only while the writer waits in `take`: a delta that comes alone need not wake it.
    """

    def __init__(self, limit: int = LIMIT_BYTES) -> None:
        self.limit = limit
        self.size = 0
        self.push: Callable[[bytes], int] | None = None
        self._idle = False
        self._waiting: list[bytes] = []
        self._filled = trio.Event()
        self._drained = trio.Event()
        self._closed = False

    @property
    def full(self) -> bool:
        return self.size > self.limit

    @property
    def closed(self) -> bool:
        return self._closed

    def put(self, data: bytes) -> None:
        if self._closed:
            return
        if self.push is not None and self._idle and not self._waiting:
            data = data[self.push(data) :]
            if not data:
                return
        self._waiting.append(data)
        self.size += len(data)
        self._filled.set()

    def close(self) -> None:
        """Let what waits be taken, and nothing more in."""
        self._closed = True
        self._filled.set()
        self._drained.set()

    async def take(self) -> bytes:
        """All that waits, as one piece.  Raises Closed when the box is closed and empty."""
        while not self._waiting:
            if self._closed:
                raise Closed
            self._filled = trio.Event()
            self._idle = True
            await self._filled.wait()
            self._idle = False
        data = b"".join(self._waiting)
        self._waiting.clear()
        self.size = 0
        self._drained.set()
        self._drained = trio.Event()
        return data

    async def wait_room(self, size: int | None = None) -> None:
        """Return once the box holds no more than `size`, by default its limit, or is closed."""
        while self.size > (self.limit if size is None else size) and not self._closed:
            await self._drained.wait()
