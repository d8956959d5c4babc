"""Memory citations: a marked part of an answer says what it rests on.

Clients get it apart from the text, and never see the mark, wherever the stream cuts it.  The model
is told its own answers again as they were.
"""

import re

from protocol.item import MemoryCitation, MemoryCitationEntry

OPEN, CLOSE = "<oai-mem-citation>", "</oai-mem-citation>"
_ENTRIES = re.compile(r"<citation_entries>(.*?)</citation_entries>", re.DOTALL)
_THREADS = re.compile(r"<(rollout_ids|thread_ids)>(.*?)</\1>", re.DOTALL)
_ENTRY = re.compile(r"(.+):(\d+)-(\d+)\|note=\[(.*)\]")


class Hidden:
    """Takes the marked parts out of one message as it streams."""

    def __init__(self) -> None:
        self._held = ""  # the start of what may become a mark
        self._inside = False

    def take(self, delta: str) -> str:
        """What of it a client may see by now."""
        text, self._held, seen = self._held + delta, "", ""
        while (at := text.find(self._mark)) >= 0:
            seen += "" if self._inside else text[:at]
            text = text[at + len(self._mark) :]
            self._inside = not self._inside
        kept = len(text) - _begun(text, self._mark)
        self._held = text[kept:]
        return seen if self._inside else seen + text[:kept]

    def end(self) -> str:
        """What has not become a mark."""
        held, self._held = self._held, ""
        return "" if self._inside else held

    @property
    def _mark(self) -> str:
        return CLOSE if self._inside else OPEN


def _begun(text: str, mark: str) -> int:
    """How much of the text's end is the beginning of a mark."""
    for size in range(min(len(mark) - 1, len(text)), 0, -1):
        if text.endswith(mark[:size]):
            return size
    return 0


def split(text: str) -> tuple[str, MemoryCitation | None]:
    """The text without its marked parts, and what those say."""
    if OPEN not in text:
        return text, None
    hidden: list[str] = []
    seen, *rest = text.split(OPEN)
    for part in rest:
        body, _, after = part.partition(CLOSE)
        hidden.append(body)
        seen += after
    return seen, _citation("\n".join(hidden))


def _citation(body: str) -> MemoryCitation | None:
    lines = "\n".join(_ENTRIES.findall(body)).splitlines()
    entries = [
        MemoryCitationEntry(int(found[3]), int(found[2]), found[4], found[1])
        for line in lines
        if (found := _ENTRY.fullmatch(line.strip()))
    ]
    words = (word for _, block in _THREADS.findall(body) for word in block.split())
    threads = list(dict.fromkeys(words))
    return MemoryCitation(entries, threads) if entries or threads else None
