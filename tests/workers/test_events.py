"""What the Responses API's events become."""

import msgspec

from workers.events import Decoded, decode
from workers.provider import (
    ArgumentsDelta,
    Completed,
    Created,
    ItemAdded,
    ItemDone,
    ReasoningDelta,
    SummaryDelta,
    SummaryPartAdded,
    TextDelta,
    Usage,
)


def event(type: str, **fields) -> bytes:
    return msgspec.json.encode({"type": f"response.{type}", **fields})


def test_each_event_that_matters_has_its_kind():
    """Observed: these are the events that lead to notifications."""
    item = {"type": "message", "id": "m"}

    decoded = decode(
        [
            event("created", response={"id": "r"}),
            event("output_item.added", output_index=0, item=item),
            event("output_text.delta", item_id="m", content_index=0, delta="Hé"),
            event("output_item.done", output_index=0, item=item),
            event("reasoning_summary_part.added", item_id="s", summary_index=1),
            event("reasoning_summary_text.delta", item_id="s", summary_index=1, delta="a"),
            event("reasoning_text.delta", item_id="s", content_index=2, delta="b"),
            event("custom_tool_call_input.delta", item_id="c", call_id="call", delta="d"),
        ]
    )

    assert decoded == Decoded(
        [
            Created(),
            ItemAdded(item),
            TextDelta("m", "Hé"),
            ItemDone(item),
            SummaryPartAdded("s", 1),
            SummaryDelta("s", 1, "a"),
            ReasoningDelta("s", 2, "b"),
            ArgumentsDelta("c", "call", "d"),
        ]
    )


def test_the_usage_is_counted_in_the_protocols_words():
    """Observed: thread/tokenUsage/updated tells these five numbers."""
    usage = {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 15,
    }

    assert decode([event("completed", response={"usage": usage})]).events == [
        Completed(Usage(10, 4, 5, 2, 15))
    ]


def test_a_response_without_usage_is_complete_all_the_same():
    """Observed: a provider that tells no usage is served."""
    for response in ({"id": "r"}, {"usage": None}, {"usage": "many"}):
        assert decode([event("completed", response=response)]) == Decoded(
            [Completed()], complete=True
        )


def test_null_details_count_as_nothing():
    """Ours: gateways send null where the API sends objects."""
    usage = {"input_tokens": 1, "input_tokens_details": None, "output_tokens": 2}

    assert decode([event("completed", response={"usage": usage})]).events == [
        Completed(Usage(1, 0, 2, 0, 3))
    ]


def test_unknown_and_broken_events_are_passed_over():
    """Observed: malformed data and unknown events are ignored."""
    lines = [
        b"{not json",
        b"nonsense",
        b"[DONE]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"type": 3}',
        event("output_text.done", text="x"),
        event("from.the.future", delta={"x": 1}),
        event("output_item.done", item={"no": "type"}),
        event("output_item.done"),
        event("output_text.delta", item_id="m", delta="x"),
    ]

    assert decode(lines).events == [TextDelta("m", "x")]


def test_what_came_before_a_failure_is_kept():
    """Observed: a message that was whole before response.failed stays in the history."""
    item = {"type": "message", "id": "m"}
    failed = event("failed", response={"error": {"code": "server_error", "message": "it broke"}})

    decoded = decode([event("output_item.done", item=item), failed])

    assert decoded.events == [ItemDone(item)]
    assert decoded.failure is not None
    assert decoded.failure.message == "stream disconnected before completion: it broke"


def test_a_plain_error_event_fails_the_response():
    """Ours: the API documents the event `error`, with its fields inside or beside."""
    for line in (
        b'{"type":"error","code":"x","message":"it broke"}',
        b'{"type":"error","error":{"code":"x","message":"it broke"}}',
    ):
        failure = decode([line]).failure
        assert failure is not None
        assert failure.message == "stream disconnected before completion: it broke"


def test_nothing_counts_after_the_end():
    """Ours: a response ends once."""
    late = event("output_text.delta", item_id="m", delta="x")

    assert decode([event("completed"), late]).events == [Completed()]
