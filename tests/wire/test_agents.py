"""Agents that a model starts, through the whole server."""

import json

import pytest
import trio

from protocol.approval import CommandExecutionRequestApprovalResponse
from protocol.item import TextInput, UserMessage
from protocol.loading import ThreadResumeParams
from protocol.methods import (
    COMMAND_APPROVAL,
    ITEM_COMPLETED,
    ITEM_STARTED,
    THREAD_LIST,
    THREAD_RESUME,
    THREAD_STATUS_CHANGED,
    TURN_COMPLETED,
    TURN_INTERRUPT,
    TURN_STARTED,
    TURN_STEER,
)
from protocol.thread import ThreadListParams
from protocol.turn import TurnInterruptParams, TurnSteerParams
from tests.delegating import (
    asked_in,
    came_to,
    collab,
    done,
    on,
    spawn,
    wait,
    waiting,
    workers,
)
from tests.model import words
from workers.scripted import Message, ToolCall


async def test_an_agent_works_and_its_parent_reads_what_it_found(connect, provider):
    """Observed."""
    provider.says(spawn())
    provider.says(wait())
    provider.says(on("close_agent"))
    provider.says("done")
    provider.says("found it", to="task")
    client = await connect()
    thread = await client.start()
    await client.begin(thread)
    await done(client, thread)
    [started], [waited], [closed] = (
        collab(client, t) for t in ("spawnAgent", "wait", "closeAgent")
    )
    [agent] = started.receiver_thread_ids

    assert (started.prompt, started.model, started.reasoning_effort) == ("task", "gpt-5.4", "xhigh")
    assert started.agents_states[agent].status == "pendingInit"
    assert waited.agents_states[agent].message == "found it"
    assert (closed.status, closed.agents_states[agent].status) == ("completed", "completed")
    assert [json.loads(text) for text in came_to(provider)[1:]] == [
        {"status": {agent: {"completed": "found it"}}, "timed_out": False},
        {"previous_status": {"completed": "found it"}},
    ]


async def test_the_client_hears_the_agent_as_a_thread_of_its_own(connect_stdio, provider):
    """Observed: its turn and items come, and its status, but no thread/started."""
    provider.says(spawn())
    provider.says(wait())
    provider.says("found it", to="task")
    client = await connect_stdio()
    thread = await client.start()
    await client.begin(thread)
    await done(client, thread)
    [agent] = collab(client, "spawnAgent")[0].receiver_thread_ids
    of_agent = [h.method for h in client.heard if getattr(h.params, "thread_id", "") == agent]

    assert of_agent[:3] == [THREAD_STATUS_CHANGED.name] * 2 + [TURN_STARTED.name]
    assert of_agent[-1] == TURN_COMPLETED.name
    assert client.methods.count("thread/started") == 1


async def test_three_agents_work_at_the_same_time(connect, provider):
    """Ours: each has a worker process of its own."""
    go = trio.Event()
    tasks = "one", "two", "three"
    for task in tasks:
        provider.says(spawn(task))
        provider.says(go, f"{task} done", to=task)
    for place in range(3):
        provider.says(wait(place))
    provider.says("all done")
    client = await connect()
    thread = await client.start()
    await client.begin(thread)
    for task in tasks:
        await client.next(ITEM_STARTED, lambda p, task=task: said(p.item) == task)
    assert len({w.pid for w in workers(connect)}) >= 4
    go.set()
    await done(client, thread)
    found = [s.message for item in collab(client, "wait") for s in item.agents_states.values()]

    assert sorted(found) == ["one done", "three done", "two done"]


def said(item):
    return item.content[0].text if isinstance(item, UserMessage) else None


async def test_the_model_is_told_of_an_agent_that_ends_in_the_background(connect_stdio, provider):
    """Observed: between turns nothing is begun with it, the next request has it."""
    go = trio.Event()
    provider.says(spawn())
    provider.says("I go on.")
    provider.says(go, "found it", to="task")
    client = await connect_stdio()
    thread = await client.start()
    await client.begin(thread)
    await done(client, thread)
    go.set()
    [agent] = collab(client, "spawnAgent")[0].receiver_thread_ids
    await client.next(TURN_COMPLETED, lambda p: p.thread_id == agent)
    provider.says("I see.")
    await client.begin(thread, "And?")
    await done(client, thread)
    told = words(provider.requests[-1])[-2]

    assert told.startswith("<subagent_notification>\n")
    assert json.loads(told.splitlines()[1]) == {
        "agent_path": agent,
        "status": {"completed": "found it"},
    }
    assert words(provider.requests[-1])[-1] == "And?"


async def test_a_closed_agent_is_gone_until_it_is_resumed(connect_stdio, provider):
    """Observed: it comes back with all that it knew."""
    provider.says(spawn())
    provider.says(wait())
    provider.says(on("close_agent"))
    provider.says(on("close_agent"), on("send_input", message="more"), wait())
    provider.says(on("resume_agent", key="id"))
    provider.says(on("send_input", message="more"), wait())
    provider.says("done")
    provider.says("first", to="task")
    provider.says("second", to="task")
    client = await connect_stdio()
    thread = await client.start()
    await client.begin(thread)
    await done(client, thread)
    [agent] = collab(client, "spawnAgent")[0].receiver_thread_ids
    answers = came_to(provider)

    assert answers[3:5] == [f"agent with id {agent} not found"] * 2
    assert json.loads(answers[5])["status"] == {agent: "not_found"}
    assert json.loads(answers[6]) == {"status": "pending_init"}
    assert json.loads(answers[8])["status"] == {agent: {"completed": "second"}}
    assert words(asked_in(provider, "task"))[1:] == ["task", "more"]
    assert [item.status for item in collab(client, "closeAgent")] == ["completed", "failed"]


async def test_an_interrupt_ends_the_wait_and_not_the_agent(connect_stdio, provider):
    """Observed."""
    go = trio.Event()
    provider.says(spawn())
    provider.says(wait())
    provider.says(go, "found it", to="task")
    client = await connect_stdio()
    thread = await client.start()
    turn = await client.begin(thread)
    [agent] = await waiting(client)
    await client.call(TURN_INTERRUPT, TurnInterruptParams(thread.id, turn.id))
    await done(client, thread, "interrupted")
    go.set()
    told = await client.next(TURN_COMPLETED, lambda p: p.thread_id == agent)

    assert told.turn.status == "completed"


async def test_what_the_user_says_ends_the_wait(connect_stdio, provider):
    """Ours: the reference server lets the model read it when the agent ends or the time is over."""
    go = trio.Event()
    provider.says(spawn())
    provider.says(wait())
    provider.says("I hurry.")
    provider.says(go, "found it", to="task")
    client = await connect_stdio()
    thread = await client.start()
    turn = await client.begin(thread)
    await waiting(client)
    await client.call(TURN_STEER, TurnSteerParams(turn.id, [TextInput("hurry")], thread.id))
    await done(client, thread)
    go.set()

    assert json.loads(came_to(provider)[-1])["status"] == {}
    assert words(asked_in(provider, "Hello"))[-1] == "hurry"


async def test_input_that_interrupts_begins_anew(connect_stdio, provider):
    """Observed."""
    never, begun, go = trio.Event(), trio.Event(), trio.Event()
    provider.says(spawn())
    provider.says(begun, on("send_input", message="stop that", interrupt=True), wait())
    provider.says("done")
    provider.says(go, "found it", to="stop that")
    provider.says(never, to="task")
    client = await connect_stdio()
    thread = await client.start()
    await client.begin(thread)
    await client.next(ITEM_COMPLETED, lambda p: said(p.item) == "task")
    begun.set()
    [agent] = await waiting(client)
    ended = await client.next(TURN_COMPLETED, lambda p: p.thread_id == agent)
    go.set()
    await done(client, thread)

    assert ended.turn.status == "interrupted"
    assert collab(client, "wait")[0].agents_states[agent].message == "found it"


async def test_a_client_is_asked_for_what_an_agent_may_do(connect_stdio, provider):
    """Observed: the question names the agent's thread."""
    provider.says(spawn())
    provider.says(wait())
    provider.says(ToolCall("exec_command", {"cmd": "touch made"}), to="task")
    provider.says("made", to="task")
    client = await connect_stdio()
    thread = await client.start(approval_policy="untrusted")
    await client.begin(thread)
    [agent] = await waiting(client)
    id, asked = await client.question(COMMAND_APPROVAL)
    await client.answer(id, CommandExecutionRequestApprovalResponse("accept"))
    await done(client, thread)

    assert asked.thread_id == agent
    assert collab(client, "wait")[0].agents_states[agent].message == "made"


async def test_agents_are_listed_apart_with_what_they_are(connect_stdio, provider):
    """Observed: only who asks for them sees them."""
    provider.says(spawn(agent_type="explorer"))
    provider.says(wait())
    provider.says("found it", to="task")
    client = await connect_stdio()
    thread = await client.start()
    await client.begin(thread)
    await done(client, thread)
    query = ThreadListParams(source_kinds=["subAgentThreadSpawn"])
    [agent] = (await client.call(THREAD_LIST, query)).data
    usual = (await client.call(THREAD_LIST, ThreadListParams())).data
    spawned = agent.source.sub_agent.thread_spawn

    assert (agent.preview, agent.agent_role, agent.thread_source) == ("task", "explorer", None)
    assert (spawned.parent_thread_id, spawned.depth) == (thread.id, 1)
    assert agent.agent_nickname == spawned.agent_nickname
    assert [found.id for found in usual] == [thread.id]


async def test_an_agent_is_what_its_role_says(connect_stdio, provider, home):
    """Observed."""
    (home / "reviewer.toml").write_text(
        'model = "gpt-5.2"\nmodel_reasoning_effort = "low"\ndeveloper_instructions = "Be strict."\n'
    )
    with (home / "config.toml").open("a") as file:
        file.write('[agents.reviewer]\ndescription = "reviews"\nconfig_file = "reviewer.toml"\n')
        file.write('nickname_candidates = ["Zed"]\n')
    provider.says(spawn(agent_type="reviewer"))
    provider.says(wait())
    provider.says("found it", to="task")
    client = await connect_stdio()
    thread = await client.start()
    await client.begin(thread)
    await done(client, thread)
    of_agent = asked_in(provider, "task")
    [tool] = [t for t in provider.requests[0]["tools"] if t.get("name") == "spawn_agent"]

    assert (of_agent["model"], of_agent["reasoning"]["effort"]) == ("gpt-5.2", "low")
    assert "Be strict." in json.dumps(of_agent["input"])
    assert '"nickname":"Zed"' in came_to(provider)[0]
    assert "reviewer: reviews" in tool["parameters"]["properties"]["agent_type"]["description"]


@pytest.mark.parametrize("ephemeral", [False, True], ids=["stored", "ephemeral"])
async def test_a_forked_agent_knows_what_was_said(connect_stdio, provider, ephemeral):
    """Observed: what was done is not passed on, calls and their outputs."""
    provider.says(ToolCall("exec_command", {"cmd": "echo hi"}))
    provider.says(spawn(fork_context=True))
    provider.says(wait())
    provider.says("found", to="task")
    client = await connect_stdio()
    thread = await client.start(ephemeral=ephemeral)
    await client.begin(thread, "The word is owl.")
    await done(client, thread)
    of_agent = next(r for r in provider.requests if "task" in words(r))

    assert "The word is owl." in words(of_agent)
    assert {item["type"] for item in of_agent["input"]} == {"message"}


async def test_a_restart_leaves_agents_closed_until_they_are_resumed(connect_stdio, provider):
    """Observed."""
    provider.says(spawn())
    provider.says(wait())
    provider.says("done")
    provider.says("first", to="task")
    client = await connect_stdio()
    thread = await client.start()
    await client.begin(thread)
    await done(client, thread)
    await connect_stdio.restart()
    provider.says(wait())
    provider.says(on("resume_agent", key="id"))
    provider.says(on("send_input", message="more"), wait())
    provider.says(Message("done", pause=0))
    provider.says("second", to="task")
    client = await connect_stdio()
    await client.call(THREAD_RESUME, ThreadResumeParams(thread_id=thread.id))
    await client.begin(thread, "go on")
    await done(client, thread)
    answers = [json.loads(text) for text in came_to(provider)]

    assert [*answers[2]["status"].values()] == ["not_found"]
    assert [*answers[5]["status"].values()] == [{"completed": "second"}]
