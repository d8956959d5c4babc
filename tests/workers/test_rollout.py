"""A thread's file is written as the reference server writes it, and survives what befalls it."""

import errno
import json
import os
from pathlib import Path

import pytest

from protocol.event import UserSaid
from protocol.item import (
    AgentMessage,
    ByteRange,
    LocalImageInput,
    McpToolCall,
    McpToolCallResult,
    Reasoning,
    TextElement,
    TextInput,
)
from protocol.policy import ReadOnly, WorkspaceWrite
from protocol.settings import Provider, Settings
from protocol.stored import read_turns
from protocol.thread import GitInfo, IdleStatus, Thread
from protocol.turn import Turn
from workers import record
from workers.replay import replay
from workers.rollout import Rollout, RolloutError

ID = "0199a213-81c0-7800-8aa1-bbab2a035a53"
NOW_MS = 1_767_323_045_078


def settings(home: Path, **changes) -> Settings:
    return Settings(
        home=str(home),
        cwd="/work",
        model="gpt-5.4",
        provider=Provider("mock", "Mock"),
        approval_policy="never",
        **changes,
    )


def thread(**changes) -> Thread:
    fields = {
        "cli_version": "0.130.0",
        "created_at": NOW_MS // 1000,
        "cwd": "/work",
        "ephemeral": False,
        "id": ID,
        "model_provider": "mock",
        "preview": "",
        "session_id": ID,
        "source": "vscode",
        "status": IdleStatus(),
        "turns": [],
        "updated_at": NOW_MS // 1000,
    }
    return Thread(**{**fields, **changes})


def fresh(home: Path, **changes) -> Rollout:
    meta = record.session_meta(
        thread(**changes), settings(home), created_at_ms=NOW_MS, base_instructions="Be good."
    )
    return Rollout.create(str(home), meta, NOW_MS)


def one_turn(rollout: Rollout, home: Path) -> None:
    item = {"type": "message", "role": "user", "content": []}
    rollout.turn_started("t1", settings(home), context_window=258_400, started_at_ms=NOW_MS)
    rollout.item({**item, "role": "developer"}, item)
    rollout.turn_context(settings(home), "t1")
    rollout.item(item)
    rollout.user_message([TextInput("first question")])
    rollout.token_count(None)
    rollout.item_completed(AgentMessage("m", "one"), "t")
    rollout.item({**item, "role": "assistant"})
    done = Turn("t1", [], "completed", completed_at=NOW_MS // 1000, duration_ms=5)
    assert rollout.turn_ended(done, last_message="one", first_token_ms=4) is None


def lines(path: str) -> list[dict]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def test_a_turn_leaves_the_lines_that_the_reference_writes(tmp_path):
    """Observed: kinds and keys, in this order."""
    rollout = fresh(tmp_path)
    one_turn(rollout, tmp_path)
    written = [
        (x["type"], x["payload"].get("type"), list(x["payload"])) for x in lines(rollout.path)
    ]
    assert [(kind, what) for kind, what, _ in written] == [
        ("session_meta", None),
        ("event_msg", "task_started"),
        ("response_item", "message"),
        ("response_item", "message"),
        ("turn_context", None),
        ("response_item", "message"),
        ("event_msg", "user_message"),
        ("event_msg", "token_count"),
        ("event_msg", "agent_message"),
        ("response_item", "message"),
        ("event_msg", "task_complete"),
    ]
    keys = {what or kind: " ".join(keys) for kind, what, keys in written}
    assert keys["session_meta"] == (
        "id timestamp cwd originator cli_version source model_provider base_instructions"
    )
    assert keys["turn_context"] == (
        "turn_id cwd current_date timezone approval_policy sandbox_policy permission_profile model "
        "personality collaboration_mode realtime_active summary truncation_policy"
    )
    assert keys["user_message"] == "type message images local_images text_elements"
    assert keys["agent_message"] == "type message phase memory_citation"
    assert keys["task_complete"] == (
        "type turn_id last_agent_message completed_at duration_ms time_to_first_token_ms"
    )


def test_nothing_is_on_disk_before_the_user_has_spoken(tmp_path):
    """Observed."""
    rollout = fresh(tmp_path)
    rollout.turn_started("t1", settings(tmp_path), context_window=None, started_at_ms=NOW_MS)
    assert not rollout.exists
    assert list(tmp_path.iterdir()) == []
    rollout.user_message([TextInput("hello")])
    assert rollout.exists
    assert [x["type"] for x in lines(rollout.path)] == ["session_meta", "event_msg", "event_msg"]


def test_an_interrupted_turn_says_so(tmp_path):
    """Observed: `turn_aborted`."""
    rollout = fresh(tmp_path)
    rollout.user_message([TextInput("hello")])
    done = Turn("t1", [], "interrupted", completed_at=7, duration_ms=5)
    rollout.turn_ended(done, last_message=None, first_token_ms=None)
    assert lines(rollout.path)[-1]["payload"] == {
        "type": "turn_aborted",
        "turn_id": "t1",
        "reason": "interrupted",
        "completed_at": 7,
        "duration_ms": 5,
    }


def test_git_and_parentage_stand_in_the_first_line(tmp_path):
    """Observed: keys without a value are left out."""
    git = GitInfo(branch="main", sha="abc")
    rollout = fresh(tmp_path, git_info=git, forked_from_id="other", thread_source="user")
    rollout.materialize()
    [meta] = lines(rollout.path)
    assert meta["payload"]["git"] == {"commit_hash": "abc", "branch": "main"}
    assert list(meta["payload"])[:2] == ["id", "forked_from_id"]
    assert meta["payload"]["thread_source"] == "user"


def test_a_fork_holds_its_own_beginning_and_then_its_source(tmp_path):
    """Observed: the source's `session_meta` included; a torn last line stays behind."""
    source = fresh(tmp_path)
    one_turn(source, tmp_path)
    with Path(source.path).open("ab") as file:
        file.write(b'{"timestamp":"2026')
    fork_id = "0199a213-81c0-7800-8aa1-bbab2a035a99"
    fork = fresh(tmp_path, id=fork_id, forked_from_id=ID)
    fork.copy_from(source.path, Path(source.path).stat().st_size)
    metas = [x["payload"]["id"] for x in lines(fork.path) if x["type"] == "session_meta"]
    assert metas == [fork_id, ID]
    assert len(read_turns(fork.path)) == 1


def test_a_fork_takes_over_what_it_has_loaded_and_no_more(tmp_path):
    """Ours: what its source says meanwhile would be in its turns and unknown to its model."""
    source = fresh(tmp_path)
    one_turn(source, tmp_path)
    loaded = replay(source.path)
    one_turn(source, tmp_path)
    fork = fresh(tmp_path, id="0199a213-81c0-7800-8aa1-bbab2a035a99")
    fork.copy_from(source.path, loaded.size)
    assert read_turns(fork.path) == loaded.turns
    assert len(read_turns(source.path)) == 2


# ---- mishaps


@pytest.mark.parametrize("torn", [b'{"timestamp":"2026', b"\0\0\0\0", b"x" * 200_000])
def test_a_torn_last_line_is_cut_off(tmp_path, torn):
    """Ours: a power cut; what comes after must not be glued to it."""
    whole = fresh(tmp_path)
    one_turn(whole, tmp_path)
    before = Path(whole.path).read_bytes()
    Path(whole.path).write_bytes(before + torn)
    opened = Rollout.open(whole.path, ID)
    assert opened.warning is not None
    assert Path(whole.path).read_bytes() == before


def test_a_whole_last_line_only_gets_its_newline(tmp_path):
    """Ours: other programs may leave it out."""
    whole = fresh(tmp_path)
    one_turn(whole, tmp_path)
    before = Path(whole.path).read_bytes()
    Path(whole.path).write_bytes(before[:-1])
    assert Rollout.open(whole.path, ID).warning is None
    assert Path(whole.path).read_bytes() == before


def test_unreadable_lines_in_the_middle_stay(tmp_path):
    """Ours: passed over, never dropped."""
    path = tmp_path / "r.jsonl"
    path.write_bytes(b"{ broken\n")
    assert Rollout.open(str(path), ID).warning is None
    assert path.read_bytes() == b"{ broken\n"


def test_a_full_disk_leaves_whole_lines_and_loses_none(tmp_path, monkeypatch):
    """Ours: what could not be written goes out with the next lines."""
    rollout = fresh(tmp_path)
    rollout.user_message([TextInput("hello")])
    before = Path(rollout.path).read_bytes()
    room = os.write

    def full(file: int, data: bytes) -> int:
        if len(data) > 20:
            return room(file, data[:20])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", lambda file, data: full(file, data[:40]))
    with pytest.raises(RolloutError, match=r"No space left on device; make room"):
        rollout.item({"type": "message", "role": "user"})
    done = Turn("t1", [], "completed")
    assert "No space left" in str(rollout.turn_ended(done, last_message=None, first_token_ms=None))
    assert Path(rollout.path).read_bytes() == before
    monkeypatch.undo()
    rollout.token_count(None)
    kinds = [x["payload"].get("type") for x in lines(rollout.path)]
    assert kinds == [None, "user_message", "message", "task_complete", "token_count"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    """Ours."""
    (tmp_path / "sessions").write_text("in the way")
    with pytest.raises(RolloutError, match="cannot write the thread's file"):
        fresh(tmp_path).materialize()


async def test_what_was_written_can_be_put_on_the_disk(tmp_path):
    """Ours: once per turn, file and folder."""
    rollout = fresh(tmp_path)
    await rollout.sync()
    rollout.user_message([TextInput("hello")])
    await rollout.sync()
    rollout.close()
    assert not rollout.exists


async def test_a_file_that_is_closed_meanwhile_is_still_put_on_the_disk(tmp_path, monkeypatch):
    """Ours: a worker that leaves closes the file while the end of its last turn is being synced."""
    rollout = fresh(tmp_path)
    rollout.user_message([TextInput("hello")])
    synced = []

    def fsync(file: int) -> None:
        rollout.close()
        synced.append(str(Path(f"/proc/self/fd/{file}").readlink()))

    monkeypatch.setattr(os, "fsync", fsync)
    await rollout.sync()
    assert synced == [rollout.path, str(Path(rollout.path).parent)]


# ---- what lines say


def test_elements_of_a_later_text_move_behind_the_texts_before_it():
    """Observed: one text, offsets in bytes."""
    element = TextElement(ByteRange(end=5, start=0), "@file")
    said = record.user_said(
        [TextInput("é "), TextInput("@file", [element]), LocalImageInput("/a.png")]
    )
    assert said.message == "é @file"
    assert said.text_elements[0].byte_range.start == 3
    assert said.local_images == ["/a.png"]
    assert record.user_said([]) == UserSaid()


def test_each_part_of_a_reasoning_summary_is_an_event():
    """Observed."""
    events = record.item_events(Reasoning("r", ["raw"], ["one", "two"]), ID, "t1", NOW_MS)
    assert [type(event).__name__ for event in events] == [
        "AgentReasoned",
        "AgentReasoned",
        "AgentReasonedRaw",
    ]


def test_an_mcp_call_keeps_what_it_gave(tmp_path):
    """Observed: the result is `Ok` also when the tool says that it failed."""
    result = McpToolCallResult([{"type": "text", "text": "no"}])
    call = McpToolCall({"word": "owl"}, "c", "words", "failed", "fail", 1005, None, None, result)
    [event] = record.item_events(call, ID, "t1", NOW_MS)
    rollout = fresh(tmp_path)
    rollout.event(event)
    rollout.materialize()
    assert lines(rollout.path)[-1]["payload"] == {
        "type": "mcp_tool_call_end",
        "call_id": "c",
        "invocation": {"server": "words", "tool": "fail", "arguments": {"word": "owl"}},
        "duration": {"secs": 1, "nanos": 5_000_000},
        "result": {"Ok": {"content": [{"type": "text", "text": "no"}], "isError": True}},
    }


@pytest.mark.parametrize(
    ("policy", "stored", "network"),
    [
        (ReadOnly(), {"type": "read-only"}, "restricted"),
        (
            WorkspaceWrite(writable_roots=["/x"], network_access=True),
            {
                "type": "workspace-write",
                "writable_roots": ["/x"],
                "network_access": True,
                "exclude_tmpdir_env_var": False,
                "exclude_slash_tmp": False,
            },
            "enabled",
        ),
    ],
)
def test_policies_have_a_stored_spelling(tmp_path, policy, stored, network):
    """Observed: kebab-case, and a profile beside the policy."""
    context = record.turn_context(settings(tmp_path, sandbox_policy=policy, effort="low"), "t1")
    assert context.sandbox_policy == stored
    assert context.permission_profile["network"] == network
    assert context.effort == "low"
    assert context.collaboration_mode.settings.reasoning_effort == "low"
