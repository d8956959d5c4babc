"""Server-sent events, split out of a stream of bytes; does no I/O and decodes nothing.

A model's answer is thousands of small events that arrive in large pieces, so the common shape
(an optional `event:` line, one `data:` line) is cut by two searches in C; every other shape that
the standard allows takes a slower path by lines.  https://html.spec.whatwg.org/#event-stream
"""

MAX_EVENT_BYTES = 64 << 20  # one image in base64 is several MiB; more than this is no event

_BOM = b"\xef\xbb\xbf"


class EventTooLong(Exception):
    """An event grows beyond MAX_EVENT_BYTES; the stream is of no further use."""


class Splitter:
    """Cuts one stream.  Feed it pieces as they arrive, cut anywhere, even inside a character."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []  # of the unfinished event
        self._size = 0
        self._after_cr = False

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the data of every event that `piece` completes.  Raises EventTooLong."""
        piece = self._newlines(piece)
        if not piece:
            return []
        ends = b"\n\n" in piece or (
            bool(self._parts) and piece[0] == 10 and self._parts[-1][-1] == 10
        )
        self._parts.append(piece)
        self._size += len(piece)
        return self._cut() if ends else self._wait()

    def end(self) -> list[bytes]:
        """Return what a stream without its last empty line still holds.

        The standard drops it; a proxy that trims a body must not cost the whole response.
        """
        if not self._parts:
            return []
        self._parts.append(b"\n\n")
        return self._cut()

    def _newlines(self, piece: bytes) -> bytes:
        if self._after_cr and piece.startswith(b"\n"):
            piece = piece[1:]
            self._after_cr = False
        if b"\r" in piece:
            self._after_cr = piece.endswith(b"\r")
            return piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if piece:
            self._after_cr = False
        return piece

    def _wait(self) -> list[bytes]:
        if self._size > MAX_EVENT_BYTES:
            raise EventTooLong(f"an event of the stream exceeds {MAX_EVENT_BYTES >> 20} MiB")
        return []

    def _cut(self) -> list[bytes]:
        blocks = b"".join(self._parts).split(b"\n\n")
        rest = blocks.pop()
        self._parts = [rest] if rest else []
        self._size = len(rest)
        return [data for block in blocks if (data := _data(block))]


def _data(block: bytes) -> bytes:
    """Return the data of one event, b"" for a comment or an event without any."""
    if block.startswith(b"data: "):
        head, data = b"", block[6:]
    else:
        head, _, data = block.partition(b"\ndata: ")
    if not data or b"\n" in data or b"data" in head:
        return _data_by_lines(block)
    return data


def _data_by_lines(block: bytes) -> bytes:
    lines: list[bytes] = []
    for line in block.removeprefix(_BOM).split(b"\n"):
        name, _, value = line.partition(b":")
        if name == b"data":
            lines.append(value.removeprefix(b" "))
    return b"\n".join(lines)
