"""A thread is loaded from its file as it was left."""

import json
from pathlib import Path

import pytest

from protocol.thread import TokenUsageBreakdown
from workers.replay import replay

ID = "0199a213-81c0-7800-8aa1-bbab2a035a53"


def line(type: str, payload: dict) -> str:
    return json.dumps({"timestamp": "2026-01-02T03:04:05.678Z", "type": type, "payload": payload})


def event(type: str, **payload) -> str:
    return line("event_msg", {"type": type, **payload})


def message(role: str, text: str) -> dict:
    return {"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]}


def turn(id: str, question: str, answer: str) -> list[str]:
    return [
        event("task_started", turn_id=id),
        line("turn_context", {"turn_id": id, "cwd": "/work", "model": f"model-{id}"}),
        line("response_item", message("user", question)),
        event("user_message", message=question),
        line("response_item", message("assistant", answer)),
        event("agent_message", message=answer),
        event("task_complete", turn_id=id),
    ]


META = line("session_meta", {"id": ID, "cwd": "/work"})


@pytest.fixture
def file(tmp_path):
    def write(*lines: str) -> str:
        path = tmp_path / "r.jsonl"
        path.write_text("".join(f"{text}\n" for text in (META, *lines)))
        return str(path)

    return write


def texts(items: list[dict]) -> list[str]:
    return [item["content"][0]["text"] for item in items]


def test_a_thread_goes_on_where_it_ended(file):
    """Observed: model and effort come from the last turn."""
    tokens = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    info = {
        "total_token_usage": tokens,
        "last_token_usage": tokens,
        "model_context_window": 258_400,
    }
    loaded = replay(
        file(
            *turn("t1", "one?", "1"),
            event("token_count", info=info, rate_limits=None),
            event("token_count", info=None, rate_limits=None),
            *turn("t2", "two?", "2"),
        )
    )
    assert loaded.meta is not None
    assert loaded.meta.id == ID
    assert texts(loaded.items) == ["one?", "1", "two?", "2"]
    assert [t.id for t in loaded.turns] == ["t1", "t2"]
    assert loaded.context is not None
    assert (loaded.context.model, loaded.told) == ("model-t2", True)
    assert loaded.usage is not None
    assert loaded.usage.total == TokenUsageBreakdown(0, 10, 5, 0, 15)


def test_what_was_rolled_back_is_forgotten(file):
    """Observed: by the model and by clients, and the settings of those turns too."""
    rolled = event("thread_rolled_back", num_turns=1)
    lines = [*turn("t1", "a", "1"), *turn("t2", "b", "2"), rolled, *turn("t3", "c", "3"), rolled]
    loaded = replay(file(*lines, line("response_item", message("user", "injected"))))
    assert texts(loaded.items) == ["a", "1", "injected"]
    assert [t.id for t in loaded.turns] == ["t1"]
    assert loaded.context is not None
    assert loaded.context.model == "model-t1"


def compaction(history: list[dict] | None) -> list[str]:
    return [
        event("task_started", turn_id="c"),
        line("compacted", {"message": "SUMMARY", "replacement_history": history}),
        event("context_compacted"),
        event("task_complete", turn_id="c"),
    ]


def test_a_compaction_begins_the_history_anew(file):
    """Observed: `replacement_history`; the context must be told again after it."""
    kept = [message("user", "a"), message("user", "SUMMARY")]
    before = [*turn("t1", "a", "1"), *compaction(kept)]
    loaded = replay(file(*before))
    assert (texts(loaded.items), loaded.compactions, loaded.told) == (["a", "SUMMARY"], 1, False)
    assert len(loaded.turns) == 2
    loaded = replay(file(*before, *turn("t2", "b", "2")))
    assert (texts(loaded.items), loaded.told) == (["a", "SUMMARY", "b", "2"], True)


def test_an_old_programs_compaction_keeps_the_users_words(file):
    """Ours: files from before `replacement_history`."""
    context = line("response_item", message("user", "<environment_context>"))
    loaded = replay(file(context, *turn("t1", "a", "1"), *compaction(None)))
    assert texts(loaded.items) == ["a", "SUMMARY"]


def test_a_compaction_that_was_rolled_back_gives_the_old_history_back(file):
    """Ours: nothing of the file is lost."""
    rolled = event("thread_rolled_back", num_turns=1)
    loaded = replay(file(*turn("t1", "a", "1"), *compaction([]), rolled))
    assert (texts(loaded.items), loaded.compactions, loaded.told) == (["a", "1"], 0, True)


def test_a_foreign_turn_is_rolled_back_with_the_item_before_its_event(file):
    """Ours: without `task_started` a turn begins with what the model is told of it."""
    foreign = [line("response_item", message("user", "b")), event("user_message", message="b")]
    rolled = event("thread_rolled_back", num_turns=1)
    loaded = replay(file(*turn("t1", "a", "1"), *foreign, rolled))
    assert texts(loaded.items) == ["a", "1"]


def test_broken_lines_are_passed_over(file):
    """Observed."""
    loaded = replay(file("{ broken", line("novelty", {}), *turn("t1", "a", "1"), '{"timest'))
    assert texts(loaded.items) == ["a", "1"]


def test_an_empty_file_names_no_thread(tmp_path):
    """Observed: it cannot be resumed."""
    (tmp_path / "empty.jsonl").touch()
    assert replay(str(tmp_path / "empty.jsonl")).meta is None
    with pytest.raises(OSError, match="No such file"):
        replay(str(Path(tmp_path, "none.jsonl")))
