"""Load a thread from its file: what the model knows, what clients see, what it ran with.

The file is read through once for the turns and for the places that matter; the model's items are
then read from the last compaction on, without the stretches that a rollback took back.  So memory
follows the model's context and the clients' view, not the size of the file.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO, TypeVar

import msgspec
from msgspec import Struct, field

from protocol import goal, meta, summary
from protocol.errors import DECODE_ERRORS
from protocol.event import TokenCount
from protocol.goal import ThreadGoal
from protocol.history import fault
from protocol.rollout import Compacted, SessionMeta, TurnContext, kind, opened
from protocol.stored import Transcript
from protocol.thread import ThreadTokenUsage
from protocol.turn import Turn
from workers import record
from workers.history import is_word, message, message_text

T = TypeVar("T")

UNSENT = ("ghost_snapshot", "other")  # items that no request takes


class Replay(Struct):
    """A loaded thread.

    `meta` is None when the file has no readable `session_meta`.  `context` are the settings of the
    last turn that still counts; `told` is false when the model has not been told of them since
    the last compaction.  `compactions` counts those that still count.  `preview` is what was said
    first, taken back or not, as a list of threads shows it.  `size` is how much of the file this
    is, to which the worker of a thread that is forked here may be adding.
    """

    meta: SessionMeta | None = None
    items: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    turns: list[Turn] = field(default_factory=list[Turn])
    context: TurnContext | None = None
    told: bool = False
    usage: ThreadTokenUsage | None = None
    usage_turn_id: str = ""
    compactions: int = 0
    goal: ThreadGoal | None = None
    preview: str = ""
    size: int = 0


class _ContextLine(Struct):
    payload: TurnContext


class _CompactedLine(Struct):
    payload: Compacted


class _UsageLine(Struct):
    payload: TokenCount


class _ItemLine(Struct):
    payload: dict[str, Any]


_context = msgspec.json.Decoder(_ContextLine)
_compacted = msgspec.json.Decoder(_CompactedLine)
_usage = msgspec.json.Decoder(_UsageLine)
_item = msgspec.json.Decoder(_ItemLine)


def replay(path: str) -> Replay:
    """The thread in the file at `path`.  Blocks; raises OSError."""
    with opened(path) as file:
        places = _Places()
        for line in file:
            places.take(line)
        loaded = _load(file, places)
        file.seek(0)
        found = summary.summary(file)
    loaded.preview = found.preview if found else ""
    return loaded


def keeps_words(line: bytes) -> bool:
    """Whether a line belongs into the file of an agent that knows what its parent was told.

    What was done does not, nor with what settings: the agent is told of its own (observed).
    """
    match kind(line):
        case (b"response_item", b"message"):
            return (read := _decoded(_item, line)) is not None and is_word(read.payload)
        case (b"response_item", _) | (b"turn_context", _) | None:
            return False
        case _:
            return True


class _Places:
    """Where in the file things are."""

    def __init__(self) -> None:
        self.transcript = Transcript()
        self.meta: SessionMeta | None = None
        self.usage: bytes | None = None
        self.usage_turn_id = ""
        self.contexts: list[int] = []
        self.goal: ThreadGoal | None = None
        self.compactions: list[int] = []

    def take(self, line: bytes) -> None:
        start = self.transcript.offset
        match self.transcript.take(line):
            case (b"session_meta", _) if found := meta.decode(line):
                if self.meta is None:
                    self.meta = found
                meta.amend(self.meta, found)
            case (b"turn_context", _):
                self.contexts.append(start)
            case (b"compacted", _):
                self.compactions.append(start)
            case (b"event_msg", b"token_count") if b"total_token_usage" in line:
                self.usage = line
                self.usage_turn_id = self.transcript.turns[-1].id if self.transcript.turns else ""
            case (b"event_msg", what) if what.startswith(b"thread_goal_") and self.meta:
                self.goal = goal.after(line, self.meta.id, self.goal)
            case _:
                pass

    def counting(self, offsets: list[int]) -> list[int]:
        """Those that no rollback has taken back."""
        return [at for at in offsets if not self.is_cut(at)]

    def is_cut(self, at: int) -> bool:
        return any(begin <= at < end for begin, end in self.transcript.cuts)


def _load(file: BinaryIO, places: _Places) -> Replay:
    compactions = places.counting(places.compactions)
    contexts = places.counting(places.contexts)
    begin = compactions[-1] if compactions else 0
    usage = _decoded(_usage, places.usage) if places.usage else None
    context = _decoded(_context, _line_at(file, contexts[-1])) if contexts else None
    return Replay(
        meta=places.meta,
        items=_items(file, places, begin),
        turns=places.transcript.turns,
        context=context.payload if context else None,
        told=context is not None and contexts[-1] > begin,
        usage=record.usage_of(usage.payload.info) if usage and usage.payload.info else None,
        usage_turn_id=places.usage_turn_id,
        compactions=len(compactions),
        size=places.transcript.offset,
        goal=places.goal,
    )


def _items(file: BinaryIO, places: _Places, begin: int) -> list[dict[str, Any]]:
    first = _decoded(_compacted, _line_at(file, begin)) if begin else None
    if first is not None and first.payload.replacement_history is None:
        begin = 0  # an old program's compaction: what it kept stands before it
    items: list[dict[str, Any]] = []
    for line in _counting_lines(file, places, begin):
        match kind(line):
            case (b"response_item", what) if what.decode() not in UNSENT:
                if (read := _decoded(_item, line)) and fault(read.payload) is None:
                    items.append(read.payload)
            case (b"compacted", _):
                if again := _decoded(_compacted, line):
                    items = _compact(again.payload, items)
            case _:
                pass
    return items


def _compact(compacted: Compacted, before: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is left by a compaction; without a list of its own, the user's words and the summary."""
    if compacted.replacement_history is not None:
        return [item for item in compacted.replacement_history if fault(item) is None]
    said = [item for item in before if item.get("role") == "user"]
    spoken = [item for item in said if not message_text(item).startswith("<")]
    return [*spoken, message("user", compacted.message)]


def _counting_lines(file: BinaryIO, places: _Places, begin: int) -> Iterator[bytes]:
    file.seek(begin)
    at = begin
    while at < places.transcript.offset and (line := file.readline()):
        if not (places.transcript.cuts and places.is_cut(at)):
            yield line
        at += len(line)


def _line_at(file: BinaryIO, offset: int) -> bytes:
    file.seek(offset)
    return file.readline()


def _decoded(decoder: msgspec.json.Decoder[T], line: bytes) -> T | None:
    try:
        return decoder.decode(line)
    except DECODE_ERRORS:
        return None
