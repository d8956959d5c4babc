"""Files in the sessions folder that no server has left there: each is answered for, none harms."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from protocol.errors import INTERNAL_ERROR, INVALID_REQUEST, RpcError
from protocol.loading import ThreadForkParams, ThreadResumeParams
from protocol.methods import (
    THREAD_FORK,
    THREAD_LIST,
    THREAD_READ,
    THREAD_RESUME,
    THREAD_TURNS_LIST,
    TURN_COMPLETED,
)
from protocol.thread import ThreadListParams, ThreadReadParams, ThreadTurnsListParams

ID = "01999999-0000-7000-8000-00000000000{}"
STAMP = "2026-01-02T03:04:05.678Z"
BIG = 10 << 20


def line(type: str, /, **payload) -> bytes:
    return json.dumps({"timestamp": STAMP, "type": type, "payload": payload}).encode() + b"\n"


def event(type: str, /, **payload) -> bytes:
    return line("event_msg", **{"type": type, **payload})


def meta(id: str) -> bytes:
    return line("session_meta", id=id, timestamp=STAMP, cwd="/", model_provider="test")


def rollout(id: str, *between: bytes) -> bytes:
    """A thread with one turn, and something in it."""
    return b"".join([
        meta(id),
        event("task_started", turn_id="t", started_at=1),
        event("user_message", message="Good question", images=[], local_images=[]),
        *between,
        event("agent_message", message="Good answer"),
        event("task_complete", turn_id="t", completed_at=2),
    ])  # fmt: skip


def path_of(home: Path, id: str, minute: int = 4) -> Path:
    folder = home / "sessions" / "2026" / "01" / "02"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"rollout-2026-01-02T03-{minute:02}-05-{id}.jsonl"


def written(*between: bytes) -> Callable[[Path], None]:
    """A file with something in it that is no line of ours."""
    return lambda path: Path.write_bytes(path, rollout(path.stem[-36:], *between)) and None


def linked(path: Path) -> None:
    elsewhere = path.parents[4] / "elsewhere"
    elsewhere.write_bytes(rollout(path.stem[-36:]))
    path.symlink_to(elsewhere)


SPOILED = {
    "a line of 10 MB": written(b'{"timestamp":"' + b"x" * BIG + b'"}\n'),
    "an output of 10 MB": written(line("response_item", type="reasoning", text="x" * BIG)),
    "zeros": written(b"\0" * BIG + b"\n"),
    "no UTF-8": written(b'{"a":"\xff\xfe"}\n\xff\n'),
    "deep nesting": written(b"[" * 1_000_000 + b"\n"),
    "another thread's meta": written(meta(ID.format(9))),
    "a torn end": lambda path: Path.write_bytes(path, rollout(path.stem[-36:]) + b'{"t') and None,
    "a link": linked,
    "another id than the name": lambda path: Path.write_bytes(path, rollout(ID.format(8))) and None,
}  # fmt: skip
UNREADABLE = {
    "nothing": lambda path: path.touch(),
    "a folder": lambda path: path.mkdir(),
    "a dangling link": lambda path: path.symlink_to("/nowhere/at/all"),
    "no meta": lambda path: Path.write_bytes(path, event("agent_message", message="?")) and None,
    "zeros": lambda path: Path.write_bytes(path, b"\0" * 4096) and None,
    "a pipe": os.mkfifo,
}


@pytest.mark.parametrize("what", SPOILED)
async def test_a_thread_with_spoiled_lines_is_listed_read_forked_and_gone_on_with(
    connect_stdio, home, what
):
    """Ours (DESIGN 5): what is good in its file is shown, and the file's name says whose it is."""
    id = ID.format(1)
    SPOILED[what](path_of(home, id))
    client = await connect_stdio()
    [listed] = (await client.call(THREAD_LIST, ThreadListParams())).data
    read = (await client.call(THREAD_READ, ThreadReadParams(id, include_turns=True))).thread
    forked = (await client.call(THREAD_FORK, ThreadForkParams(thread_id=id))).thread
    resumed = (await client.call(THREAD_RESUME, ThreadResumeParams(thread_id=id))).thread
    await client.begin(id, "More?")
    done = await client.next(TURN_COMPLETED, lambda done: done.thread_id == id)
    page = await client.call(THREAD_TURNS_LIST, ThreadTurnsListParams(id))

    assert (listed.id, listed.preview) == (read.id, read.preview) == (id, "Good question")
    for shown in (read, forked, resumed):
        assert [len(turn.items) for turn in shown.turns] == [2]
    assert done.turn.status == "completed"
    assert [len(turn.items) for turn in page.data] == [2, 2]


@pytest.mark.parametrize("what", UNREADABLE)
async def test_what_is_no_thread_is_refused_and_in_nobodys_way(connect_stdio, home, what):
    """Observed: -32603 for a file that cannot be read; ours: the others are listed all the same."""
    bad, good = ID.format(1), ID.format(2)
    UNREADABLE[what](path_of(home, bad))
    path_of(home, good).write_bytes(rollout(good))
    client = await connect_stdio()
    for row, params in (
        (THREAD_READ, ThreadReadParams(bad, include_turns=True)),
        (THREAD_RESUME, ThreadResumeParams(thread_id=bad)),
        (THREAD_FORK, ThreadForkParams(thread_id=bad)),
        (THREAD_TURNS_LIST, ThreadTurnsListParams(bad)),
    ):
        with pytest.raises(RpcError) as refused:
            await client.call(row, params)
        assert refused.value.code in (INTERNAL_ERROR, INVALID_REQUEST)
        assert bad in refused.value.message
    listed = (await client.call(THREAD_LIST, ThreadListParams())).data
    resumed = await client.call(THREAD_RESUME, ThreadResumeParams(thread_id=good))

    assert [thread.id for thread in listed] == [good]
    assert len(resumed.thread.turns) == 1


async def test_of_two_files_with_one_id_one_is_the_thread(connect_stdio, home):
    """Ours: whichever it is, every answer is about the same one."""
    id = ID.format(1)
    path_of(home, id, 4).write_bytes(rollout(id))
    path_of(home, id, 5).write_bytes(rollout(id, event("agent_message", message="Between")))
    client = await connect_stdio()
    [listed] = (await client.call(THREAD_LIST, ThreadListParams())).data
    read = (await client.call(THREAD_READ, ThreadReadParams(id, include_turns=True))).thread
    resumed = (await client.call(THREAD_RESUME, ThreadResumeParams(thread_id=id))).thread

    assert listed.path == read.path == resumed.path
    assert read.turns == resumed.turns
