"""Threads that work for others, with workers that a test plays."""

import json

import pytest

from protocol.frames import (
    Agent,
    Bye,
    Call,
    CloseAgent,
    Failed,
    Reply,
    ResumeAgent,
    StartAgent,
    StartThread,
    TellAgent,
)
from protocol.thread import NamedSource, SpawnedSource, Thread, ThreadSpawn
from supervisor.loaded import LOST
from tests.supervisor.stage import ID, question, request, spec, staged, state, told, until

CHILD = "01999999-0000-7000-8000-00000000000c"
OTHER = "01999999-0000-7000-8000-00000000000d"


@pytest.fixture
async def stage():
    async with staged() as stage:
        yield stage


@pytest.fixture
def client(stage):
    return stage.client()


def source(parent=ID, depth=1):
    spawn = ThreadSpawn(depth=depth, parent_thread_id=parent)
    return NamedSource(sub_agent=SpawnedSource(thread_spawn=spawn))


def start(n=1, id=CHILD, limit=6, **others) -> StartAgent:
    return StartAgent(n, spec(id, source=source(), session_id=ID, **others), b'{"input":[]}', limit)


async def begun(stage, parent, n=1, id=CHILD):
    """An agent of the thread that this worker plays; and its own worker."""
    await parent.say(start(n, id))
    await until(lambda: stage.threads.get(id) is not None)
    child = stage.births.played[-1]
    born, loading, giving = [await child.hear() for _ in range(3)]
    assert isinstance(born, StartThread)
    await child.say(state(id), Reply(loading.n, b"{}"), Reply(giving.n, b'{"submission_id":"t"}'))
    assert await parent.hear() == Agent(id, "pendingInit")
    assert await parent.hear() == Reply(n, b'{"submission_id":"t"}')
    return child


async def test_an_agent_is_loaded_and_fed_for_those_who_listen_to_its_parent(stage, client):
    """Observed for one client; ours: strangers do not hear of it."""
    _, parent = await stage.load(client)
    stranger = stage.client()
    await begun(stage, parent)

    assert list(stage.threads.get(CHILD).subscribers) == [client]
    assert stranger not in stage.threads.get(CHILD).subscribers


async def test_how_an_agent_fares_is_its_parents_to_know(stage, client):
    """Ours: the supervisor passes on what the agent's own worker says."""
    _, parent = await stage.load(client)
    child = await begun(stage, parent)
    await child.say(Agent(CHILD, "completed", "so"))

    assert await parent.hear() == Agent(CHILD, "completed", "so")


async def test_a_new_worker_of_the_parent_learns_of_its_agents(stage, client):
    """Ours: they go on when it dies; and what the dead one asked for is not the new one's."""
    loaded, parent = await stage.load(client)
    child = await begun(stage, parent)
    await parent.say(TellAgent(2, CHILD, b"{}"))
    asked = await child.hear()
    parent.die()
    await until(lambda: loaded.worker is None)
    stage.nursery.start_soon(stage.threads.revive, loaded)
    await until(lambda: len(stage.births.played) == 3)
    again = stage.births.played[-1]
    await child.say(Reply(asked.n, b"{}"), Agent(CHILD, "completed", "so"))

    assert isinstance(await again.hear(), StartThread)
    assert await again.hear() == Agent(CHILD, "pendingInit")
    assert await again.hear() == Agent(CHILD, "completed", "so")


async def test_an_agent_whose_worker_dies_at_work_is_errored(stage, client):
    """Ours: and its pending input is refused, so that nobody waits for ever."""
    _, parent = await stage.load(client)
    child = await begun(stage, parent)
    await child.say(state(CHILD, turn_id="t"))
    await until(lambda: stage.threads.get(CHILD).turn_id)
    await parent.say(TellAgent(2, CHILD, b"{}"))
    await child.hear()
    child.die()

    refused = await parent.hear()
    assert (refused.n, refused.message) == (2, LOST)
    assert await parent.hear() == Agent(CHILD, "errored", LOST)


async def test_an_agent_that_cannot_be_loaded_leaves_nothing_behind(stage, client):
    """Ours: the errand fails with the reason, and the place is free again."""
    _, parent = await stage.load(client)
    await parent.say(start(limit=1))
    await until(lambda: stage.threads.get(CHILD) is not None)
    child = stage.births.played[-1]
    _, loading, _ = [await child.hear() for _ in range(3)]
    await child.say(Failed(loading.n, -32603, "no provider"))
    await until(lambda: stage.threads.get(CHILD) is None)
    heard = [await parent.hear() for _ in range(3)]

    assert heard[1] == Failed(1, -32603, "no provider")
    child.die()
    await begun(stage, parent, 2, OTHER)


async def test_errands_of_a_worker_are_done_in_their_order(stage, client):
    """Ours: what is closed right behind its start is not left over."""
    _, parent = await stage.load(client)
    await parent.say(start(), CloseAgent(2, CHILD))
    await until(lambda: len(stage.births.played) == 2)
    child = stage.births.played[-1]
    while not isinstance(await child.hear(), Bye):
        pass
    child.die()
    await until(lambda: stage.threads.get(CHILD) is None)
    heard = [await parent.hear() for _ in range(4)]

    assert Reply(2, b"{}") in heard
    assert Agent(CHILD, "shutdown") in heard


async def test_a_thread_that_is_being_closed_starts_nothing_more(stage, client):
    """Ours: nobody would know of it."""
    loaded, parent = await stage.load(client)
    loaded.ending = True
    await parent.say(start())
    await until(lambda: len(stage.births.played) == 2)
    child = stage.births.played[-1]
    while not isinstance(await child.hear(), Bye):
        pass
    child.die()

    assert stage.threads.get(CHILD) is None


@pytest.mark.parametrize("errand", [TellAgent(9, OTHER, b"{}"), CloseAgent(9, OTHER)])
async def test_a_worker_reaches_no_thread_but_its_agents(stage, client, errand):
    """Ours: any other may be somebody else's."""
    _, parent = await stage.load(client)
    _, stranger = await stage.load(client, OTHER)
    await parent.say(errand)

    refused = await parent.hear()
    assert (refused.n, refused.message) == (9, f"agent with id {OTHER} not found")
    assert stage.threads.get(OTHER) is not None
    assert stranger is not None


@pytest.mark.parametrize("stored", [None, "vscode", source(OTHER)], ids=["none", "user", "other"])
async def test_only_an_agent_of_the_thread_is_resumed_for_it(stage, client, stored):
    """Ours: the reference server resumes any thread for any model."""
    _, parent = await stage.load(client)
    stage.host.store.threads = {CHILD: described(stored)} if stored else {}
    await parent.say(ResumeAgent(1, CHILD, spec().settings, ID, 6))

    assert (await parent.hear()).message == f"agent with id {CHILD} not found"


async def test_a_closed_agent_comes_back_from_its_file(stage, client):
    """Observed."""
    _, parent = await stage.load(client)
    stage.host.store.threads = {CHILD: described(source())}
    await parent.say(ResumeAgent(1, CHILD, spec().settings, ID, 6))
    await until(lambda: stage.threads.get(CHILD) is not None)
    child = stage.births.played[-1]
    born, loading = await child.hear(), await child.hear()
    await child.say(Reply(loading.n, b"{}"))

    assert (born.rollout, born.session_id, born.source) == ("/rollout", ID, source())
    assert await parent.hear() == Agent(CHILD, "pendingInit")
    assert await parent.hear() == Reply(1, b"{}")


def described(kind) -> Thread:
    thread = state(CHILD).thread
    thread.source = kind
    return thread


async def test_a_thread_waits_for_its_agents_before_it_is_unloaded(autojump_clock):
    """Ours: they will have something to say to it."""
    async with staged(grace_seconds=30) as stage:
        client = stage.client()
        loaded, parent = await stage.load(client)
        child = await begun(stage, parent)
        await child.say(state(CHILD, turn_id="t"))
        await until(lambda: loaded.busy and stage.threads.get(CHILD).turn_id)
        stage.threads.left(client)
        assert loaded.busy
        await child.say(state(CHILD), Agent(CHILD, "completed", "so"))
        await until(lambda: not loaded.busy)

        heard = [await parent.hear(), await parent.hear()]
        assert heard[0] == Agent(CHILD, "completed", "so")
        assert isinstance(heard[1], Bye)
        parent.die()
        child.die()


async def test_who_joins_a_thread_is_asked_what_its_agents_ask(stage, client):
    """Ours: an agent's question must not stay open because its first listener has gone."""
    loaded, parent = await stage.load(client)
    child = await begun(stage, parent)
    await child.say(question())
    await until(lambda: stage.host.asks._open)
    stage.threads.left(client)
    late = stage.client()
    loaded.call(late, request("r", "thread/resume"), subscribe=True)
    call = await parent.hear()
    assert isinstance(call, Call)
    await parent.say(Reply(call.n, b"{}"))
    await until(lambda: late in stage.threads.get(CHILD).subscribers)

    assert json.loads(question().params) == {}
    assert len(await told(late)) == 2


async def test_threads_that_claim_each_other_end_in_no_loop(stage):
    """Ours: a file may say what it likes."""
    one = await stage.threads.load(spec(ID, source=source(OTHER)))
    await stage.threads.load(spec(OTHER, source=source(ID)))

    assert [thread.id for thread in stage.agents.tree(one)] == [OTHER]
