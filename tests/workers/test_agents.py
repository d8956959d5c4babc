"""A model's agents as its worker knows them, with a supervisor that a test plays."""

import json

import pytest
import trio

from protocol.agent import AGENT_INPUT, AgentInputParams, AgentSettings, Role
from protocol.frames import Agent, CloseAgent, Failed, Reply, ResumeAgent, StartAgent, TellAgent
from protocol.item import TextInput
from protocol.thread import NamedSource, SpawnedSource, ThreadSpawn
from tests.workers.talking import call, message, talking

ID = "01999999-0000-7000-8000-00000000000a"
OTHER = "01999999-0000-7000-8000-00000000000b"
SPAWN = {"message": "task"}


@pytest.fixture
async def talk(tmp_path):
    agents = AgentSettings(max_depth=2, roles={"broken": Role(problem="no such file")})
    async with talking(tmp_path, features={"multi_agent": True}, agents=agents) as talk:
        yield talk


async def output(talk, name, **arguments):
    """What the model gets for one call that needs no supervisor."""
    await talk.turn([[call(name, **arguments)]], [message("done")])
    return talk.outputs["c1"]


def item(talk):
    """The call as it ended for the client."""
    done = [p["item"] for p in talk.told("item/completed")]
    return next(i for i in reversed(done) if i["type"] == "collabAgentToolCall")


def has_agent(talk, status="running", message=None, id=ID):
    talk.thread.take(Agent(id, status, message))


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("spawn_agent", {}, "Provide one of: message or items"),
        ("spawn_agent", {"message": " \n"}, "Empty message can't be sent to an agent"),
        ("spawn_agent", {"items": []}, "Items can't be empty"),
        ("spawn_agent", {"message": "a", "items": []}, "either message or items, but not both"),
        ("spawn_agent", {"message": "a" * ((1 << 20) + 1)}, "longer than 1048576 characters"),
        ("spawn_agent", {"items": [{"type": "song"}]}, "failed to parse function arguments"),
        ("spawn_agent", {**SPAWN, "agent_type": "nobody"}, "unknown agent_type 'nobody'"),
        ("spawn_agent", {**SPAWN, "agent_type": "broken"}, "not available: no such file"),
        ("spawn_agent", {**SPAWN, "model": "gpt-0"}, "Unknown model `gpt-0` for spawn_agent"),
        ("spawn_agent", {**SPAWN, "reasoning_effort": "none"}, "Supported reasoning efforts: low"),
        ("spawn_agent", {**SPAWN, "reasoning_effort": "huge"}, "failed to parse function arg"),
        ("spawn_agent", {**SPAWN, "fork_context": True, "model": "gpt-5.4"}, "Full-history forked"),
        ("send_input", {"target": "me", "message": "a"}, "invalid agent id me: it is not a UUID"),
        ("send_input", {"target": ID}, "Provide one of: message or items"),
        ("send_input", {"target": ID, "message": "a"}, f"agent with id {ID} not found"),
        ("close_agent", {"target": ID}, f"agent with id {ID} not found"),
        ("close_agent", {}, "missing field `target`"),
        ("resume_agent", {"id": ""}, "invalid agent id : it is not a UUID"),
        ("wait_agent", {}, "agent ids must be non-empty"),
        ("wait_agent", {"targets": []}, "agent ids must be non-empty"),
        ("wait_agent", {"targets": [ID, "x"]}, "invalid agent id x: it is not a UUID"),
        ("wait_agent", {"targets": [ID], "timeout_ms": 0}, "must be greater than zero"),
        ("wait_agent", {"targets": [ID]}, f'{{"status":{{"{ID}":"not_found"}},"timed_out":false}}'),
    ],
)
async def test_the_model_is_told_what_is_wrong_with_a_call(talk, name, arguments, told):
    """Observed, but for texts that are too long and ids that are none."""
    assert told in await output(talk, name, **arguments)
    assert talk.errands == []


async def test_a_call_that_comes_to_nothing_is_shown_as_failed(talk):
    """Ours: the reference server leaves it open when the model or the role is unknown."""
    await output(talk, "spawn_agent", message="task", model="gpt-0")

    assert (item(talk)["status"], item(talk)["receiverThreadIds"]) == ("failed", [])


async def test_the_model_is_told_why_there_is_no_agent(talk):
    """Observed, but for the reason."""
    talk.model.responses = [[[call("spawn_agent", **SPAWN)]], [message("done")]]
    talk.begin()
    asked = await talk.errand(StartAgent)
    talk.thread.take(Failed(asked.n, -32600, "there are enough"))
    await talk.until("turn/completed")

    assert talk.outputs["c1"] == "collab spawn failed: there are enough"
    assert item(talk)["status"] == "failed"


async def test_an_agent_is_like_its_parent_at_this_moment(talk):
    """Observed: what a turn has overridden holds for it too, and its place is in its source."""
    talk.model.responses = [[[call("spawn_agent", **SPAWN)]], [message("done")]]
    talk.begin(approval_policy="untrusted", effort="low")
    spec = (await talk.errand(StartAgent)).spec
    spawn = spec.source.sub_agent.thread_spawn

    assert (spec.settings.approval_policy, spec.settings.effort) == ("untrusted", "low")
    assert (spawn.parent_thread_id, spawn.depth) == (talk.thread.thread.id, 1)
    assert spec.session_id == talk.thread.thread.id


@pytest.mark.parametrize(
    ("timeout_ms", "seconds"), [(1, 10), (None, 30), (60_000, 60), (1 << 40, 3600)]
)
async def test_a_wait_has_its_bounds(talk, autojump_clock, timeout_ms, seconds):
    """Observed."""
    has_agent(talk)
    begun = trio.current_time()
    given = {} if timeout_ms is None else {"timeout_ms": timeout_ms}
    talk.model.responses = [[[call("wait_agent", targets=[ID], **given)]], [message("done")]]
    talk.begin()
    await talk.until("turn/completed")

    assert trio.current_time() - begun == pytest.approx(seconds, abs=1)
    assert talk.outputs["c1"] == '{"status":{},"timed_out":true}'
    assert item(talk)["status"] == "completed"


@pytest.mark.parametrize("status", ["completed", "errored", "interrupted", "shutdown"])
async def test_a_wait_ends_with_the_first_agent_that_is_at_nothing(talk, status):
    """Observed; ours: an interrupted agent ends it too, since nothing will come of it."""
    has_agent(talk)
    has_agent(talk, id=OTHER)
    talk.model.responses = [[[call("wait_agent", targets=[ID, OTHER])]], [message("done")]]
    talk.begin()
    with trio.fail_after(5):
        while not any(p["item"]["type"] != "userMessage" for p in talk.told("item/started")):
            await trio.lowlevel.checkpoint()
    has_agent(talk, status, "so", id=OTHER)
    await talk.until("turn/completed")

    assert list(json.loads(talk.outputs["c1"])["status"]) == [OTHER]


async def test_a_wait_behind_input_does_not_see_the_end_before_it(talk, autojump_clock):
    """Ours: an agent runs from the moment that it has got input."""
    has_agent(talk, "completed", "old")
    talk.model.responses = [
        [
            [
                call("send_input", "c1", target=ID, message="more"),
                call("wait_agent", "c2", targets=[ID]),
            ]
        ],
        [message("done")],
    ]
    talk.begin()
    asked = await talk.errand(TellAgent)
    talk.thread.take(Reply(asked.n, b'{"submission_id":"t"}'))
    await talk.until("turn/completed")

    assert talk.outputs["c2"] == '{"status":{},"timed_out":true}'


async def test_an_end_that_comes_with_the_answer_is_not_overlooked(talk):
    """Ours: what is said of an agent is taken in its order."""
    has_agent(talk, "completed", "old")
    talk.model.responses = [
        [
            [
                call("send_input", "c1", target=ID, message="more"),
                call("wait_agent", "c2", targets=[ID]),
            ]
        ],
        [message("done")],
    ]
    talk.begin()
    asked = await talk.errand(TellAgent)
    talk.thread.take(Reply(asked.n, b'{"submission_id":"t"}'))
    has_agent(talk, "running")
    has_agent(talk, "completed", "new")
    await talk.until("turn/completed")

    assert json.loads(talk.outputs["c2"])["status"] == {ID: {"completed": "new"}}


async def test_an_agent_that_nobody_waited_for_is_closed(talk):
    """Ours: an interrupt leaves no agent behind that the model does not know of."""
    talk.model.responses = [[[call("spawn_agent", **SPAWN)]]]
    talk.begin()
    started = await talk.errand(StartAgent)
    talk.interrupt()
    closed = await talk.errand(CloseAgent)
    await talk.until("turn/completed")
    has_agent(talk, "running", id=started.spec.thread_id)
    has_agent(talk, "shutdown", id=started.spec.thread_id)

    assert closed.thread_id == started.spec.thread_id
    assert "subagent_notification" not in str(talk.thread.history.items)


async def test_the_model_hears_of_each_end_once(talk):
    """Observed for the first end; ours: of those that follow too."""
    for told in ("one", "two"):
        has_agent(talk)
        has_agent(talk, "completed", told)
        has_agent(talk, "completed", told)
    notes = [i["content"][0]["text"] for i in talk.thread.history.items]

    assert [json.loads(note.splitlines()[1])["status"] for note in notes] == [
        {"completed": "one"},
        {"completed": "two"},
    ]


async def test_an_agent_that_is_closed_at_work_is_told_of_and_forgotten(talk):
    """Observed."""
    has_agent(talk)
    has_agent(talk, "shutdown")

    assert '"status":"shutdown"' in str(talk.thread.history.items)
    assert talk.thread.agents.state(ID).status == "notFound"


async def test_resuming_asks_for_unknown_agents_only(talk):
    """Observed."""
    has_agent(talk, "completed", "so")
    assert json.loads(await output(talk, "resume_agent", id=ID))["status"] == {"completed": "so"}
    talk.model.responses = [[[call("resume_agent", id=OTHER)]], [message("done")]]
    talk.begin()
    asked = await talk.errand(ResumeAgent)

    assert (asked.thread_id, asked.limit) == (OTHER, 6)


async def test_agents_have_names_of_their_own_for_as_long_as_there_are_any(talk):
    """Observed: then with a number."""
    agents = talk.thread.agents
    names = {agents._nickname(["Zed", "Abe"]) for _ in range(4)}

    assert names == {"Zed", "Abe", "Zed 2", "Abe 2"}


# ---- the other side: a thread that is an agent


@pytest.fixture
async def agent(tmp_path):
    spawn = ThreadSpawn(depth=1, parent_thread_id=OTHER, agent_nickname="Zed")
    source = NamedSource(sub_agent=SpawnedSource(thread_spawn=spawn))
    async with talking(tmp_path, source=source) as talk:
        yield talk


async def fared(agent, times):
    with trio.fail_after(5):
        while len(agent.fared) < times:
            await trio.lowlevel.checkpoint()


async def test_an_agent_says_how_each_turn_begins_and_ends(agent):
    """Observed; ours: a failed turn is errored, which the reference server overwrites."""
    await agent.turn([message("found")])
    agent.heard.clear()
    await agent.turn([ValueError("no")], text="again")
    agent.heard.clear()
    agent.model.responses = [[trio.Event()]]
    agent.begin()
    await agent.until("turn/started")
    agent.interrupt()
    await agent.until("turn/completed")
    await fared(agent, 6)
    statuses = [status for status, _ in agent.fared]

    assert statuses == ["running", "completed", "running", "errored", "running", "interrupted"]
    assert agent.fared[1][1] == "found"
    assert "no" in agent.fared[3][1]


async def test_an_agent_that_is_to_do_something_else_stays_running(agent):
    """Ours: its parent waits for what comes of that, and not for the end of what was before."""
    agent.model.responses = [[trio.Event()], [message("else")]]
    agent.begin()
    await agent.until("turn/started")
    agent.call(AGENT_INPUT, AgentInputParams([TextInput("now")], interrupt=True))
    await fared(agent, 3)
    ended = [p["turn"]["status"] for p in agent.told("turn/completed")]

    assert [status for status, _ in agent.fared] == ["running", "running", "completed"]
    assert ended == ["interrupted", "completed"]
    assert agent.reply["submission_id"] == agent.told("turn/completed")[-1]["turn"]["id"]
