"""How threads come and go, with workers that answer, hang, babble and die."""

import pytest
import trio

from protocol.errors import INTERNAL_ERROR, RpcError
from protocol.frames import Ask, Bye, Call, Failed, Reply, Rest, StartThread, Withdrawn
from supervisor.loaded import HUNG, LOST, PATIENCE_SECONDS
from supervisor.threads import FAREWELL_SECONDS
from tests.supervisor.stage import (
    ID,
    ask,
    event,
    heard,
    question,
    request,
    spec,
    staged,
    state,
    told,
    until,
)

OTHER = "01999999-0000-7000-8000-000000000001"
STATUS = "thread/status/changed"


@pytest.fixture
async def stage():
    async with staged() as stage:
        yield stage


@pytest.fixture
def client(stage):
    return stage.client()


async def test_a_thread_without_listeners_is_unloaded_and_everybody_told(autojump_clock):
    """Observed: status `notLoaded`, then `thread/closed`, to those who never listened too."""
    async with staged(grace_seconds=30) as stage:
        client = stage.client()
        loaded, worker = await stage.load(client)
        loaded.unsubscribe(client)

        assert isinstance(await worker.hear(), Bye)
        assert trio.current_time() == pytest.approx(30, abs=1)
        worker.die()
        await until(lambda: stage.threads.get(ID) is None)
        assert await told(client) == [STATUS, "thread/closed"]


async def test_a_worker_that_will_not_leave_is_made_to(stage, client, caplog, autojump_clock):
    """Ours (DESIGN 6): ask, wait a bounded time, insist; and tell what it left unsaid first."""
    loaded, worker = await stage.load(client)
    await worker.say(state(turn_id="t"), question())
    await until(lambda: loaded.turn_id)
    loaded.call(client, request("r"))
    await heard(client)
    async with stage.threads.door(ID):
        await stage.threads.unload(loaded, "archived")

    assert trio.current_time() == pytest.approx(FAREWELL_SECONDS + 1, abs=0.5)
    assert await told(client) == [
        "r", "serverRequest/resolved", "error", "turn/completed", STATUS, "thread/closed"
    ]  # fmt: skip
    assert "would not leave" in caplog.text


async def test_what_a_worker_says_on_its_way_out_is_told(stage, client, nursery, autojump_clock):
    """Ours: a turn that is cut off is told as ended before the thread is closed."""
    loaded, worker = await stage.load(client)
    nursery.start_soon(unloading, stage, loaded)
    assert isinstance(await worker.hear(), Bye)
    await worker.say(event(0, "turn/completed"))
    worker.die()
    await until(lambda: stage.threads.get(ID) is None)

    assert await told(client) == ["turn/completed", STATUS, "thread/closed"]


async def unloading(stage, loaded):
    async with stage.threads.door(ID):
        await stage.threads.unload(loaded, "archived")


async def test_nobody_comes_in_while_a_thread_is_unloaded(stage, client, nursery, autojump_clock):
    """Ours: or two workers would write one file."""
    loaded, worker = await stage.load(client)
    nursery.start_soon(unloading, stage, loaded)
    await worker.hear()

    with pytest.raises(RpcError, match="thread not found"):
        stage.threads.loaded(ID)
    assert stage.threads.door(ID).locked()
    worker.die()
    async with stage.threads.door(ID):
        assert stage.threads.get(ID) is None


async def test_who_waits_at_a_door_and_who_comes_later_wait_at_the_same(
    stage, nursery, autojump_clock
):
    """Ours: two clients resume a thread that is just being unloaded."""
    inside = []

    async def enter():
        async with stage.threads.door(ID):
            inside.append(1)
            await trio.sleep(1)
            assert sum(inside) == 1
            inside.pop()

    for moment in range(4):
        nursery.start_soon(enter)
        await trio.sleep(moment / 2)
    async with stage.threads.door(ID):
        assert not inside


async def test_a_door_that_nobody_uses_is_forgotten(stage, autojump_clock):
    """Ours: any id that a client can think of has one."""
    async with stage.threads.door(ID):
        pass

    assert len(stage.threads._doors) == 0


async def test_somebody_who_came_just_in_time_keeps_the_thread_loaded(autojump_clock):
    """Ours: whoever was at the door before the end of the grace period."""
    async with staged(grace_seconds=30) as stage:
        client = stage.client()
        loaded, worker = await stage.load(client)
        loaded.unsubscribe(client)
        async with stage.threads.door(ID):
            await trio.sleep(40)
            loaded.call(client, request("r"), subscribe=True)
        call = await worker.hear()
        await worker.say(Reply(call.n, b"{}"))
        await until(lambda: loaded.subscribers)
        await trio.sleep(100)

        assert stage.threads.loaded(ID) is loaded


# ---- workers that die


async def test_a_worker_that_dies_before_its_first_answer_leaves_no_thread(
    stage, client, autojump_clock
):
    """Ours: the next attempt begins anew, from the same file."""
    loaded = await stage.threads.load(spec(rollout="/r"))
    loaded.call(client, request("r"), subscribe=True)
    stage.births.played[0].die()
    await until(lambda: client.outbox.size)

    (answer,) = await heard(client)
    assert (answer["id"], answer["error"]["message"]) == ("r", LOST)
    assert stage.threads.get(ID) is None
    again, _ = await stage.load(client, rollout="/r")
    assert stage.threads.get(ID) is again


async def test_a_worker_that_fails_to_load_is_let_go(stage, client, autojump_clock):
    """Ours: it answers with what is wrong, and its thread may be tried again meanwhile."""
    loaded = await stage.threads.load(spec())
    loaded.call(client, request("r"))
    worker = stage.births.played[0]
    await worker.hear()
    await worker.say(Failed((await worker.hear()).n, INTERNAL_ERROR, "cannot load"))
    await until(lambda: client.outbox.size)
    again, _ = await stage.load(client)

    assert isinstance(await worker.hear(), Bye)
    worker.die()
    await trio.sleep(FAREWELL_SECONDS)
    assert stage.threads.get(ID) is again


@pytest.mark.parametrize(
    "last", [b"", b"\0\0\0\x40half a frame", b"\xff\xff\xff\xff", b"\0\0\0\1x"]
)
async def test_however_a_worker_ends_the_next_request_loads_the_thread_again(
    stage, client, last, autojump_clock
):
    """Ours (DESIGN 6): at once, in the middle of a frame, or babbling."""
    loaded, worker = await stage.load(client)
    await worker.say(state(stored=True), event(9))
    await until(lambda: loaded.next_seq == 10)
    if last:
        await worker.socket.send(last)
    worker.die()
    await until(lambda: loaded.worker is None)
    ask(client, 1, "turn/start", threadId=ID, input=[])
    ask(client, 2, "turn/interrupt", threadId=ID, turnId="t")
    await until(lambda: len(stage.births.played) == 2)

    start, *calls = [await stage.births.played[1].hear() for _ in range(3)]
    assert isinstance(start, StartThread)
    assert (start.rollout, start.next_seq) == ("/rollout", 10)
    assert [call.method for call in calls] == ["turn/start", "turn/interrupt"]


async def test_a_worker_that_dies_again_and_again_costs_each_caller_one_answer(
    stage, client, autojump_clock
):
    """Ours: every request gets an answer, and nothing happens that nobody asked for."""
    loaded, worker = await stage.load(client)
    for id in range(1, 4):
        worker.die()
        await until(lambda: loaded.worker is None)
        ask(client, id, "turn/start", threadId=ID, input=[])
        await until(lambda: loaded.worker is not None)
        worker = stage.births.played[-1]
    worker.die()
    await until(lambda: loaded.worker is None)

    answers = [m for m in await heard(client) if "id" in m]
    assert [(a["id"], a["error"]["message"]) for a in answers] == [(n, LOST) for n in (1, 2, 3)]
    assert len(stage.births.played) == 4


async def test_what_cannot_be_dealt_with_ends_one_worker_and_nothing_else(
    stage, client, caplog, autojump_clock
):
    """Ours: a fault of ours, or of one worker, must not end the others' threads."""
    loaded, worker = await stage.load(client)
    _, its = await stage.load(client, OTHER)
    await worker.say(Ask(1, "no/such/question", b"{}"), Withdrawn(1))

    assert await worker.hear() is None
    await until(lambda: loaded.worker is None)
    assert "no/such/question" in caplog.text
    await heard(client)
    await its.say(event())
    await until(lambda: client.outbox.size)
    assert await told(client) == ["item/completed"]


async def test_requests_that_wait_for_a_worker_are_refused_when_there_is_none(
    stage, client, autojump_clock
):
    """Ours: the nursery process may be unable to start another."""
    loaded, worker = await stage.load(client)
    stage.births.barren = True
    worker.die()
    await until(lambda: loaded.worker is None)
    await heard(client)
    ask(client, "r", "turn/start", threadId=ID, input=[])
    await until(lambda: client.outbox.size)

    assert trio.current_time() == pytest.approx(PATIENCE_SECONDS, abs=1)
    assert await told(client) == ["r"]
    with pytest.raises(RpcError, match="no worker process was ready"):
        await stage.threads.load(spec(OTHER))


async def test_who_waits_for_a_worker_is_refused_when_the_thread_is_unloaded(
    stage, client, autojump_clock
):
    """Ours: the death of its worker and the end of its grace period can meet."""
    loaded, worker = await stage.load(client)
    worker.die()
    await until(lambda: loaded.worker is None)
    async with stage.threads.door(ID):
        await heard(client)
        ask(client, "r", "turn/start", threadId=ID, input=[])
        await stage.threads.unload(loaded, "archived", closed=False)
    await until(lambda: client.outbox.size > 200)

    assert [m["error"]["message"] for m in await heard(client) if "id" in m] == [
        f"thread not found: {ID}"
    ]


# ---- workers that hang


async def test_a_worker_that_does_not_answer_is_ended(stage, client, autojump_clock):
    """Ours: also an interrupt gets an answer, and the next request another worker."""
    loaded, worker = await stage.load(client)
    ask(client, "r", "turn/interrupt", threadId=ID, turnId="t")
    await until(lambda: client.outbox.size)

    assert trio.current_time() == pytest.approx(PATIENCE_SECONDS, abs=1)
    answer, *_ = await heard(client)
    assert answer["error"]["message"] == HUNG
    assert isinstance(await worker.hear(), Call)
    assert await worker.hear() is None
    await until(lambda: loaded.worker is None)
    ask(client, 2, "turn/start", threadId=ID, input=[])
    await until(lambda: loaded.worker is not None)


async def test_what_a_worker_does_not_read_does_not_hold_up_the_others(
    stage, client, autojump_clock
):
    """Ours: the supervisor never waits for a worker."""
    loaded, worker = await stage.load(client)
    other, its = await stage.load(client, OTHER)
    loaded.call(client, request(text="x" * (1 << 20)))
    other.call(client, request("r"))
    await its.say(Reply((await its.hear()).n, b"{}"))
    await until(lambda: client.outbox.size)
    assert await told(client) == ["r"]

    call = await worker.hear()  # and it is all there when it reads at last
    assert len(call.params) > 1 << 20


# ---- numbers, and the end


async def test_the_numbers_of_a_thread_go_on_when_it_is_loaded_again(
    stage, client, nursery, autojump_clock
):
    """Ours (DESIGN 3): `seq` is what replay after a reconnect will count by."""
    loaded, worker = await stage.load(client, rollout="/r")
    await worker.say(event(41))
    await until(lambda: loaded.next_seq == 42)
    worker.die()
    await until(lambda: loaded.worker is None)
    await unloading(stage, loaded)
    again, worker = await stage.load(client, rollout="/r")

    assert again.spec.next_seq == 42


async def test_at_the_end_all_workers_leave_at_the_same_time(stage, client, autojump_clock):
    """Ours (DESIGN 6): and one that hangs costs the others nothing."""
    workers = [(await stage.load(client, id))[1] for id in (ID, OTHER)]

    async def leave(worker):
        assert isinstance(await worker.hear(), Bye)
        worker.die()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.threads.unload_all)
        nursery.start_soon(leave, workers[0])
    assert trio.current_time() == pytest.approx(FAREWELL_SECONDS + 1, abs=1)
    while isinstance(frame := await workers[1].hear(), Bye):
        pass
    assert frame is None


async def test_draining_waits_for_the_turns_that_run(stage, client, nursery, autojump_clock):
    """Observed: SIGTERM waits for running turns.  Ours: also for one whose worker dies."""
    loaded, worker = await stage.load(client)
    other, its = await stage.load(client, OTHER)
    await worker.say(state(turn_id="t"))
    await its.say(state(OTHER, turn_id="u"))
    await until(lambda: loaded.turn_id and other.turn_id)

    async def end():
        await trio.sleep(20)
        await worker.say(state())
        await trio.sleep(20)
        its.die()

    nursery.start_soon(end)
    await stage.threads.drain()
    assert trio.current_time() == pytest.approx(40, abs=1)


async def test_draining_has_no_thread_begin_a_turn_by_itself(stage, client):
    """Ours: a goal that is not reached would hold the server's end up for ever."""
    _, worker = await stage.load(client)
    await stage.threads.drain()
    while not isinstance(frame := await worker.hear(), Rest):
        assert frame is not None
