"""What a command has written: kept within bounds, and told to the model within its budget.

Both ends of a long output are kept and the middle is left out: the beginning says what was done,
the end how it went.
"""

import secrets

BUFFER_BYTES = 1 << 20  # of one command; the reference server's bound (observed)
BYTES_PER_TOKEN = 4  # an estimate, good for text and code; no tokenizer is worth its memory here
MAX_OUTPUT_TOKENS = 10_000  # for the model, whatever it asks for (observed)


class HeadTail:
    """The first and the last half of what was added, `limit` bytes together."""

    def __init__(self, limit: int = BUFFER_BYTES) -> None:
        self.total = 0
        self._half = limit // 2
        self._head = bytearray()
        self._tail = bytearray()

    def add(self, data: bytes) -> None:
        self.total += len(data)
        room = self._half - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > 2 * self._half:  # cut rarely: each cut copies
            self._trim()

    def _trim(self) -> None:
        del self._tail[: max(0, len(self._tail) - self._half)]

    def text(self) -> str:
        """What is kept, read as UTF-8."""
        self._trim()
        return (self._head + self._tail).decode("utf-8", "replace")

    def take(self) -> str:
        """What is kept; afterwards this is empty."""
        text = self.text()
        self.total = 0
        self._head.clear()
        self._tail.clear()
        return text


def tokens(size: int) -> int:
    """About how many tokens `size` bytes of text are."""
    return -(-size // BYTES_PER_TOKEN)


def elided(text: str, budget: int) -> str:
    """Both ends of the text, `budget` tokens together; the text itself if it fits."""
    data = text.encode("utf-8", "replace")
    limit = max(0, budget) * BYTES_PER_TOKEN
    if len(data) <= limit:
        return text
    half = limit // 2
    head = data[:half].decode("utf-8", "ignore")
    tail = data[len(data) - half :].decode("utf-8", "ignore")
    return f"{head}…{tokens(len(data) - limit)} tokens truncated…{tail}"


def shown(text: str, budget: int) -> str:
    """As `elided`, with the number of lines ahead of a text that had to be cut."""
    cut = elided(text, budget)
    return text if cut is text else f"Total output lines: {_lines(text)}\n\n{cut}"


def _lines(text: str) -> int:
    return text.count("\n") + (not text.endswith("\n"))


def session_report(
    text: str, *, seconds: float, exit_code: int | None, session_id: int, max_tokens: int | None
) -> str:
    """What `exec_command` and `write_stdin` tell the model."""
    limit = MAX_OUTPUT_TOKENS if max_tokens is None else min(max_tokens, MAX_OUTPUT_TOKENS)
    if exit_code is None:
        state = f"Process running with session ID {session_id}"
    else:
        state = f"Process exited with code {exit_code}"
    return (
        f"Chunk ID: {secrets.token_hex(3)}\nWall time: {seconds:.4f} seconds\n{state}\n"
        f"Original token count: {tokens(len(text.encode('utf-8', 'replace')))}\n"
        f"Output:\n{shown(text, limit)}"
    )


def command_report(text: str, *, seconds: float, exit_code: int) -> str:
    """What the shell tools tell the model; `seconds` are rounded to a tenth."""
    cut = elided(text, MAX_OUTPUT_TOKENS)
    total = "" if cut is text else f"Total output lines: {_lines(text)}\n"
    wall = f"{round(seconds, 1):g}"
    return f"Exit code: {exit_code}\nWall time: {wall} seconds\n{total}Output:\n{cut}"
