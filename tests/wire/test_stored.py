"""Threads on disk: what a client was told is there after any restart."""

import pytest
import trio

from protocol.errors import RpcError
from protocol.item import AgentMessage, UserMessage
from protocol.loading import ThreadForkParams, ThreadResumeParams
from protocol.methods import (
    AGENT_MESSAGE_DELTA,
    ITEM_COMPLETED,
    THREAD_ARCHIVE,
    THREAD_FORK,
    THREAD_LIST,
    THREAD_NAME_SET,
    THREAD_READ,
    THREAD_RESUME,
    THREAD_TURNS_LIST,
    THREAD_UNARCHIVE,
    TURN_COMPLETED,
)
from protocol.thread import (
    ThreadArchiveParams,
    ThreadListParams,
    ThreadReadParams,
    ThreadSetNameParams,
    ThreadTurnsListParams,
    ThreadUnarchiveParams,
)


def texts(turns) -> list[str]:
    """What was said, by both."""
    said = []
    for turn in turns:
        for item in turn.items:
            match item:
                case UserMessage():
                    said.append(item.content[0].text)
                case AgentMessage():
                    said.append(item.text)
    return said


async def converse(client, provider, *pairs: tuple[str, str]):
    thread = await client.start()
    for question, answer in pairs:
        provider.says(answer)
        await client.begin(thread, question)
        await client.next(TURN_COMPLETED)
    return thread


async def test_turns_come_back_after_a_restart(connect, provider):
    """Observed: `thread/resume` gives the turns, and the model sees them."""
    thread = await converse(await connect(), provider, ("One?", "1"), ("Two?", "2"))
    await connect.restart()
    client = await connect()
    resumed = await client.call(THREAD_RESUME, ThreadResumeParams(thread_id=thread.id))

    assert texts(resumed.thread.turns) == ["One?", "1", "Two?", "2"]
    assert [turn.status for turn in resumed.thread.turns] == ["completed", "completed"]
    provider.says("3")
    await client.begin(thread, "Three?")
    await client.next(TURN_COMPLETED)
    assert "One?" in str(provider.requests[-1]["input"])


async def test_turns_come_back_after_the_server_was_killed(connect, provider):
    """Ours (DESIGN 5): what a client was told is on disk."""
    client = await connect()
    thread = await converse(client, provider, ("One?", "1"))
    provider.says("2", trio.Event())
    await client.begin(thread, "Two?")
    await client.next(AGENT_MESSAGE_DELTA, lambda delta: delta.delta == "2")
    await client.next(ITEM_COMPLETED, lambda p: isinstance(p.item, AgentMessage))
    await connect.server.kill()
    await client.gone()
    await connect.restart()
    client = await connect()
    resumed = await client.call(THREAD_RESUME, ThreadResumeParams(thread_id=thread.id))

    assert texts(resumed.thread.turns)[:3] == ["One?", "1", "Two?"]
    assert [turn.status for turn in resumed.thread.turns] == ["completed", "interrupted"]


async def test_a_stored_thread_can_be_read_without_loading_it(connect, provider):
    """Observed: `thread/read` and `thread/turns/list` need no worker."""
    thread = await converse(await connect(), provider, ("One?", "1"), ("Two?", "2"))
    await connect.restart()
    client = await connect()
    read = await client.call(THREAD_READ, ThreadReadParams(thread_id=thread.id, include_turns=True))
    page = await client.call(
        THREAD_TURNS_LIST, ThreadTurnsListParams(thread_id=thread.id, limit=1, sort_direction="asc")
    )

    assert texts(read.thread.turns) == ["One?", "1", "Two?", "2"]
    assert len(page.data) == 1
    assert page.next_cursor is not None


async def test_threads_are_listed_with_names_after_a_restart(connect, provider):
    """Observed: newest first, with the name that was set and the first message as preview."""
    client = await connect()
    first = await converse(client, provider, ("First question", "1"))
    second = await converse(client, provider, ("Second question", "2"))
    await client.call(THREAD_NAME_SET, ThreadSetNameParams(name="Named", thread_id=first.id))
    await connect.restart()
    listed = (await (await connect()).call(THREAD_LIST, ThreadListParams())).data

    assert {(t.id, t.name, t.preview) for t in listed} == {
        (first.id, "Named", "First question"),
        (second.id, None, "Second question"),
    }


async def test_the_list_survives_the_loss_of_its_index(connect, provider, home):
    """Ours: the index is a cache of the files."""
    thread = await converse(await connect(), provider, ("One?", "1"))
    await connect.restart()
    for file in home.glob("*sqlite*"):
        file.unlink()
    listed = (await (await connect()).call(THREAD_LIST, ThreadListParams())).data

    assert [t.id for t in listed] == [thread.id]


async def test_a_fork_goes_its_own_way(connect, provider):
    """Observed: it has the turns so far and leaves the source alone."""
    client = await connect()
    thread = await converse(client, provider, ("One?", "1"))
    fork = (await client.call(THREAD_FORK, ThreadForkParams(thread_id=thread.id))).thread
    provider.says("other")
    await client.begin(fork, "Other?")
    await client.next(TURN_COMPLETED, lambda done: done.thread_id == fork.id)
    read = await client.call(THREAD_READ, ThreadReadParams(thread_id=thread.id, include_turns=True))

    assert fork.forked_from_id == thread.id
    assert "One?" in str(provider.requests[-1]["input"])
    assert texts(read.thread.turns) == ["One?", "1"]


async def test_an_archived_thread_is_listed_apart_and_comes_back(connect, provider):
    """Observed: archive, list with `archived`, unarchive, resume."""
    client = await connect()
    thread = await converse(client, provider, ("One?", "1"))
    await client.call(THREAD_ARCHIVE, ThreadArchiveParams(thread_id=thread.id))
    plain = await client.call(THREAD_LIST, ThreadListParams())
    archived = await client.call(THREAD_LIST, ThreadListParams(archived=True))
    assert ([t.id for t in plain.data], [t.id for t in archived.data]) == ([], [thread.id])

    await client.call(THREAD_UNARCHIVE, ThreadUnarchiveParams(thread_id=thread.id))
    resumed = await client.call(THREAD_RESUME, ThreadResumeParams(thread_id=thread.id))
    assert texts(resumed.thread.turns) == ["One?", "1"]


async def test_a_thread_that_was_never_used_cannot_be_resumed(connect):
    """Observed: no rollout exists before the first message."""
    thread = await (await connect()).start()
    await connect.restart()
    with pytest.raises(RpcError, match="^no rollout found"):
        await (await connect()).call(THREAD_RESUME, ThreadResumeParams(thread_id=thread.id))


async def test_a_file_with_a_torn_end_is_loaded(connect, provider, home):
    """Ours: a power cut costs the line that was being written, not the thread."""
    thread = await converse(await connect(), provider, ("One?", "1"))
    await connect.restart()
    (rollout,) = home.glob("sessions/**/*.jsonl")
    with rollout.open("ab") as file:
        file.write(b'{"timestamp":"2025-01-01T00:00:00Z","type":"response_it')
    client = await connect()
    resumed = await client.call(THREAD_RESUME, ThreadResumeParams(thread_id=thread.id))
    assert texts(resumed.thread.turns) == ["One?", "1"]

    provider.says("2")
    await client.begin(thread, "Two?")
    await client.next(TURN_COMPLETED)
    read = await client.call(THREAD_READ, ThreadReadParams(thread_id=thread.id, include_turns=True))
    assert texts(read.thread.turns) == ["One?", "1", "Two?", "2"]
