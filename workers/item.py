"""What a model's response means to a client: provider events become items and deltas.

A burst of deltas is the hot path of the whole server, so what surrounds the text of a delta is
encoded once per item and only the text itself per delta.
"""

from typing import TYPE_CHECKING, Any

import msgspec

from protocol.event import web_action
from protocol.ids import new_id
from protocol.item import (
    AgentMessage,
    Reasoning,
    ReasoningSummaryPartAddedNotification,
    ThreadItem,
    WebFindInPage,
    WebOpenPage,
    WebOther,
    WebSearch,
    WebSearchAction,
    WebSearchQuery,
)
from protocol.methods import (
    AGENT_MESSAGE_DELTA,
    REASONING_SUMMARY_PART_ADDED,
    REASONING_SUMMARY_TEXT_DELTA,
    REASONING_TEXT_DELTA,
)
from protocol.row import Notification
from workers import aside, citation
from workers.citation import Hidden
from workers.history import message_text, parts
from workers.proposal import Proposal
from workers.provider import (
    Completed,
    ItemAdded,
    ItemDone,
    ProviderEvent,
    RateLimits,
    ReasoningDelta,
    ServedBy,
    SummaryDelta,
    SummaryPartAdded,
    TextDelta,
    Usage,
    Verify,
)

if TYPE_CHECKING:
    from workers.running import RunningTurn

_encode = msgspec.json.Encoder().encode


class Answer:
    """One response of the model, as it comes in.

    `usage` and `whole` are set by its end; calls are handed to the turn as they are complete.
    """

    def __init__(self, turn: "RunningTurn", *, plan_mode: bool) -> None:
        self._turn = turn
        self._proposal = Proposal(turn) if plan_mode else None
        self._open: dict[str, ThreadItem] = {}
        self._hidden: dict[str, Hidden] = {}
        self._around: dict[tuple[str, str, int], tuple[bytes, bytes]] = {}
        self.usage: Usage | None = None
        self.whole = False
        self.said: str | None = None  # the last message of the assistant

    def take(self, events: list[ProviderEvent]) -> None:
        for event in events:
            if type(event) is TextDelta:
                self._text(event)
                continue
            match event:
                case ItemAdded(item):
                    self._added(item)
                case ItemDone(item):
                    self._done(item)
                case SummaryPartAdded(item_id, index):
                    self._summary_part(item_id, index)
                case SummaryDelta(item_id, index, delta):
                    self._delta(REASONING_SUMMARY_TEXT_DELTA, item_id, delta, index)
                case ReasoningDelta(item_id, index, delta):
                    self._delta(REASONING_TEXT_DELTA, item_id, delta, index)
                case ServedBy(model):
                    aside.served_by(self._turn, model)
                case Verify(names):
                    aside.verify(self._turn, names)
                case RateLimits(snapshot):
                    self._turn.rate_limits(snapshot)
                case Completed(usage):
                    self.usage, self.whole = usage, True
                case _:
                    pass

    def _text(self, event: TextDelta) -> None:
        delta = event.delta
        if "<" in delta or event.item_id in self._hidden:
            delta = self._hidden.setdefault(event.item_id, Hidden()).take(delta)
        self._pass(event.item_id, delta)

    def _pass(self, item_id: str, delta: str) -> None:
        """Show a piece of a message that hides nothing."""
        if not delta:
            return
        if self._proposal is not None:
            self._proposal.take(item_id, delta)
        elif item_id in self._open:
            self._delta(AGENT_MESSAGE_DELTA, item_id, delta)

    def _delta(
        self, row: Notification[Any], item_id: str, delta: str, index: int | None = None
    ) -> None:
        around = self._around.get((row.name, item_id, index or 0))
        if around is None:
            around = self._surround(row, item_id, index)
        self._turn.tell_encoded(row.name, around[0] + _encode(delta) + around[1])

    def _surround(
        self, row: Notification[Any], item_id: str, index: int | None
    ) -> tuple[bytes, bytes]:
        """What stands before and behind the text of each delta of one item."""
        params: dict[str, Any] = {
            "threadId": self._turn.thread_id,
            "turnId": self._turn.id,
            "itemId": item_id,
        }
        tail = b""
        if index is not None:
            member = "contentIndex" if row is REASONING_TEXT_DELTA else "summaryIndex"
            tail = b',"%b":%d' % (member.encode(), index)
        head = b'{"method":%b,"params":%b,"delta":' % (_encode(row.name), _encode(params)[:-1])
        around = self._around[row.name, item_id, index or 0] = (head, tail + b"}}")
        return around

    def _summary_part(self, item_id: str, index: int) -> None:
        part = ReasoningSummaryPartAddedNotification(
            item_id=item_id,
            summary_index=index,
            thread_id=self._turn.thread_id,
            turn_id=self._turn.id,
        )
        self._turn.tell(REASONING_SUMMARY_PART_ADDED, part)

    def _added(self, item: dict[str, Any]) -> None:
        """The model begins an item: nothing of it is known yet."""
        match self._shown(item):
            case AgentMessage() as message:
                message.text = ""
                self._begin(message)
            case WebSearch() as search:
                search.query, search.action = "", WebOther()
                self._begin(search)
            case None:
                pass
            case other:
                self._begin(other)

    def _begin(self, shown: ThreadItem) -> None:
        self._open[shown.id] = shown
        if self._proposal is not None and isinstance(shown, AgentMessage):
            self._proposal.begin(shown)
        else:
            self._turn.started(shown)

    def _done(self, item: dict[str, Any]) -> None:
        shown = self._shown(item)
        if shown is not None:
            if shown.id not in self._open:
                self._begin(shown)
            if hidden := self._hidden.pop(shown.id, None):
                self._pass(shown.id, hidden.end())
            if self._proposal is not None and isinstance(shown, AgentMessage):
                self._proposal.end(shown)
            else:
                self._turn.completed(shown)
            self._open.pop(shown.id, None)
        if item.get("type") == "message":
            self.said = citation.split(message_text(item))[0] or self.said
        self._turn.answered(item)

    def _shown(self, item: dict[str, Any]) -> ThreadItem | None:
        """The item that a client sees for one of the provider's; None for calls and the unknown."""
        item_id: str = item.get("id") or new_id()
        item["id"] = item_id  # the end of an item must find its beginning
        match item.get("type"):
            case "message" if item.get("role") == "assistant":
                text, cited = citation.split(message_text(item))
                return AgentMessage(item_id, text, cited, item.get("phase"))
            case "reasoning":
                summary = [part.get("text", "") for part in parts(item, "summary")]
                content = [part.get("text", "") for part in parts(item)]
                return Reasoning(item_id, content, summary)
            case "web_search_call":
                action = web_action(item.get("action"))
                return WebSearch(item_id, query_of(action), action)
            case _:
                return None


def query_of(action: WebSearchAction) -> str:
    """The one line that says what was looked for."""
    match action:
        case WebSearchQuery(queries, query):
            return query or (
                f"{queries[0]} ..." if queries and len(queries) > 1 else "".join(queries or ())
            )
        case WebOpenPage(url):
            return url or ""
        case WebFindInPage(pattern, url):
            return f"'{pattern}' in {url}" if pattern and url else pattern or url or ""
        case WebOther():
            return ""
