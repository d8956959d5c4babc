"""Lines of a rollout as the turns that clients see."""

import json

import pytest

from protocol import stored, summary
from protocol.errors import RpcError
from protocol.item import (
    AgentMessage,
    ContextCompaction,
    ExitedReviewMode,
    FileChange,
    LocalImageInput,
    McpToolCall,
    Plan,
    Reasoning,
    TextInput,
    UpdateChange,
    UserMessage,
    WebSearch,
    WebSearchQuery,
)
from protocol.thread import GitInfo, ThreadTurnsListParams
from protocol.turn import Turn

STAMP = "2026-01-02T03:04:05.678Z"


def line(type: str, /, **payload) -> bytes:
    return json.dumps({"timestamp": STAMP, "type": type, "payload": payload}).encode() + b"\n"


def event(type: str, /, **payload) -> bytes:
    return line("event_msg", **{"type": type, **payload})


def turn(id: str, question: str, answer: str, *between: bytes) -> list[bytes]:
    return [
        event("task_started", turn_id=id, started_at=1),
        line("response_item", type="message", role="user", content=[]),
        event("user_message", message=question, images=[], local_images=[], text_elements=[]),
        *between,
        event("agent_message", message=answer, phase=None, memory_citation=None),
        line("response_item", type="message", role="assistant", content=[]),
        event(
            "task_complete", turn_id=id, last_agent_message=answer, completed_at=2, duration_ms=9
        ),
    ]


def items(*events: bytes):
    [only] = stored.turns([event("task_started", turn_id="t"), *events])
    return only.items


def test_a_turn_has_its_messages_and_times():
    """Observed: synthetic ids count through the whole thread."""
    lines = [*turn("t1", "one?", "1"), *turn("t2", "two?", "2")]
    first, second = stored.turns(lines)
    assert first == Turn(
        id="t1",
        items=[UserMessage([TextInput("one?")], "item-1"), AgentMessage("item-2", "1")],
        status="completed",
        started_at=1,
        completed_at=2,
        duration_ms=9,
    )
    assert [item.id for item in second.items] == ["item-3", "item-4"]


def test_a_turn_without_an_end_was_interrupted():
    """Observed: `completedAt` is null."""
    cut = stored.turns([*turn("t1", "one?", "1")[:3], *turn("t2", "two?", "2")])
    assert [(t.status, t.completed_at) for t in cut] == [("interrupted", None), ("completed", 2)]


def test_an_aborted_turn_was_interrupted():
    """Observed."""
    end = event("turn_aborted", turn_id="t", reason="interrupted", completed_at=5, duration_ms=3)
    [aborted] = stored.turns([event("task_started", turn_id="t", started_at=4), end])
    assert (aborted.status, aborted.completed_at, aborted.duration_ms) == ("interrupted", 5, 3)


def test_a_file_without_turn_lines_has_a_turn_for_each_message():
    """Observed: a foreign rollout; its turn is completed, without times."""
    lines = [
        line("session_meta", id="x"),
        line("response_item", type="message", role="user", content=[]),
        event("user_message", message="old question", kind="plain"),
        event("agent_message", message="old answer"),
        event("user_message", message="another"),
    ]
    first, second = stored.turns(lines)
    assert (first.status, first.started_at, first.completed_at) == ("completed", None, None)
    assert [item.id for item in first.items] == ["item-1", "item-2"]
    assert first.id != second.id
    assert stored.turns(lines)[0].id == first.id


def test_broken_and_unknown_lines_are_passed_over():
    """Observed."""
    noise = [b"{ broken\n", line("novelty"), event("novelty"), event("user_message", message=7)]
    assert stored.turns([*turn("t", "q", "a"), *noise]) == stored.turns(turn("t", "q", "a"))


def test_a_rollback_takes_turns_back():
    """Observed: too many is accepted."""
    three = [*turn("t1", "a", "1"), *turn("t2", "b", "2"), *turn("t3", "c", "3")]
    left = stored.turns([*three, event("thread_rolled_back", num_turns=2), *turn("t4", "d", "4")])
    assert [t.id for t in left] == ["t1", "t4"]
    assert stored.turns([*three, event("thread_rolled_back", num_turns=9)]) == []


def test_parts_of_reasoning_are_one_item():
    """Observed."""
    parts = [event("agent_reasoning", text="Looking"), event("agent_reasoning", text="Deciding")]
    assert items(*parts) == [Reasoning("item-1", [], ["Looking", "Deciding"])]


def test_images_stand_behind_the_text():
    """Observed: the texts of one input are one."""
    said = event("user_message", message="look", images=None, local_images=["/a.png"])
    assert items(said) == [UserMessage([TextInput("look"), LocalImageInput("/a.png")], "item-1")]


def test_a_patch_shows_its_changes_by_path():
    """Observed: a move is named behind the diff."""
    changes = {
        "/w/b": {"type": "update", "unified_diff": "@@\n", "move_path": "/w/c"},
        "/w/a": {"type": "add", "content": "x\n"},
    }
    [shown] = items(event("patch_apply_end", call_id="c1", changes=changes, status="completed"))
    assert isinstance(shown, FileChange)
    assert [(c.path, c.diff) for c in shown.changes] == [
        ("/w/a", "x\n"),
        ("/w/b", "@@\n\n\nMoved to: /w/c"),
    ]
    assert shown.changes[1].kind == UpdateChange("/w/c")


def test_an_mcp_call_that_says_it_failed_has_failed():
    """Observed."""
    invocation = {"server": "words", "tool": "fail", "arguments": {"word": "owl"}}
    result = {"Ok": {"content": [{"type": "text", "text": "no"}], "isError": True}}
    [call] = items(
        event(
            "mcp_tool_call_end",
            call_id="c1",
            invocation=invocation,
            duration={"secs": 1, "nanos": 5_000_000},
            result=result,
        )
    )
    assert isinstance(call, McpToolCall)
    assert (call.status, call.error, call.duration_ms) == ("failed", None, 1005)


def test_searches_plans_compactions_and_reviews_are_shown():
    """Observed."""
    finding = {
        "title": "Off by one",
        "body": "Ends early.",
        "code_location": {
            "absolute_file_path": "/x.py",
            "line_range": {"start": 3, "end": 4},
        },
    }
    review = {"overall_explanation": "One bug.", "findings": [finding]}
    shown = items(
        event("web_search_end", call_id="ws", query="q", action={"type": "search", "query": "q"}),
        event(
            "item_completed",
            thread_id="x",
            turn_id="t",
            item={"type": "Plan", "id": "p", "text": "#"},
        ),
        event("context_compacted"),
        event("exited_review_mode", review_output=review),
    )
    assert shown == [
        WebSearch("ws", "q", WebSearchQuery(None, "q")),
        Plan("p", "#"),
        ContextCompaction("item-1"),
        ExitedReviewMode(
            "item-2",
            "One bug.\n\nReview comment:\n\n- Off by one — /x.py:3-4\n  Ends early.",
        ),
    ]


# ---- pages


def some(count: int) -> list[Turn]:
    return stored.turns([part for n in range(count) for part in turn(f"t{n}", "q", "a")])


def ids(page) -> list[str]:
    return [t.id for t in page.data]


def test_pages_go_back_from_the_newest_turn():
    """Observed: so do the cursors' texts."""
    turns = some(5)
    first = stored.page(turns, ThreadTurnsListParams("x", limit=2), 25)
    assert ids(first) == ["t4", "t3"]
    assert first.next_cursor == '{"turnId":"t3","includeAnchor":false}'
    assert first.backwards_cursor == '{"turnId":"t4","includeAnchor":true}'
    rest = stored.page(turns, ThreadTurnsListParams("x", cursor=first.next_cursor), 25)
    assert ids(rest) == ["t2", "t1", "t0"]
    assert rest.next_cursor is None


def test_a_backwards_cursor_begins_with_the_same_turn_in_the_other_direction():
    """Observed: `includeAnchor`."""
    turns = some(4)
    newest = stored.page(turns, ThreadTurnsListParams("x", limit=1), 25)
    params = ThreadTurnsListParams("x", cursor=newest.backwards_cursor, sort_direction="asc")
    assert ids(stored.page([*turns, *some(0)], params, 25)) == ["t3"]


@pytest.mark.parametrize(("view", "count"), [("full", 3), ("summary", 2), ("notLoaded", 0)])
def test_a_page_shows_as_much_of_a_turn_as_asked(view, count):
    """Observed: a summary is the first question and the last answer."""
    turns = stored.turns(turn("t", "q", "a", event("agent_message", message="meanwhile")))
    [shown] = stored.page(turns, ThreadTurnsListParams("x", items_view=view), 25).data
    assert (shown.items_view, len(shown.items)) == (view, count)
    assert len(turns[0].items) == 3


@pytest.mark.parametrize("cursor", ["nonsense", '{"turnId":"gone","includeAnchor":true}', "{}"])
def test_a_cursor_that_leads_nowhere_is_refused(cursor):
    """Observed."""
    with pytest.raises(RpcError, match="invalid cursor"):
        stored.page(some(1), ThreadTurnsListParams("x", cursor=cursor), 25)


# ---- summaries

META = {
    "id": "0199a213-81c0-7800-8aa1-bbab2a035a53",
    "timestamp": "2025-10-02T03:04:05.000Z",
    "cwd": "/work",
    "originator": "other",
    "cli_version": "0.1.0",
    "source": "cli",
    "model_provider": "mock",
    "base_instructions": None,
    "git": {"commit_hash": "abc", "branch": "main"},
}


def test_a_summary_tells_who_where_and_what_first():
    """Observed: a foreign rollout."""
    found = summary.summary([line("session_meta", **META), *turn("t", "first?", "1")])
    assert found is not None
    thread = summary.thread(found, "/home/r.jsonl", 1_800_000_000, "Named")
    assert (thread.id, thread.cwd, thread.model_provider) == (META["id"], "/work", "mock")
    assert (thread.preview, thread.name, thread.cli_version) == ("first?", "Named", "0.1.0")
    assert (thread.created_at, thread.updated_at) == (1_759_374_245, 1_800_000_000)
    assert thread.git_info == GitInfo(branch="main", sha="abc")


def test_a_summary_reads_no_further_than_the_first_message():
    """Ours: a list must not depend on how long threads are."""
    lines = iter([line("session_meta", **META), *turn("t", "first?", "1")])
    summary.summary(lines)
    assert len(list(lines)) == 3


def test_the_fork_and_not_its_source_is_summed_up():
    """Observed: a fork's file holds its source's `session_meta` too."""
    own = {**META, "id": "0199a213-81c0-7800-8aa1-bbab2a035a99", "forked_from_id": META["id"]}
    found = summary.summary([line("session_meta", **own), line("session_meta", **META)])
    assert found is not None
    assert found.meta.forked_from_id == META["id"]


def test_a_thread_begun_with_a_history_shows_its_first_words():
    """Observed: `thread/resume` by history; what is wrapped in a tag is not the user's."""
    context = {"content": [{"type": "input_text", "text": "<environment_context>"}]}
    words = {"content": [{"type": "input_text", "text": "earlier question"}]}
    found = summary.summary(
        [
            line("session_meta", **META),
            line("response_item", type="message", role="user", **context),
            line("response_item", type="message", role="user", **words),
        ]
    )
    assert found is not None
    assert found.preview == "earlier question"


@pytest.mark.parametrize("lines", [[], [b"\n"], [b"{ broken\n"], turn("t", "q", "a")])
def test_a_file_that_names_no_thread_has_no_summary(lines):
    """Observed: an empty rollout is not listed."""
    assert summary.summary(lines) is None


def test_a_turn_that_no_line_begins_is_named_by_its_place(tmp_path):
    """Observed: `rollout-N`, where N counts the lines before it that can be read."""
    said = event("user_message", message="one?", images=[], local_images=[], text_elements=[])
    lines = [line("session_meta", id="x"), b"no line\n", *turn("t", "two?", "2"), said]

    assert [shown.id for shown in stored.turns(lines)] == ["t", "rollout-7"]


def test_a_compaction_between_turns_is_a_turn(tmp_path):
    """Observed: one without items."""
    [first, between] = stored.turns([*turn("t", "one?", "1"), line("compacted", message="sum")])

    assert (between.id, between.items, between.status) == ("rollout-6", [], "completed")
    assert first.id == "t"
