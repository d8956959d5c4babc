"""What the random steps have found, one plain test each."""

import pytest

from protocol.errors import RpcError
from protocol.loading import ThreadResumeParams
from protocol.maintenance import ThreadInjectItemsParams, ThreadRollbackParams
from protocol.methods import (
    THREAD_ARCHIVE,
    THREAD_INJECT_ITEMS,
    THREAD_LIST,
    THREAD_LOADED_LIST,
    THREAD_NAME_SET,
    THREAD_READ,
    THREAD_RESUME,
    THREAD_ROLLBACK,
    THREAD_STATUS_CHANGED,
    TURN_COMPLETED,
)
from protocol.rollout import ARCHIVED_SESSIONS, SESSIONS
from protocol.thread import (
    IdleStatus,
    SystemErrorStatus,
    ThreadArchiveParams,
    ThreadListParams,
    ThreadLoadedListParams,
    ThreadReadParams,
    ThreadSetNameParams,
)
from workers.replay import replay
from workers.rollout import Rollout

ITEM = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "more"}]}


async def converse(client, *questions: str):
    thread = await client.start()
    for question in questions:
        await client.begin(thread, question)
        await client.next(TURN_COMPLETED, lambda done: done.thread_id == thread.id)
    return thread


async def test_the_preview_is_what_was_said_first_even_when_it_was_taken_back(connect_stdio):
    """Observed: lists, readers and those who resume see the same one."""
    client = await connect_stdio()
    thread = await converse(client, "One?")
    await client.call(THREAD_ROLLBACK, ThreadRollbackParams(1, thread.id))
    await client.begin(thread, "Two?")
    await client.next(TURN_COMPLETED)
    await connect_stdio.restart()
    client = await connect_stdio()
    [listed] = (await client.call(THREAD_LIST, ThreadListParams())).data
    resumed = await client.call(THREAD_RESUME, ThreadResumeParams(thread_id=thread.id))

    assert (listed.preview, resumed.thread.preview) == ("One?", "One?")


async def test_a_thread_whose_worker_died_is_well_when_it_has_another(connect_ws):
    """Ours: clients were told `systemError`, so they are told when it is over."""
    client = await connect_ws()
    thread = await converse(client, "One?")
    worker = connect_ws.server.holder(thread.path)
    await connect_ws.server.kill(worker)
    await client.next(THREAD_STATUS_CHANGED, lambda told: told.status == SystemErrorStatus())
    await client.call(THREAD_INJECT_ITEMS, ThreadInjectItemsParams([ITEM], thread.id))
    await client.next(THREAD_STATUS_CHANGED, lambda told: told.status == IdleStatus())
    await client.call(THREAD_NAME_SET, ThreadSetNameParams("Named", thread.id))
    [listed] = (await client.call(THREAD_LIST, ThreadListParams())).data

    assert (listed.status, listed.name) == (IdleStatus(), "Named")


async def test_an_archived_thread_can_be_resumed_but_is_not_archived_again(connect_stdio):
    """Observed: resuming does not bring it back, so archiving it is refused; ours: and does no
    harm, while the reference's refusal depends on when it comes.
    """
    client = await connect_stdio()
    thread = await converse(client, "One?")
    archive = ThreadArchiveParams(thread.id)
    await client.call(THREAD_ARCHIVE, archive)
    await client.call(THREAD_RESUME, ThreadResumeParams(thread_id=thread.id))
    with pytest.raises(RpcError, match="^no rollout found"):
        await client.call(THREAD_ARCHIVE, archive)
    loaded = await client.call(THREAD_LOADED_LIST, ThreadLoadedListParams())

    assert loaded.data == [thread.id]


async def test_an_archived_thread_keeps_its_name(connect_stdio):
    """Observed."""
    client = await connect_stdio()
    thread = await converse(client, "One?")
    await client.call(THREAD_ARCHIVE, ThreadArchiveParams(thread.id))
    with pytest.raises(RpcError, match=f"^thread {thread.id} is archived$"):
        await client.call(THREAD_NAME_SET, ThreadSetNameParams("Late", thread.id))


async def test_a_name_given_while_the_thread_is_loaded_is_its_name(connect_stdio):
    """Ours: the thread and the list of threads must not know two names."""
    client = await connect_stdio()
    thread = await converse(client, "One?")
    await connect_stdio.restart()
    client = await connect_stdio()
    resume = b'{"threadId":"%b"}' % thread.id.encode()
    asked = [await client.ask("thread/resume", resume)]
    for number in b"12345":
        name = b'{"threadId":"%b","name":"%c"}' % (thread.id.encode(), number)
        asked.append(await client.ask("thread/name/set", name))
    for id in asked:
        assert (await client.answer_to(id)).error is None
    read = (await client.call(THREAD_READ, ThreadReadParams(thread.id))).thread
    [listed] = (await client.call(THREAD_LIST, ThreadListParams())).data

    assert read.name == listed.name == "5"


async def test_a_turn_can_be_asked_for_behind_the_resume_of_its_thread(connect_stdio):
    """Observed: what one client asks about one thread is done in the order of asking."""
    client = await connect_stdio()
    thread = await converse(client, "One?")
    await connect_stdio.restart()
    client = await connect_stdio()
    resume = b'{"threadId":"%b"}' % thread.id.encode()
    begin = b'{"threadId":"%b","input":[{"type":"text","text":"Two?"}]}' % thread.id.encode()
    asked = [await client.ask("thread/resume", resume), await client.ask("turn/start", begin)]

    assert [(await client.answer_to(id)).error for id in asked] == [None, None]
    assert (await client.next(TURN_COMPLETED)).turn.status == "completed"


async def test_reading_and_forking_meet_a_thread_that_is_on_the_move(connect_stdio):
    """Ours: whoever was told where the file is finds it when it is archived meanwhile."""
    client = await connect_stdio()
    thread = await converse(client, "One?")
    params = b'{"threadId":"%b","includeTurns":true}' % thread.id.encode()
    asked = []
    for move in ("thread/archive", "thread/unarchive") * 5:
        asked += [await client.ask("thread/fork", params), await client.ask("thread/read", params)]
        asked.append(await client.ask(move, params))

    answers = [await client.answer_to(id) for id in asked]
    assert [answer.error for answer in answers if answer.error] == []


def test_a_file_is_found_where_it_was_moved_to(tmp_path):
    """Ours: a path may be older than the last move."""
    name = "rollout-2026-01-02T03-04-05-01999999-0000-7000-8000-000000000001.jsonl"
    there = tmp_path / SESSIONS / "2026" / "01" / "02" / name
    away = tmp_path / ARCHIVED_SESSIONS / name
    for told, real in ((there, away), (away, there)):
        real.parent.mkdir(parents=True)
        real.write_text("{}\n")
        assert replay(str(told)).turns == []
        rollout = Rollout.open(str(told), "id")
        rollout.close()
        assert rollout.path == str(real)
        real.unlink()
