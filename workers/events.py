"""What the Responses API streams, made into provider events.

One decoder with the few fields that matter reads every event; unknown events and broken data are
passed over, as the reference server does (observed), so that a newer API does not break us.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

from msgspec import Raw, Struct, field
from msgspec.json import Decoder

from protocol.errors import DECODE_ERRORS
from workers.provider import (
    ArgumentsDelta,
    Completed,
    Created,
    ItemAdded,
    ItemDone,
    ProviderError,
    ProviderEvent,
    ReasoningDelta,
    ServedBy,
    SummaryDelta,
    SummaryPartAdded,
    TextDelta,
    Usage,
    Verify,
)
from workers.refusal import failed, incomplete


class _Event(Struct, gc=False):
    type: str
    item_id: str = ""
    delta: str = ""
    summary_index: int = 0
    content_index: int = 0
    call_id: str | None = None
    item: dict[str, Any] = field(default_factory=dict[str, Any])
    response: Raw = Raw()
    code: Any = None
    message: Any = None
    error: Any = None
    headers: Any = None
    metadata: Any = None


class _InputDetails(Struct):
    cached_tokens: int = 0


class _OutputDetails(Struct):
    reasoning_tokens: int = 0


class _Usage(Struct):
    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int | None = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None


class _Response(Struct):
    usage: _Usage | None = None
    end_turn: bool | None = None


class _Head(Struct):
    headers: Any = None


class _Failure(Struct):
    error: Any = None
    incomplete_details: Any = None


_event = Decoder(_Event).decode
_response = Decoder(_Response).decode
_failure = Decoder(_Failure).decode
_head = Decoder(_Head).decode

MODEL_HEADERS = ("openai-model", "x-openai-model")
_HEADED = ("response.created", "response.in_progress", "response.metadata")


class Decoded(Struct):
    """The events of one piece of the stream; `failure` is raised after they have been served."""

    events: list[ProviderEvent]
    failure: ProviderError | None = None
    complete: bool = False


def decode(lines: list[bytes]) -> Decoded:
    """Make events of the data of server-sent events.  Nothing after the response's end counts."""
    events: list[ProviderEvent] = []
    for line in lines:
        try:
            event = _event(line)
        except DECODE_ERRORS:
            continue
        if event.type in _HEADED:
            events += _asides(event)
        if make := _MAKE.get(event.type):
            events.append(make(event))
        elif event.type in _ITEMS:
            if isinstance(event.item.get("type"), str):
                events.append(_ITEMS[event.type](event.item))
        elif event.type == "response.completed":
            events.append(_completed(event))
            return Decoded(events, complete=True)
        elif fail := _FAIL.get(event.type):
            return Decoded(events, failure=fail(event))
    return Decoded(events)


def _asides(event: _Event) -> list[ProviderEvent]:
    """What is said beside the answer, in what would be headers over HTTP, or in metadata."""
    found: list[ProviderEvent] = []
    for headers in (_headers(event.response), event.headers):
        if model := served_by(headers):
            found.append(ServedBy(model))
            break
    match event.metadata:
        case {"openai_verification_recommendation": [*names]}:
            found.append(Verify([name for name in names if isinstance(name, str)]))
        case _:
            pass
    return found


def _headers(response: Raw) -> Any:
    try:
        return _head(response).headers
    except DECODE_ERRORS:
        return None


def served_by(headers: Any) -> str | None:
    """The model that headers name."""
    if not isinstance(headers, Mapping):
        return None
    given = cast("Mapping[str, Any]", headers)
    named = (value for name, value in given.items() if name.lower() in MODEL_HEADERS)
    return next((value for value in named if isinstance(value, str)), None)


def _completed(event: _Event) -> Completed:
    try:
        response = _response(event.response)
    except DECODE_ERRORS:  # its tokens cannot be counted, its text is whole all the same
        return Completed()
    return Completed(_tokens(response.usage), response.end_turn)


def _tokens(usage: _Usage | None) -> Usage | None:
    if usage is None:
        return None
    details, output = usage.input_tokens_details, usage.output_tokens_details
    total = usage.total_tokens
    return Usage(
        input_tokens=usage.input_tokens,
        cached_input_tokens=details.cached_tokens if details else 0,
        output_tokens=usage.output_tokens,
        reasoning_output_tokens=output.reasoning_tokens if output else 0,
        total_tokens=usage.input_tokens + usage.output_tokens if total is None else total,
    )


def _details(event: _Event) -> _Failure:
    try:
        return _failure(event.response)
    except DECODE_ERRORS:
        return _Failure()


def _failed(event: _Event) -> ProviderError:
    return failed(_details(event).error)


def _incomplete(event: _Event) -> ProviderError:
    return incomplete(_details(event).incomplete_details)


def _error(event: _Event) -> ProviderError:
    return failed(event.error or {"code": event.code, "message": event.message})


_MAKE: dict[str, Callable[[_Event], ProviderEvent]] = {
    "response.output_text.delta": lambda e: TextDelta(e.item_id, e.delta),
    "response.reasoning_summary_text.delta": lambda e: SummaryDelta(
        e.item_id, e.summary_index, e.delta
    ),
    "response.reasoning_text.delta": lambda e: ReasoningDelta(e.item_id, e.content_index, e.delta),
    "response.custom_tool_call_input.delta": lambda e: ArgumentsDelta(
        e.item_id, e.call_id or e.item_id, e.delta
    ),
    "response.reasoning_summary_part.added": lambda e: SummaryPartAdded(e.item_id, e.summary_index),
    "response.created": lambda _: Created(),
}

_ITEMS: dict[str, Callable[[dict[str, Any]], ProviderEvent]] = {
    "response.output_item.added": ItemAdded,
    "response.output_item.done": ItemDone,
}

_FAIL: dict[str, Callable[[_Event], ProviderError]] = {
    "response.failed": _failed,
    "response.incomplete": _incomplete,
    "error": _error,
}
