"""A review in a thread of its own."""

import pytest
import trio

from protocol.errors import INTERNAL_ERROR, RpcError
from protocol.item import TextInput, UserMessage
from protocol.methods import ITEM_COMPLETED, THREAD_READ, THREAD_STARTED, TURN_COMPLETED
from protocol.review import UncommittedChanges
from protocol.thread import ThreadReadParams
from tests import reviewing
from tests.reviewing import review, reviewed, verdict


@pytest.fixture
def repository(project):
    reviewing.repository(project)
    return project


async def test_a_detached_review_leaves_the_thread_free(connect_stdio, provider, repository):
    """Observed: the new thread begins as a fork does, and its worker is its own."""
    gate = trio.Event()
    provider.says("One.")
    provider.says(gate, "Two.")
    client = await connect_stdio()
    thread = await client.start(cwd=str(repository))
    await client.begin(thread, "First question")
    await client.next(TURN_COMPLETED)
    await client.begin(thread, "Second question")
    await client.next(ITEM_COMPLETED, asks_second)
    provider.says(verdict())
    begun = await review(client, thread, UncommittedChanges(), delivery="detached")
    made = (await client.next(THREAD_STARTED, lambda p: p.thread.id != thread.id)).thread
    done = await client.next(TURN_COMPLETED)
    gate.set()

    assert (done.thread_id, done.turn.id) == (begun.review_thread_id, begun.turn.id)
    assert (made.id, made.forked_from_id) == (begun.review_thread_id, thread.id)
    assert made.preview == "First question"
    assert (await client.next(TURN_COMPLETED)).thread_id == thread.id
    read = await client.call(THREAD_READ, ThreadReadParams(made.id, include_turns=True))
    assert read.thread.turns[-1].id == begun.turn.id


def asks_second(params) -> bool:
    item = params.item
    return isinstance(item, UserMessage) and item.content == [TextInput("Second question")]


async def test_a_detached_review_needs_no_turn_before_it(connect_stdio, provider, project):
    """Observed."""
    provider.says(verdict())
    provider.says("Go on.")
    client = await connect_stdio()
    thread = await client.start(cwd=str(project), sandbox="read-only")
    begun = await review(client, thread, delivery="detached")
    assert (await client.next(TURN_COMPLETED)).thread_id == begun.review_thread_id
    await client.begin(begun.review_thread_id, "Thanks")
    assert (await client.next(TURN_COMPLETED)).turn.status == "completed"

    read = await client.call(
        THREAD_READ, ThreadReadParams(begun.review_thread_id, include_turns=True)
    )
    assert read.thread.forked_from_id == thread.id
    assert len(read.thread.turns) == 2


async def test_an_ephemeral_thread_is_reviewed_inline_only(connect_stdio, provider, project):
    """Observed."""
    provider.says(verdict())
    client = await connect_stdio()
    thread = await client.start(cwd=str(project), ephemeral=True)
    with pytest.raises(RpcError) as refused:
        await review(client, thread, delivery="detached")
    assert refused.value.code == INTERNAL_ERROR
    assert "review it inline" in refused.value.message
    assert await reviewed(client, thread) == "Looked at."
