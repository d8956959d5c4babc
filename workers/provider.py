"""The interface of a model provider: a request goes in, typed events come out.

`responses` speaks the Responses API over HTTP, `scripted` plays a written script.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from msgspec import Struct, field

from protocol.account import RateLimitSnapshot
from protocol.turn import CodexErrorInfo, DetailedErrorInfo, HttpStatus


class ModelRequest(Struct):
    """One request to the model.  `body` is the Responses API's JSON object, `headers` are ours."""

    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict[str, str])


class Usage(Struct):
    """Tokens of one response."""

    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_output_tokens: int = 0
    total_tokens: int = 0


class Created(Struct):
    """The provider has accepted the request."""


class ItemAdded(Struct):
    """The model begins an item: a message, reasoning, a call.  `item` is the provider's JSON."""

    item: dict[str, Any]


class ItemDone(Struct):
    item: dict[str, Any]


class TextDelta(Struct, gc=False):
    item_id: str
    delta: str


class SummaryPartAdded(Struct, gc=False):
    item_id: str
    index: int


class SummaryDelta(Struct, gc=False):
    item_id: str
    index: int
    delta: str


class ReasoningDelta(Struct, gc=False):
    item_id: str
    index: int
    delta: str


class ArgumentsDelta(Struct, gc=False):
    """A piece of a custom tool call's input (`apply_patch` shows its progress from it)."""

    item_id: str
    call_id: str
    delta: str


class ServedBy(Struct):
    """Which model answers, as the provider says."""

    model: str


class Verify(Struct):
    """What the provider would like the account to be verified for."""

    names: list[str]


class RateLimits(Struct):
    """What the response's headers say about the account's limits."""

    snapshot: RateLimitSnapshot


class Completed(Struct):
    """The response is whole.  `usage` is None when the provider tells none."""

    usage: Usage | None = None
    end_turn: bool | None = None


ProviderEvent = (
    Created
    | ItemAdded
    | ItemDone
    | TextDelta
    | SummaryPartAdded
    | SummaryDelta
    | ReasoningDelta
    | ArgumentsDelta
    | RateLimits
    | ServedBy
    | Verify
    | Completed
)


class ProviderError(Exception):
    """A response that failed.

    `message` and `info` are what clients are told when the turn fails of it, also when it fails
    after the last retry.  `retry` says that the same request may be sent again, after `delay_s`
    seconds if the provider named a time; the client is told of it with `retry_info`, and with
    `message` as the details.  `http_status` is None for a 500 and a broken stream.  An info of
    `contextWindowExceeded` asks for compaction before the next request.
    """

    def __init__(
        self,
        message: str,
        info: CodexErrorInfo = "other",
        *,
        retry: bool = False,
        delay_s: float | None = None,
        http_status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.info: CodexErrorInfo = info
        self.retry = retry
        self.delay_s = delay_s
        self.http_status = http_status

    @property
    def retry_info(self) -> CodexErrorInfo:
        """What the notice of a retry names as the cause."""
        return DetailedErrorInfo(response_stream_disconnected=HttpStatus(self.http_status))


Renew = Callable[[str], Awaitable[str | None]]
"""Gives another token for one that was refused, or None; see `renewal`."""


class Provider(Protocol):
    """A connection to one model provider; kept for the life of the thread."""

    def stream(
        self, request: ModelRequest
    ) -> AbstractAsyncContextManager[AsyncIterator[list[ProviderEvent]]]:
        """Send the request and yield batches of events: all that arrived together travel together.

        Ends after `Completed`; raises ProviderError for everything that is not a whole response.
        Request retries (a connection that failed, a 5xx) happen inside; stream retries are the
        turn's business, because the client is told of them.
        """
        ...

    async def aclose(self) -> None: ...
