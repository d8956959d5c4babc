"""One loaded thread: who is told what and in which order, and when something is due."""

import pytest
import trio

from protocol.errors import OVERLOADED, RpcError
from protocol.frames import Call, Failed, Hello, Log, Reply
from protocol.methods import BROADCAST
from supervisor import loaded as module
from supervisor.loaded import HUNG, LOST, PATIENCE_SECONDS, Loaded
from tests.supervisor.stage import (
    ID,
    event,
    heard,
    question,
    request,
    spec,
    staged,
    state,
    told,
)

STATUS = "thread/status/changed"


class Notes:
    """A worker that only takes note of what it is sent."""

    def __init__(self):
        self.frames = []
        self.gone = trio.Event()
        self.gone.set()  # nobody need wait for it

    def send(self, frame):
        self.frames.append(frame)


@pytest.fixture
async def stage():
    async with staged() as stage:
        yield stage


@pytest.fixture
def client(stage):
    return stage.client()


@pytest.fixture
def thread(stage):
    """Not born yet."""
    thread = stage.threads._loaded[ID] = Loaded(stage.host, spec())
    thread.begin(Notes())
    return thread


@pytest.fixture
async def joined(thread, client):
    """The same, born and with a listener."""
    thread.call(client, request(), subscribe=True)
    thread.hear([Hello(1), state(stored=True), Reply(1, b"{}")])
    await heard(client)
    return thread


async def test_the_answer_comes_before_what_follows_it_and_behind_what_was_said_before(
    joined, client
):
    """Ours (DESIGN 3): one stream down, one outbox up, and therefore one order."""
    joined.call(client, request("r"))
    joined.hear([event(0, "item/started"), Reply(2, b"{}"), event(1, "item/completed")])

    assert await told(client) == ["item/started", "r", "item/completed"]


async def test_who_is_answered_well_listens_from_then_on(stage, thread, client):
    """Observed: `thread/start` and `thread/resume` subscribe."""
    thread.call(client, request("r"), subscribe=True)
    thread.hear([event(0), Reply(1, b"{}"), event(1)])

    assert await told(client) == ["r", "item/completed"]


async def test_who_has_gone_meanwhile_does_not_listen(stage, thread, client):
    """Ours: or nobody would ever stop listening."""
    thread.call(client, request(), subscribe=True)
    client.close()
    thread.hear([Reply(1, b"{}")])

    assert not thread.subscribers
    assert client.in_flight == stage.host.in_flight == 0


async def test_what_is_for_one_caller_reaches_it_alone_and_behind_its_answer(stage, joined, client):
    """Observed: the usage of a resumed thread goes to whoever resumed it."""
    joined.hear([event(only=7)])
    other = stage.client()
    joined.call(other, request("r"))
    joined.hear([Reply(2, b"{}"), event(only=2)])

    assert await told(other) == ["r", "item/completed"]
    assert await told(client) == []


async def test_what_concerns_everybody_reaches_those_who_do_not_listen(stage, joined):
    """Observed: status, names and archiving are told to every connection."""
    other = stage.client()
    joined.hear([event(n, method) for n, method in enumerate(sorted(BROADCAST))])

    assert await told(other) == sorted(BROADCAST)


async def test_an_answer_to_what_nobody_asked_is_passed_over(joined, client):
    """Ours: whoever asked may have been answered for the worker already."""
    joined.hear([Reply(9, b"{}"), Failed(9, 0, "no"), event()])

    assert await told(client) == ["item/completed"]


async def test_what_a_worker_logs_goes_to_the_operator(joined, caplog):
    """Ours."""
    joined.hear([Log("error", "the disk is full")])

    assert caplog.messages == [f"{ID}: the disk is full"]


async def test_a_first_answer_that_fails_undoes_the_loading_for_all_who_asked(
    stage, thread, client
):
    """Ours: a file that cannot be read is nobody's thread."""
    thread.call(client, request(1), subscribe=True)
    thread.call(client, request(2), subscribe=True)
    thread.hear([Failed(1, -32603, "cannot load")])

    assert [m["error"]["message"] for m in await heard(client)] == ["cannot load"] * 2
    assert stage.threads.get(ID) is None


async def test_a_lost_worker_is_answered_for(joined, client):
    """Ours (DESIGN 6): calls, questions, turn, status, in this order."""
    joined.hear([state(turn_id="t", stored=True), question()])
    joined.call(client, request("r"))
    await heard(client)
    joined.lose()

    messages = await heard(client)
    assert [m.get("method", m.get("id")) for m in messages] == [
        "r", "serverRequest/resolved", "error", "turn/completed", STATUS
    ]  # fmt: skip
    assert messages[0]["error"]["message"] == LOST
    assert messages[3]["params"]["turn"]["status"] == "failed"


async def test_a_thread_that_never_came_to_be_has_no_status(thread, client):
    """Ours: nobody has heard of it."""
    thread.call(client, request("r"), subscribe=True)
    thread.lose()

    assert await told(client) == ["r"]


async def test_what_comes_while_there_is_no_worker_waits_for_the_next_in_order(joined, client):
    """Ours: requests are begun in the order they were sent."""
    joined.lose()
    for id in "abc":
        joined.call(client, request(id, "turn/start"))
    joined.begin(Notes())

    start, *calls = joined.worker.frames
    assert start is joined.spec
    assert [(type(call), call.n) for call in calls] == [(Call, 2), (Call, 3), (Call, 4)]


async def test_too_much_for_a_worker_to_answer_is_refused(joined, client, monkeypatch):
    """Ours (DESIGN 7): a worker that does not read must not fill the supervisor's memory."""
    monkeypatch.setattr(module, "UNANSWERED_BYTES", 10)
    joined.call(client, request(text="as large as it likes"))
    with pytest.raises(RpcError) as refused:
        joined.call(client, request())

    assert refused.value.code == OVERLOADED
    joined.hear([Reply(2, b"{}")])
    joined.call(client, request())


# ---- the spec of the next worker


async def test_the_next_worker_loads_what_is_on_disk(joined):
    """Ours: with the times that clients know, and the numbers that follow."""
    joined.spec.history = [{"type": "message"}]
    joined.hear([event(41)])
    joined.lose()
    joined.rewind()

    again = joined.spec
    assert (again.rollout, again.history, again.keep_model) == ("/rollout", None, True)
    assert (again.created_at, again.updated_at, again.next_seq) == (1, 2, 42)


async def test_a_file_that_a_worker_made_before_it_died_is_loaded(joined, tmp_path):
    """Ours: with another file of the same id, what was said in this one would be lost."""
    path = tmp_path / "rollout"
    path.touch()
    joined.hear([state(stored=False, path=str(path))])
    joined.stored = False
    joined.lose()
    joined.rewind()

    assert joined.spec.rollout == str(path)


async def test_the_next_worker_says_that_the_thread_is_well(joined):
    """Ours: its death was told as `systemError`, so its return should be told, too."""
    joined.lose()
    joined.rewind()

    assert joined.spec.revived


async def test_a_fork_that_was_never_born_is_forked_again(stage):
    """Ours: it must not take over the file of its source."""
    fork = Loaded(stage.host, spec(rollout="/source", forked_from="other"))
    fork.rewind()

    assert (fork.spec.rollout, fork.spec.forked_from) == ("/source", "other")


# ---- when something is due


async def due(thread, grace_seconds=100.0):
    """What becomes due, and when."""
    what = await thread.wait_due(grace_seconds)
    return what, round(trio.current_time())


async def test_a_thread_that_nobody_listens_to_is_abandoned(joined, client, autojump_clock):
    """Observed: after 30 minutes; the figure is a setting of ours."""
    joined.unsubscribe(client)

    assert await due(joined) == ("abandoned", 100)


async def test_with_no_grace_it_is_abandoned_at_once(joined, client, autojump_clock):
    """Ours (DESIGN 6): `atrio.unload_grace_seconds = 0`."""
    joined.unsubscribe(client)

    assert await due(joined, 0) == ("abandoned", 0)


@pytest.mark.parametrize("busy", ["listened to", "in a turn", "asked something"])
async def test_while_it_is_busy_it_is_not_abandoned(joined, client, busy, autojump_clock):
    """Ours (DESIGN 6): a running turn counts as activity."""
    if busy != "listened to":
        joined.unsubscribe(client)
    if busy == "in a turn":
        joined.hear([state(turn_id="t")])
    if busy == "asked something":
        joined.call(client, request())

    with trio.move_on_after(PATIENCE_SECONDS - 1):
        await due(joined, 1)
        raise AssertionError


async def test_activity_starts_the_grace_again(joined, client, nursery, autojump_clock):
    """Ours: the reference counts thread activity, not only subscribers."""
    joined.unsubscribe(client)

    async def be_active():
        await trio.sleep(99)
        joined.hear([state(turn_id="t")])
        await trio.sleep(500)
        joined.hear([state()])

    nursery.start_soon(be_active)
    assert await due(joined) == ("abandoned", 699)


async def test_clients_that_come_and_go_elsewhere_are_no_activity(
    stage, joined, client, nursery, autojump_clock
):
    """Ours: a monitor that connects every minute must not keep all threads loaded."""
    joined.unsubscribe(client)

    async def visit():
        for _ in range(20):
            await trio.sleep(10)
            stage.client().close()

    nursery.start_soon(visit)
    assert await due(joined) == ("abandoned", 100)


async def test_the_death_of_the_worker_ends_what_kept_the_thread(
    joined, client, nursery, autojump_clock
):
    """Ours: the turn is over, so the grace period runs; and whoever drains can go on."""
    joined.hear([state(turn_id="t")])
    joined.unsubscribe(client)

    async def die():
        await trio.sleep(50)
        joined.lose()

    nursery.start_soon(die)
    await joined.wait_idle()
    assert trio.current_time() == pytest.approx(50)
    assert await due(joined) == ("abandoned", 150)


async def test_a_call_that_is_not_answered_shows_that_the_worker_hangs(
    joined, client, nursery, autojump_clock
):
    """Ours: handlers never do the work; what else happens meanwhile does not count."""
    joined.call(client, request())

    async def chatter():
        while True:
            await trio.sleep(10)
            joined.hear([state(turn_id="t")])

    nursery.start_soon(chatter)
    assert await due(joined) == ("hung", PATIENCE_SECONDS)
    nursery.cancel_scope.cancel()


async def test_everything_that_waits_can_be_refused(stage, joined, client):
    """Ours: an answer each, and nothing left to count."""
    for id in "ab":
        joined.call(client, request(id))
    joined.refuse_all(RpcError(0, HUNG))

    assert await told(client) == ["a", "b"]
    assert client.in_flight == stage.host.in_flight == 0


async def test_the_newest_name_is_the_supervisors(joined, stage):
    """Ours: a worker may not have heard of it when it tells its state."""
    joined.rename("new")
    joined.hear([state(stored=True)])

    assert joined.thread.name == "new"
    assert stage.host.store.reported == [ID, ID]


async def test_a_moved_file_is_known_at_once(joined):
    """Ours: the next worker may have to open it before this one has said anything."""
    joined.moved("/archived")
    joined.lose()
    joined.rewind()

    assert joined.spec.rollout == "/archived"


async def test_what_a_gone_client_was_told_last_is_let_go(joined, client):
    """Ours: its connection, with all that it did not read, must not stay in memory."""
    client.close()

    assert joined._replied is None
