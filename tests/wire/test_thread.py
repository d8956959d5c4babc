"""Threads: begun, listed, shared between clients, left alone, loaded again."""

import pytest
import trio

from protocol.errors import RpcError
from protocol.ids import new_id
from protocol.item import TextInput
from protocol.loading import ThreadResumeParams, ThreadStartParams
from protocol.methods import (
    AGENT_MESSAGE_DELTA,
    NOTIFICATIONS,
    THREAD_CLOSED,
    THREAD_LOADED_LIST,
    THREAD_NAME_SET,
    THREAD_NAME_UPDATED,
    THREAD_READ,
    THREAD_RESUME,
    THREAD_START,
    THREAD_STARTED,
    THREAD_TOKEN_USAGE_UPDATED,
    THREAD_UNSUBSCRIBE,
    TURN_COMPLETED,
    TURN_START,
)
from protocol.thread import (
    IdleStatus,
    ThreadLoadedListParams,
    ThreadReadParams,
    ThreadSetNameParams,
    ThreadUnsubscribeParams,
)
from protocol.turn import TurnStartParams


async def test_a_thread_begins_idle_in_its_folder(connect, project):
    """Observed: the answer, then `thread/started` with the same thread."""
    client = await connect()
    answer = await client.call(THREAD_START, ThreadStartParams(cwd=str(project)))
    told = await client.next(THREAD_STARTED)

    assert (answer.cwd, answer.model, answer.model_provider) == (str(project), "gpt-5.4", "test")
    assert answer.thread.status == IdleStatus()
    assert told.thread == answer.thread
    loaded = await client.call(THREAD_LOADED_LIST, ThreadLoadedListParams())
    assert loaded.data == [answer.thread.id]


async def test_an_unknown_thread_is_named_in_the_error(connect):
    """Observed: `thread not found: ID`."""
    client = await connect()
    id = new_id()
    with pytest.raises(RpcError, match=f"^thread not found: {id}$"):
        await client.call(TURN_START, TurnStartParams(thread_id=id, input=[TextInput("x")]))
    with pytest.raises(RpcError, match=f"^thread not loaded: {id}$"):
        await client.call(THREAD_READ, ThreadReadParams(thread_id=id))
    with pytest.raises(RpcError, match=f"^no rollout found for thread id {id}$"):
        await client.call(THREAD_RESUME, ThreadResumeParams(thread_id=id))


async def test_two_clients_of_a_thread_hear_the_same(connect_ws, provider):
    """Ours: one encoding, the same bytes for each subscriber, in the same order."""
    first, second = await connect_ws(), await connect_ws()
    provider.says("To begin with")
    provider.says("For both of you")
    thread = await first.start()
    await first.begin(thread)
    await first.next(TURN_COMPLETED)
    await second.call(THREAD_RESUME, ThreadResumeParams(thread_id=thread.id))
    await second.next(THREAD_TOKEN_USAGE_UPDATED)  # told once more to who comes later
    before = len(first.heard), len(second.heard)
    turn = await first.begin(thread)
    for client in (first, second):
        await client.next(TURN_COMPLETED, lambda done: done.turn.id == turn.id)

    assert first.heard[before[0] :] == second.heard[before[1] :]


async def test_a_client_that_does_not_listen_hears_no_items(connect_ws, provider):
    """Observed: only that the thread started, its status and its name."""
    first, other = await connect_ws(), await connect_ws()
    thread = await first.start()
    await first.begin(thread)
    await first.next(TURN_COMPLETED)
    await other.call(THREAD_LOADED_LIST, ThreadLoadedListParams())

    assert THREAD_STARTED.name in other.methods
    assert not {m for m in other.methods if m.startswith(("item/", "turn/"))}


async def test_a_client_may_leave_in_the_middle_of_a_turn(connect_ws, provider):
    """Ours: a turn belongs to its thread and not to the connection that began it."""
    gate = trio.Event()
    provider.says("Long", gate)
    first, second = await connect_ws(), await connect_ws()
    thread = await first.start()
    await first.begin(thread)
    await first.next(AGENT_MESSAGE_DELTA)
    await second.call(THREAD_RESUME, ThreadResumeParams(thread_id=thread.id))
    await first.call(THREAD_UNSUBSCRIBE, ThreadUnsubscribeParams(thread_id=thread.id))
    gate.set()

    assert (await second.next(TURN_COMPLETED)).turn.status == "completed"
    await first.call(THREAD_LOADED_LIST, ThreadLoadedListParams())
    assert TURN_COMPLETED.name not in first.methods


async def test_a_thread_without_listeners_is_unloaded(connect, provider):
    """Ours: `atrio.unload_grace_seconds` is 0 here, 30 minutes else."""
    connect.flags += ["-c", "atrio.unload_grace_seconds=0"]
    client = await connect()
    thread = await client.start()
    await client.begin(thread)
    await client.next(TURN_COMPLETED)
    await client.call(THREAD_UNSUBSCRIBE, ThreadUnsubscribeParams(thread_id=thread.id))

    assert (await client.next(THREAD_CLOSED)).thread_id == thread.id
    await client.call(THREAD_RESUME, ThreadResumeParams(thread_id=thread.id))


async def test_a_name_is_told_to_everybody(connect_ws, provider):
    """Observed: subscribed or not."""
    first, other = await connect_ws(), await connect_ws()
    thread = await first.start()
    await first.begin(thread)
    await first.next(TURN_COMPLETED)
    await first.call(THREAD_NAME_SET, ThreadSetNameParams(name="A name", thread_id=thread.id))

    for client in (first, other):
        assert (await client.next(THREAD_NAME_UPDATED)).thread_name == "A name"


async def test_many_threads_work_at_the_same_time(connect, provider):
    """Ours: one worker process each."""
    gates = [trio.Event() for _ in range(8)]
    for gate in gates:
        provider.says("Begun", gate, "and done")
    client = await connect()
    threads = [await client.start() for _ in gates]
    for thread in threads:
        await client.begin(thread)
    for _ in threads:
        await client.next(AGENT_MESSAGE_DELTA)
    for gate in gates:
        gate.set()
    done = {(await client.next(TURN_COMPLETED)).thread_id for _ in threads}

    assert done == {thread.id for thread in threads}


def test_what_everybody_hears_has_rows():
    """Ours: the list of broadcast notifications is part of the table."""
    from protocol.methods import BROADCAST

    assert set(NOTIFICATIONS) >= BROADCAST
