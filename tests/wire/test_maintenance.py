"""A thread is rolled back, labelled and cleaned up."""

import pytest
import trio

from protocol.errors import METHOD_NOT_FOUND, RpcError
from protocol.item import CommandExecution
from protocol.loading import ThreadResumeParams
from protocol.maintenance import (
    ThreadBackgroundTerminalsCleanParams,
    ThreadCompactStartParams,
    ThreadDecrementElicitationParams,
    ThreadIncrementElicitationParams,
    ThreadMemoryModeSetParams,
    ThreadMetadataGitInfoUpdateParams,
    ThreadMetadataUpdateParams,
    ThreadRollbackParams,
    ThreadTurnsItemsListParams,
)
from protocol.methods import (
    ITEM_COMPLETED,
    ITEM_STARTED,
    THREAD_BACKGROUND_TERMINALS_CLEAN,
    THREAD_COMPACT_START,
    THREAD_DECREMENT_ELICITATION,
    THREAD_INCREMENT_ELICITATION,
    THREAD_MEMORY_MODE_SET,
    THREAD_METADATA_UPDATE,
    THREAD_READ,
    THREAD_RESUME,
    THREAD_ROLLBACK,
    THREAD_STATUS_CHANGED,
    THREAD_TURNS_ITEMS_LIST,
    TURN_COMPLETED,
)
from protocol.thread import GitInfo, SystemErrorStatus, ThreadReadParams
from workers.scripted import ToolCall


async def converse(client, provider, *questions: str, **params):
    thread = await client.start(**params)
    for question in questions:
        provider.says(f"Answer to {question}")
        await client.begin(thread, question)
        await client.next(TURN_COMPLETED)
    return thread


def spoken(request) -> list[tuple[str, str]]:
    """Role and first text of each message of a request."""
    return [
        (item["role"], item["content"][0]["text"].split("\n")[0])
        for item in request["input"]
        if item["type"] == "message"
    ]


# ---- rollback


async def test_a_rollback_takes_back_the_last_turns(connect, provider):
    """Observed: the model does not see them again, and a restart does not bring them back."""
    client = await connect()
    thread = await converse(client, provider, "One?", "Two?", "Three?")
    left = await client.call(THREAD_ROLLBACK, ThreadRollbackParams(2, thread.id))
    await connect.restart()
    client = await connect()
    resumed = await client.call(THREAD_RESUME, ThreadResumeParams(thread_id=thread.id))
    await client.begin(thread, "Four?")
    await client.next(TURN_COMPLETED)

    assert len(left.thread.turns) == len(resumed.thread.turns) == 1
    said = [text for role, text in spoken(provider.requests[3]) if text.endswith("?")]
    assert said == ["One?", "Answer to One?", "Four?"]


async def test_more_turns_than_there_are_is_all_of_them(connect, provider):
    """Observed: and then the model is told its context again."""
    client = await connect()
    thread = await converse(client, provider, "One?")
    left = await client.call(THREAD_ROLLBACK, ThreadRollbackParams(10, thread.id))
    await client.begin(thread, "Two?")
    await client.next(TURN_COMPLETED)

    assert left.thread.turns == []
    assert [role for role, _ in spoken(provider.requests[1])] == ["developer", "user", "user"]


async def test_a_rollback_over_a_compaction_brings_the_history_back(connect, provider):
    """Ours: what was taken back counts for nothing."""
    client = await connect()
    thread = await converse(client, provider, "One?")
    provider.says("The summary.")
    await client.call(THREAD_COMPACT_START, ThreadCompactStartParams(thread.id))
    await client.next(TURN_COMPLETED)
    await client.call(THREAD_ROLLBACK, ThreadRollbackParams(1, thread.id))
    await client.begin(thread, "Two?")
    await client.next(TURN_COMPLETED)

    assert ("assistant", "Answer to One?") in spoken(provider.requests[2])


async def test_what_cannot_be_rolled_back_counts_as_broken(connect, provider):
    """Observed: without a file, without history on disk, and while a turn runs, to its end."""
    client = await connect()
    fresh, fleeting = await client.start(), await client.start(ephemeral=True)
    for thread, cause in (
        (fresh, "appears with the first user message"),
        (fleeting, "thread rollback requires persisted thread history"),
    ):
        with pytest.raises(RpcError, match=cause):
            await client.call(THREAD_ROLLBACK, ThreadRollbackParams(1, thread.id))
        assert (await client.next(THREAD_STATUS_CHANGED)).status == SystemErrorStatus()
    gate = trio.Event()
    provider.says(gate, "Done")
    await client.begin(fresh)
    await client.next(ITEM_STARTED)
    with pytest.raises(RpcError, match=r"^Cannot rollback while a turn is in progress\.$"):
        await client.call(THREAD_ROLLBACK, ThreadRollbackParams(1, fresh.id))
    gate.set()
    await client.next(TURN_COMPLETED)

    shown = await client.call(THREAD_READ, ThreadReadParams(fresh.id))
    assert shown.thread.status == SystemErrorStatus()


async def test_no_turns_are_nothing_to_roll_back(connect, provider):
    """Observed: a wrong number is the client's error and changes nothing."""
    client = await connect()
    thread = await converse(client, provider, "One?")
    for number in (b"0", b"-1", b"4294967296"):
        params = b'{"threadId":"%b","numTurns":%b}' % (thread.id.encode(), number)
        with pytest.raises(RpcError):
            await client.request(THREAD_ROLLBACK.name, params)
    shown = await client.call(THREAD_READ, ThreadReadParams(thread.id, include_turns=True))

    assert (len(shown.thread.turns), shown.thread.status) != (0, SystemErrorStatus())


# ---- labels


async def test_git_info_is_changed_by_the_field(connect, provider):
    """Observed: what is left out stays, null clears, and it survives a restart."""
    client = await connect()
    thread = await converse(client, provider, "One?")

    async def update(**fields) -> GitInfo | None:
        change = ThreadMetadataGitInfoUpdateParams(**fields)
        params = ThreadMetadataUpdateParams(thread.id, change)
        return (await client.call(THREAD_METADATA_UPDATE, params)).thread.git_info

    assert await update(sha=" abc ", branch="topic") == GitInfo("topic", None, "abc")
    assert await update(sha=None) == GitInfo("topic", None, None)
    for fields, cause in (({}, "at least one field"), ({"branch": " "}, "branch must not be")):
        with pytest.raises(RpcError, match=cause):
            await update(**fields)
    await connect.restart()
    client = await connect()
    assert await update(origin_url="https://x.org/r") == GitInfo("topic", "https://x.org/r", None)
    resumed = await client.call(THREAD_RESUME, ThreadResumeParams(thread_id=thread.id))
    assert resumed.thread.git_info == GitInfo("topic", "https://x.org/r", None)
    assert await update(branch=None, origin_url=None) is None


async def test_a_thread_that_is_labelled_early_is_on_disk(connect):
    """Observed: so the label is not lost."""
    client = await connect()
    thread = await client.start()
    change = ThreadMetadataGitInfoUpdateParams(branch="early")
    await client.call(THREAD_METADATA_UPDATE, ThreadMetadataUpdateParams(thread.id, change))
    await client.call(THREAD_MEMORY_MODE_SET, ThreadMemoryModeSetParams("disabled", thread.id))
    await connect.restart()
    client = await connect()
    await client.call(THREAD_MEMORY_MODE_SET, ThreadMemoryModeSetParams("enabled", thread.id))

    shown = await client.call(THREAD_READ, ThreadReadParams(thread.id))
    assert shown.thread.git_info == GitInfo("early")


async def test_an_ephemeral_thread_has_no_labels(connect):
    """Observed: they would be kept nowhere."""
    client = await connect()
    thread = await client.start(ephemeral=True)
    change = ThreadMetadataGitInfoUpdateParams(branch="b")
    with pytest.raises(RpcError, match="ephemeral thread does not support metadata updates"):
        await client.call(THREAD_METADATA_UPDATE, ThreadMetadataUpdateParams(thread.id, change))
    with pytest.raises(RpcError, match="ephemeral thread does not support memory mode updates"):
        await client.call(THREAD_MEMORY_MODE_SET, ThreadMemoryModeSetParams("enabled", thread.id))


# ---- the rest


async def test_questions_of_the_client_are_counted(connect):
    """Observed: the thread is paused as long as there is one."""
    client = await connect()
    id = (await client.start()).id
    more, less = ThreadIncrementElicitationParams(id), ThreadDecrementElicitationParams(id)
    with pytest.raises(RpcError, match="^out-of-band elicitation count is already zero$"):
        await client.call(THREAD_DECREMENT_ELICITATION, less)
    first = await client.call(THREAD_INCREMENT_ELICITATION, more)
    last = await client.call(THREAD_DECREMENT_ELICITATION, less)

    assert [(c.count, c.paused) for c in (first, last)] == [(1, True), (0, False)]


async def test_commands_left_behind_are_cleaned_up(connect, provider):
    """Observed: clients hear of each that it failed; cleaning again does no harm."""
    provider.says(ToolCall("exec_command", {"cmd": "sleep 60", "yield_time_ms": 250}))
    client = await connect()
    thread = await client.start()
    await client.begin(thread)
    await client.next(TURN_COMPLETED)
    for _ in range(2):
        await client.call(
            THREAD_BACKGROUND_TERMINALS_CLEAN, ThreadBackgroundTerminalsCleanParams(thread.id)
        )
    is_command = lambda params: isinstance(params.item, CommandExecution)  # noqa: E731
    ended = (await client.next(ITEM_COMPLETED, is_command)).item

    assert (ended.status, ended.exit_code) == ("failed", -1)


async def test_items_are_not_listed_by_themselves(connect):
    """Observed."""
    client = await connect()
    thread = await client.start()
    with pytest.raises(RpcError, match="not supported yet") as refused:
        await client.call(THREAD_TURNS_ITEMS_LIST, ThreadTurnsItemsListParams(thread.id, thread.id))
    assert refused.value.code == METHOD_NOT_FOUND
