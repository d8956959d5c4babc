"""A thread's goal, from the first wish of a client over a restart to its end."""

import pytest

from protocol.errors import RpcError
from protocol.goal import (
    ThreadGoalClearParams,
    ThreadGoalClearResponse,
    ThreadGoalGetParams,
    ThreadGoalSetParams,
)
from protocol.loading import ThreadForkParams, ThreadResumeParams
from protocol.methods import (
    THREAD_FORK,
    THREAD_GOAL_CLEAR,
    THREAD_GOAL_CLEARED,
    THREAD_GOAL_GET,
    THREAD_GOAL_SET,
    THREAD_GOAL_UPDATED,
    THREAD_RESUME,
    TURN_COMPLETED,
    TURN_STARTED,
)
from workers.scripted import ToolCall

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def home(home):
    with (home / "config.toml").open("a") as file:
        file.write("[features]\ngoals = true\n")
    return home


async def want(client, thread, **params):
    return (await client.call(THREAD_GOAL_SET, ThreadGoalSetParams(thread.id, **params))).goal


async def have(client, thread):
    return (await client.call(THREAD_GOAL_GET, ThreadGoalGetParams(thread.id))).goal


async def converse(client):
    thread = await client.start()
    await client.begin(thread)
    await client.next(TURN_COMPLETED)
    return thread


async def test_a_goal_is_pursued_in_turns_that_nobody_asked_for(connect, provider):
    """Observed: also in a thread in which nothing was said yet."""
    provider.says(ToolCall("update_goal", {"status": "complete"}))
    provider.says("Shipped.")
    client = await connect()
    thread = await client.start()
    assert await have(client, thread) is None
    assert (await want(client, thread, objective="Ship it")).status == "active"
    turn = (await client.next(TURN_STARTED)).turn
    assert (await client.next(TURN_COMPLETED)).turn.id == turn.id

    found = await have(client, thread)
    assert (found.status, found.objective) == ("complete", "Ship it")
    assert "Ship it" in str(provider.requests[0]["input"][-1])


async def test_a_goal_outlives_the_server_and_is_pursued_from_the_next_resume_on(connect, provider):
    """Observed: until then it can be seen and changed; whoever resumes is told how it stands."""
    thread = await converse(await connect())
    await connect.restart()
    client = await connect()
    await want(client, thread, objective="Ship it", status="paused", token_budget=900)
    await client.next(THREAD_GOAL_UPDATED)
    await connect.restart()
    client = await connect()
    found = await want(client, thread, status="active")
    assert (found.objective, found.token_budget, found.status) == ("Ship it", 900, "active")
    assert (await client.next(THREAD_GOAL_UPDATED)).goal == found

    provider.says(ToolCall("update_goal", {"status": "complete"}))
    await client.call(THREAD_RESUME, ThreadResumeParams(thread_id=thread.id))
    assert (await client.next(THREAD_GOAL_UPDATED)).goal == found
    await client.next(TURN_COMPLETED)
    assert (await have(client, thread)).status == "complete"


async def test_a_cleared_goal_stays_away(connect, provider):
    """Observed: a second time there is nothing to clear; whoever resumes hears it."""
    client = await connect()
    thread = await converse(client)
    await want(client, thread, objective="Ship it", status="paused")
    params = ThreadGoalClearParams(thread.id)
    assert await client.call(THREAD_GOAL_CLEAR, params) == ThreadGoalClearResponse(cleared=True)
    await client.next(THREAD_GOAL_CLEARED)
    assert await client.call(THREAD_GOAL_CLEAR, params) == ThreadGoalClearResponse(cleared=False)
    await connect.restart()
    client = await connect()
    assert await have(client, thread) is None
    assert await client.call(THREAD_GOAL_CLEAR, params) == ThreadGoalClearResponse(cleared=False)

    await client.call(THREAD_RESUME, ThreadResumeParams(thread_id=thread.id))
    await client.next(THREAD_GOAL_CLEARED)


async def test_a_fork_has_no_goal(connect, provider):
    """Observed: though its file holds the lines of its source."""
    client = await connect()
    thread = await converse(client)
    await want(client, thread, objective="Ship it", status="paused")
    fork = (await client.call(THREAD_FORK, ThreadForkParams(thread_id=thread.id))).thread
    assert await have(client, fork) is None
    await connect.restart()
    assert await have(await connect(), fork) is None


async def test_no_goal_for_threads_that_cannot_keep_one(connect_stdio, provider):
    """Observed: in these words."""
    client = await connect_stdio()
    fleeting = await client.start(ephemeral=True)
    for id, problem in (
        (fleeting.id, f"ephemeral thread does not support goals: {fleeting.id}"),
        (NOBODY, f"thread not found: {NOBODY}"),
    ):
        with pytest.raises(RpcError) as refused:
            await client.call(THREAD_GOAL_SET, ThreadGoalSetParams(id, objective="x"))
        assert refused.value.message == problem
    with pytest.raises(RpcError, match="tokenBudget"):
        await want(client, await client.start(), objective="x", token_budget=10**20)


async def test_without_the_feature_there_are_no_goals(connect_stdio, home, provider):
    """Observed: for a loaded thread and a stored one."""
    config = home / "config.toml"
    config.write_text(config.read_text().replace("goals = true", "goals = false"))
    client = await connect_stdio()
    thread = await converse(client)
    with pytest.raises(RpcError, match=r"^goals feature is disabled$"):
        await have(client, thread)
    await connect_stdio.restart()
    with pytest.raises(RpcError, match=r"^goals feature is disabled$"):
        await have(await connect_stdio(), thread)
