"""A thread's turns as its rollout tells them, in the form that a client is shown.

Several texts of one input are joined, and what had no id of its own in the file is numbered
`item-N` (observed).  A turn that never ended reads back as interrupted.  The reference server does
not write down that a turn has failed, nor commands, images looked at and calls of clients' tools;
they read back if Atrio wrote them.
"""

from collections.abc import Callable, Iterable

import msgspec
from msgspec import Struct

from protocol import event as stored_event
from protocol import hookprompt, rollout
from protocol.errors import DECODE_ERRORS, invalid
from protocol.event import (
    AgentReasoned,
    AgentReasonedRaw,
    AgentSaid,
    ContextCompacted,
    Event,
    ItemCompleted,
    McpCalled,
    PatchApplied,
    ReviewEntered,
    ReviewExited,
    RolledBack,
    StoredError,
    TaskComplete,
    TaskStarted,
    TurnAborted,
    UserSaid,
    WebSearched,
)
from protocol.item import (
    AgentMessage,
    ContextCompaction,
    EnteredReviewMode,
    ExitedReviewMode,
    HookPrompt,
    Plan,
    Reasoning,
    ThreadItem,
    UserMessage,
)
from protocol.thread import Thread, ThreadTurnsListParams, ThreadTurnsListResponse
from protocol.turn import CodexErrorInfo, Turn, TurnError, TurnItemsView, TurnStatus

MAX_PAGE = 100  # turns


class _EventLine(Struct):
    timestamp: str
    payload: Event


_event_line = msgspec.json.Decoder(_EventLine).decode
_KINDS = {str(kind.__struct_config__.tag).encode() for kind in Event.__args__}


class Transcript:
    """Lines in, turns out.  Lines come in the order of the file.

    `offset` is where the next line begins, `starts` where each of `turns` began, `cuts` the
    stretches of the file that a rollback has taken back, its own line included.
    """

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.starts: list[int] = []
        self.cuts: list[tuple[int, int]] = []
        self.offset = 0
        self._current: Turn | None = None
        self._explicit = False  # the current turn began with a line of its own
        self._begun = 0  # where a turn would begin that has no such line
        self._numbered = 0
        self._lines = 0

    def take(self, line: bytes) -> tuple[bytes, bytes] | None:
        """Add a line and say its kind, as `rollout.kind` does."""
        start, self.offset = self.offset, self.offset + len(line)
        kind = rollout.kind(line)
        if kind is None:
            return None
        self._lines += 1
        if kind[0] == b"event_msg":
            if kind[1] in _KINDS and (read := _read(line)) is not None:
                self._take(read, start)
            self._begun = self.offset
        elif kind[0] == b"response_item":
            if hookprompt.MARK in line and (said := hookprompt.stored(line)):
                self._turn(start).items.append(HookPrompt(said, self._id()))
        else:
            if kind[0] == b"compacted":
                self._turn(start)  # between turns it is one, without items (observed)
            self._begun = self.offset
        return kind

    def _take(self, read: _EventLine, start: int) -> None:
        match read.payload:
            case TaskStarted(turn_id, started_at):
                turn = Turn(turn_id, [], "interrupted", started_at=started_at)
                self._open(turn, start, explicit=True)
            case TaskComplete(error=StoredError() as error) as end:
                self._close(end, "failed", _error(error))
            case TaskComplete() as end:
                self._close(end, "completed")
            case TurnAborted() as end:
                self._close(end, "interrupted")
            case RolledBack(num_turns):
                self._roll_back(num_turns)
            case UserSaid() as said:
                if not self._explicit:
                    self._current = None
                self._turn(start).items.append(self._user(said))
            case AgentReasoned(text):
                self._reasoning(start).summary.append(text)
            case AgentReasonedRaw(text):
                self._reasoning(start).content.append(text)
            case ItemCompleted(turn_id=turn_id) if item := _completed(read.payload):
                self._add(turn_id, item)
            case _ if item := self._item(read.payload):
                self._turn(start).items.append(item)
            case _:
                pass

    # ---- turns

    def _open(self, turn: Turn, start: int, *, explicit: bool) -> None:
        self.turns.append(turn)
        self.starts.append(start)
        self._current, self._explicit = turn, explicit

    def _turn(self, start: int) -> Turn:
        """The turn that goes on; files of older programs have no lines that begin one."""
        if self._current is None:
            turn = Turn(f"rollout-{self._lines - 1}", [], "completed")  # observed
            self._open(turn, min(self._begun, start), explicit=False)
            return turn
        return self._current

    def _close(
        self, end: TaskComplete | TurnAborted, status: TurnStatus, error: TurnError | None = None
    ) -> None:
        named = (turn for turn in reversed(self.turns) if turn.id == end.turn_id)
        turn = next(named, self._current)
        if turn is not None:
            turn.status, turn.error = status, error
            turn.completed_at, turn.duration_ms = end.completed_at, end.duration_ms
        if turn is self._current:
            self._current, self._explicit = None, False

    def _roll_back(self, count: int) -> None:
        kept = max(len(self.turns) - count, 0)
        if kept < len(self.turns):
            self.cuts.append((self.starts[kept], self.offset))
        del self.turns[kept:], self.starts[kept:]
        self._current, self._explicit = None, False

    # ---- items

    def _add(self, turn_id: str, item: ThreadItem) -> None:
        """A command may end behind its turn, and even behind the rollback of that."""
        named = next((turn for turn in reversed(self.turns) if turn.id == turn_id), None)
        if named is not None:
            named.items.append(item)

    def _id(self) -> str:
        self._numbered += 1
        return f"item-{self._numbered}"

    def _user(self, said: UserSaid) -> UserMessage:
        return UserMessage(stored_event.inputs(said), self._id())

    def _reasoning(self, start: int) -> Reasoning:
        turn = self._turn(start)
        if turn.items and isinstance(last := turn.items[-1], Reasoning):
            return last
        fresh = Reasoning(self._id())
        turn.items.append(fresh)
        return fresh

    def _item(self, shown: Event) -> ThreadItem | None:
        match shown:
            case AgentSaid(message, phase, citation):
                return AgentMessage(self._id(), message, citation, phase) if message else None
            case PatchApplied():
                return stored_event.file_change(shown)
            case McpCalled():
                return stored_event.mcp_call(shown)
            case WebSearched():
                return stored_event.web_search(shown)
            case ItemCompleted(item={"type": "Plan", "id": str(id), "text": str(text)}):
                return Plan(id, text)
            case ReviewEntered(_, hint):
                return EnteredReviewMode(self._id(), hint or "")
            case ReviewExited(output):
                return ExitedReviewMode(self._id(), stored_event.review_text(output))
            case ContextCompacted():
                return ContextCompaction(self._id())
            case _:
                return None


def _completed(event: ItemCompleted) -> ThreadItem | None:
    """An item that the line holds as a client was shown it."""
    try:
        return msgspec.convert(event.item, ThreadItem)
    except msgspec.ValidationError:
        return None  # a plan, or one of a newer server


def _error(error: StoredError) -> TurnError:
    try:
        info: CodexErrorInfo | None = msgspec.convert(error.codex_error_info, CodexErrorInfo | None)
    except msgspec.ValidationError:
        info = "other"  # of a newer server
    return TurnError(error.message, error.additional_details, info)


def _read(line: bytes) -> _EventLine | None:
    try:
        return _event_line(line)
    except DECODE_ERRORS:
        return None


def turns(lines: Iterable[bytes]) -> list[Turn]:
    """The turns of a whole rollout, oldest first."""
    transcript = Transcript()
    for line in lines:
        transcript.take(line)
    return transcript.turns


def read_turns(path: str) -> list[Turn]:
    """The turns of the file at `path`.  Blocks; raises OSError.

    Only one line is in memory at a time, besides the turns.
    """
    with rollout.opened(path) as file:
        return turns(file)


def with_turns(thread: Thread, turns: list[Turn]) -> Thread:
    return msgspec.structs.replace(thread, turns=turns)


# ---- pages of turns


class _Cursor(Struct, rename="camel", forbid_unknown_fields=True):
    turn_id: str
    include_anchor: bool


_cursor = msgspec.json.Decoder(_Cursor).decode


def _encoded(turn: Turn, *, included: bool) -> str:
    return msgspec.json.encode(_Cursor(turn.id, included)).decode()


def page(turns: list[Turn], params: ThreadTurnsListParams, limit: int) -> ThreadTurnsListResponse:
    """One page, newest turn first unless asked otherwise; `limit` holds when the client has none.

    Raises RpcError for a cursor that is none, or whose turn is gone.
    """
    ordered = turns if params.sort_direction == "asc" else turns[::-1]
    first = _place(ordered, params.cursor) if params.cursor is not None else 0
    size = min(max(params.limit, 1), MAX_PAGE) if params.limit is not None else limit
    shown = ordered[first : first + size]
    more = first + size < len(ordered)
    return ThreadTurnsListResponse(
        [_viewed(turn, params.items_view or "summary") for turn in shown],
        backwards_cursor=_encoded(shown[0], included=True) if shown else None,
        next_cursor=_encoded(shown[-1], included=False) if more else None,
    )


def _place(ordered: list[Turn], cursor: str) -> int:
    try:
        wanted = _cursor(cursor)
    except DECODE_ERRORS:
        raise invalid(f"invalid cursor: {cursor}") from None
    for place, turn in enumerate(ordered):
        if turn.id == wanted.turn_id:
            return place if wanted.include_anchor else place + 1
    raise invalid(f"invalid cursor: turn {wanted.turn_id} is gone; list from the beginning")


def _viewed(turn: Turn, view: TurnItemsView) -> Turn:
    return msgspec.structs.replace(turn, items=_VIEWS[view](turn.items), items_view=view)


def _summary(items: list[ThreadItem]) -> list[ThreadItem]:
    """What was asked first and what was answered last."""
    asked = [item for item in items if isinstance(item, UserMessage)]
    answered = [item for item in items if isinstance(item, AgentMessage)]
    return [*asked[:1], *answered[-1:]]


_VIEWS: dict[TurnItemsView, Callable[[list[ThreadItem]], list[ThreadItem]]] = {
    "notLoaded": lambda _: [],
    "summary": _summary,
    "full": lambda items: items,
}
