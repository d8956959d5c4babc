"""Where one message ends and the next begins, without any I/O."""

import struct
from collections.abc import Iterator

_LENGTH = struct.Struct(">I")
FRAME_LIMIT = 1 << 30  # nothing that we frame comes near it; a longer length is a lost stream


class Overlong(ValueError):
    """A message beyond the limit; the splitter has passed over it and goes on."""


def line(message: bytes) -> bytes:
    """One message on a byte stream that is split at newlines."""
    return message + b"\n"


def text_frame(message: bytes) -> bytes:
    """One message as an unmasked, final WebSocket text frame (RFC 6455, section 5.2)."""
    size = len(message)
    if size < 126:
        return bytes((0x81, size)) + message
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2) + message
    return b"\x81\x7f" + size.to_bytes(8) + message


def pack(payload: bytes) -> bytes:
    return _LENGTH.pack(len(payload)) + payload


class Frames:
    """Splits a byte stream into payloads, each behind four bytes of length."""

    def __init__(self) -> None:
        self._begun = bytearray()  # a frame that has not come whole, with its length

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield each payload completed by `data`.

        Raises ValueError when the stream cannot be one of ours.
        """
        start = 0
        if self._begun:
            start = self._go_on(data)
            if not self._is_whole():
                return
            yield bytes(memoryview(self._begun)[_LENGTH.size :])
        while len(data) - start >= _LENGTH.size:
            end = start + _size(data, start)
            if end > len(data):
                break
            yield data[start + _LENGTH.size : end]
            start = end
        self._begun = bytearray(data[start:])

    def _go_on(self, data: bytes) -> int:
        """Add what the frame lacks, and no more: a large one comes in hundreds of pieces."""
        taken = max(0, _LENGTH.size - len(self._begun))
        self._begun += data[:taken]
        if len(self._begun) < _LENGTH.size:
            return len(data)
        end = taken + _size(self._begun, 0) - len(self._begun)
        self._begun += data[taken:end]
        return end

    def _is_whole(self) -> bool:
        return len(self._begun) >= _LENGTH.size and len(self._begun) == _size(self._begun, 0)


def _size(data: bytes | bytearray, start: int) -> int:
    """Of the whole frame that starts there."""
    (length,) = _LENGTH.unpack_from(data, start)
    if length > FRAME_LIMIT:
        raise ValueError(f"a frame of {length} bytes")
    return _LENGTH.size + length


class Lines:
    """Splits a byte stream into lines of at most `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pending: list[bytes] = []
        self._size = 0
        self._skipping = False

    def feed(self, data: bytes) -> Iterator[bytes | Overlong]:
        """Yield each line that `data` completes, without its end; an Overlong for each skipped."""
        *whole, rest = data.split(b"\n")
        for piece in whole:
            yield from self._finish(piece)
        self._keep(rest)

    def close(self) -> Iterator[bytes | Overlong]:
        """Yield what stood on a last line without an end."""
        if self._pending or self._skipping:
            yield from self._finish(b"")

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._limit:
            self._skipping = True
            self._pending.clear()
        elif piece:
            self._pending.append(piece)

    def _finish(self, piece: bytes) -> Iterator[bytes | Overlong]:
        self._keep(piece)
        skipped, line = self._skipping, b"".join(self._pending)
        self._pending, self._size, self._skipping = [], 0, False
        if skipped:
            yield Overlong(f"a line of more than {self._limit} bytes")
        elif line := line.strip():
            yield line
