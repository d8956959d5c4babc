"""How many agents there may be, whose they are, and what ends them."""

import json

import trio

from protocol.approval import CommandExecutionRequestApprovalResponse
from protocol.loading import ThreadResumeParams
from protocol.methods import (
    COMMAND_APPROVAL,
    ITEM_COMPLETED,
    THREAD_ARCHIVE,
    THREAD_ARCHIVED,
    THREAD_LIST,
    THREAD_LOADED_LIST,
    THREAD_RESUME,
    TURN_COMPLETED,
)
from protocol.thread import ThreadArchiveParams, ThreadListParams, ThreadLoadedListParams
from tests.delegating import (
    asked_in,
    came_to,
    collab,
    done,
    on,
    outputs,
    spawn,
    wait,
    waiting,
    workers_of,
)
from workers.scripted import ToolCall


async def test_a_model_that_starts_agents_for_ever_is_told_to_stop(connect_stdio, provider, home):
    """Observed, but for the words: the reference server does not say how many, nor what to do."""
    provider.says(*[spawn(f"task {n}") for n in range(100)])
    for n in range(6):
        provider.says("done", to=f"task {n}")
    provider.says("I give up.")
    client = await connect_stdio()
    thread = await client.start()
    await client.begin(thread)
    await done(client, thread)
    started = collab(client, "spawnAgent")
    loaded = await client.call(THREAD_LOADED_LIST, ThreadLoadedListParams())

    assert [item.status for item in started] == ["completed"] * 6 + ["failed"] * 94
    assert "close_agent" in came_to(provider)[-1]
    assert len(loaded.data) == 7


async def test_all_threads_together_may_not_have_too_many_agents(connect_ws, provider, home):
    """Ours: a server has one machine for all its clients."""
    with (home / "config.toml").open("a") as file:
        file.write("[atrio]\nmax_agents = 1\n")
    provider.says(spawn())
    provider.says("done")
    provider.says(trio.Event(), to="task")  # at work until the end
    provider.says(spawn("another"))
    provider.says("done too")
    one, two = await connect_ws(), await connect_ws()
    for client, text in ((one, "Hello"), (two, "Me too")):
        thread = await client.start()
        await client.begin(thread, text)
        await done(client, thread)

    assert [item.status for item in collab(two, "spawnAgent")] == ["failed"]
    assert "atrio.max_agents" in came_to(provider, "Me too")[0]


async def test_a_parent_hears_that_its_agents_worker_was_killed(connect_stdio, provider):
    """Ours: an agent's death is its own; the next input loads it again."""
    never = trio.Event()
    provider.says(spawn())
    provider.says(wait())
    provider.says(on("send_input", message="again"), wait())
    provider.says("done")
    provider.says(never, to="task")
    provider.says("found it", to="again")
    client = await connect_stdio()
    thread = await client.start()
    await client.begin(thread)
    [agent] = await waiting(client)
    await provider.asked(3)  # by the agent too, which would else be given `never` later
    [worker] = workers_of(connect_stdio, agent)
    await connect_stdio.server.kill(worker)
    await done(client, thread)
    first, second = collab(client, "wait")

    assert (first.status, first.agents_states[agent].status) == ("failed", "errored")
    assert "worker process died" in first.agents_states[agent].message
    assert second.agents_states[agent].message == "found it"


async def test_who_comes_later_hears_the_agents_too_and_is_asked(connect_ws, provider):
    """Ours: the reference server tells every client of every agent, which are others' here."""
    provider.says(spawn())
    provider.says(wait())
    provider.says(ToolCall("exec_command", {"cmd": "touch made"}), to="task")
    provider.says("made", to="task")
    first, second, stranger = [await connect_ws() for _ in range(3)]
    thread = await first.start(approval_policy="untrusted")
    await first.begin(thread)
    [agent] = await waiting(first)
    await first.question(COMMAND_APPROVAL)
    await second.call(THREAD_RESUME, ThreadResumeParams(thread_id=thread.id))
    id, asked = await second.question(COMMAND_APPROVAL)
    await second.answer(id, CommandExecutionRequestApprovalResponse("accept"))
    await second.next(TURN_COMPLETED, lambda p: p.thread_id == agent)
    await done(second, thread)

    assert asked.thread_id == agent
    assert [h.method for h in stranger.heard if h.method.startswith(("turn/", "item/"))] == []


async def test_the_agents_of_others_are_out_of_reach(connect_ws, provider):
    """Ours: the reference server lets a model reach every thread that is loaded."""
    provider.says(spawn())
    provider.says("done")
    provider.says(trio.Event(), to="task")  # at work until the end
    owner, other = await connect_ws(), await connect_ws()
    thread = await owner.start()
    await owner.begin(thread)
    await done(owner, thread)
    [agent] = collab(owner, "spawnAgent")[0].receiver_thread_ids
    reach = [
        ToolCall("send_input", {"target": agent, "message": "who are you?"}),
        ToolCall("wait_agent", {"targets": [agent, thread.id]}),
        ToolCall("resume_agent", {"id": agent}),
        ToolCall("resume_agent", {"id": thread.id}),
        ToolCall("close_agent", {"target": thread.id}),
    ]
    provider.says(*reach)
    provider.says("done")
    theirs = await other.start()
    await other.begin(theirs, "Mine")
    await done(other, theirs)
    sent, waited, resumed, parent, closed = came_to(provider, "Mine")

    assert sent == resumed == f"agent with id {agent} not found"
    assert parent == closed == f"agent with id {thread.id} not found"
    assert set(json.loads(waited)["status"].values()) == {"not_found"}


async def test_agents_are_put_away_with_their_parent(connect_stdio, provider):
    """Observed: running ones are interrupted, and every client hears of each."""
    never = trio.Event()
    provider.says(spawn())
    provider.says("done")
    provider.says(never, to="task")
    client = await connect_stdio()
    thread = await client.start()
    await client.begin(thread)
    await done(client, thread)
    [agent] = collab(client, "spawnAgent")[0].receiver_thread_ids
    await client.next(ITEM_COMPLETED, lambda p: p.thread_id == agent)
    await client.call(THREAD_ARCHIVE, ThreadArchiveParams(thread.id))
    told = [(await client.next(THREAD_ARCHIVED)).thread_id for _ in range(2)]
    query = ThreadListParams(source_kinds=["subAgentThreadSpawn"], archived=True)
    listed = await client.call(THREAD_LIST, query)
    loaded = await client.call(THREAD_LOADED_LIST, ThreadLoadedListParams())

    assert told == [thread.id, agent]
    assert [found.id for found in listed.data] == [agent]
    assert loaded.data == []


async def test_agents_start_agents_as_deep_as_they_may(connect_stdio, provider, home):
    """Observed: who may start none is not offered the tools; closing one closes those below."""
    with (home / "config.toml").open("a") as file:
        file.write("[agents]\nmax_depth = 2\n")
    provider.says(spawn())
    provider.says(wait())
    provider.says(on("close_agent"))
    provider.says("done")
    provider.says(spawn("subtask"), to="task")
    provider.says(wait(), to="task")
    provider.says("all found", to="task")
    provider.says(spawn("too deep"), to="subtask")
    provider.says("found", to="subtask")
    client = await connect_stdio()
    thread = await client.start()
    await client.begin(thread)
    await done(client, thread)
    deepest = asked_in(provider, "subtask")
    loaded = await client.call(THREAD_LOADED_LIST, ThreadLoadedListParams())

    assert list(outputs(deepest).values()) == ["unsupported call: spawn_agent"]
    assert "spawn_agent" not in [tool.get("name") for tool in deepest["tools"]]
    assert "spawn_agent" in [t.get("name") for t in asked_in(provider, "task")["tools"]]
    assert loaded.data == [thread.id]


async def test_a_feature_turns_agents_off(connect_stdio, provider, home):
    """Observed."""
    with (home / "config.toml").open("a") as file:
        file.write("[features]\nmulti_agent = false\n")
    provider.says(spawn())
    provider.says("done")
    client = await connect_stdio()
    thread = await client.start()
    await client.begin(thread)
    await done(client, thread)

    assert came_to(provider) == ["unsupported call: spawn_agent"]
    assert "wait_agent" not in [tool.get("name") for tool in provider.requests[0]["tools"]]
