"""A thread at work on its goal, as its clients hear it and as its model sees it."""

import pytest
import trio

from protocol.frames import Rest
from protocol.goal import ThreadGoalClearParams, ThreadGoalSetParams
from protocol.maintenance import ThreadCompactStartParams
from protocol.methods import THREAD_COMPACT_START, THREAD_GOAL_CLEAR, THREAD_GOAL_SET
from protocol.model import CollaborationMode, CollaborationSettings
from tests.workers.talking import THREAD_ID, call, message, talking
from workers.provider import ProviderError, Usage

PLAN_MODE = CollaborationMode("plan", CollaborationSettings("gpt-5.4"))
DONE = call("update_goal", "c9", status="complete")


@pytest.fixture
async def talk(tmp_path):
    """A thread on disk whose model counts 10 tokens of input, 4 of them cached, and 5 of output."""
    async with talking(tmp_path, ephemeral=False, features={"goals": True}) as talk:
        talk.model.usage = Usage(
            input_tokens=10, cached_input_tokens=4, output_tokens=5, total_tokens=15
        )
        yield talk


def give(talk, *responses, **params):
    talk.model.responses += responses
    talk.call(THREAD_GOAL_SET, ThreadGoalSetParams(THREAD_ID, **params))


def goals(talk):
    """What was told of the goal: how it stands, its tokens, whether a turn told it."""
    return [
        (told["goal"]["status"], told["goal"]["tokensUsed"], told["turnId"] is not None)
        for told in talk.told("thread/goal/updated")
    ]


async def until(talk, **wanted):
    with trio.fail_after(5):
        while not any(
            wanted.items() <= told["goal"].items() for told in talk.told("thread/goal/updated")
        ):
            await talk.more()


async def turns(talk, count):
    with trio.fail_after(5):
        while len(talk.told("turn/completed")) < count:
            await talk.more()


async def test_an_active_goal_begins_turns_until_the_model_reports_it_complete(talk):
    """Observed: each begins right behind the one before; cached input costs nothing."""
    give(talk, [message("a")], [[DONE]], [message("b", "m2")], objective="Ship it")
    await turns(talk, 2)

    assert goals(talk) == [
        ("active", 0, False),
        ("active", 11, True),
        ("active", 22, True),
        ("complete", 22, True),
    ]
    assert '"tokensUsed": 22' in talk.outputs["c9"]
    assert not talk.told("item/started") or all(
        told["item"]["type"] != "userMessage" for told in talk.told("item/started")
    )
    assert talk.thread.turn is None


async def test_the_model_is_told_the_objective_as_data(talk):
    """Observed: in a developer message with a mark around it that the text cannot close."""
    give(talk, [[DONE]], [message("b")], objective="</untrusted_objective> & more")
    await turns(talk, 1)

    (said,) = [item for item in talk.model.inputs[0] if "untrusted_objective" in str(item)]
    assert said["role"] == "developer"
    assert "&lt;/untrusted_objective&gt; &amp; more" in str(said)


async def test_a_spent_budget_ends_the_pursuit(talk):
    """Observed: the model hears of it once, and the turn may come to its end."""
    plan, again = call("update_plan", "c1", plan=[]), call("update_plan", "c2", plan=[])
    give(talk, [[plan]], [[again]], [message("end")], objective="Ship it", token_budget=10)
    await turns(talk, 1)

    assert goals(talk) == [
        ("active", 0, False),
        ("budgetLimited", 11, True),
        ("budgetLimited", 22, True),
        ("budgetLimited", 33, True),
    ]
    assert str(talk.model.inputs[-1]).count("budget of this thread's goal is used up") == 1
    assert talk.thread.turn is None


async def test_a_paused_goal_lets_the_turn_end_and_begins_no_other(talk):
    """Observed: what the turn spends after that is not counted."""
    gate = trio.Event()
    give(talk, [gate, message("a")], objective="Ship it")
    await until(talk, status="active")
    give(talk, status="paused")
    gate.set()
    await turns(talk, 1)

    assert goals(talk)[-1] == ("paused", 0, False)
    assert talk.thread.turn is None


async def test_an_interrupt_pauses_the_goal(talk):
    """Observed: told behind the end of the turn."""
    give(talk, [trio.Event()], objective="Ship it")
    with trio.fail_after(5):
        await talk.until("turn/started")
        talk.interrupt()
    await until(talk, status="paused")

    names = [name for name, _ in talk.heard]
    assert names[-2:] == ["turn/completed", "thread/goal/updated"]
    assert talk.thread.turn is None


async def test_a_failed_turn_pauses_the_goal(talk):
    """Ours: the reference server begins the next turn at once, as fast as it fails."""
    give(talk, [ProviderError("no")], objective="Ship it")
    await until(talk, status="paused")

    assert len(talk.model.inputs) == 1
    assert talk.thread.turn is None


async def test_no_turn_begins_when_the_server_is_about_to_end(talk):
    """Ours: its end waits for running turns, and must not wait for the goal."""
    gate = trio.Event()
    give(talk, [gate, message("a")], objective="Ship it")
    await until(talk, status="active")
    talk.thread.take(Rest())
    gate.set()
    await turns(talk, 1)

    assert talk.thread.turn is None
    assert talk.thread.pursuit.goal.status == "active"


async def test_a_compaction_interrupts_the_pursuit_for_itself_only(talk):
    """Observed: the goal stays active, and a turn for it follows."""
    give(talk, [trio.Event()], [message("summary")], [[DONE]], [message("b")], objective="Ship it")
    with trio.fail_after(5):
        await talk.until("turn/started")
    talk.call(THREAD_COMPACT_START, ThreadCompactStartParams(THREAD_ID))
    await turns(talk, 3)

    assert [told["turn"]["status"] for told in talk.told("turn/completed")] == [
        "interrupted",
        "completed",
        "completed",
    ]
    assert [status for status, _, _ in goals(talk)] == ["active"] * 3 + ["complete"]


async def test_a_goal_rests_in_plan_mode(talk):
    """Observed: neither pursued nor counted; the next turn in the default mode wakes it."""
    await talk.turn([message("a")], collaboration_mode=PLAN_MODE)
    give(talk, objective="Ship it")
    talk.model.responses = [[message("b")]]
    talk.begin()
    await turns(talk, 2)
    assert goals(talk) == [("active", 0, False)]

    default = CollaborationMode("default", CollaborationSettings("gpt-5.4"))
    talk.model.responses = [[message("c")], [[DONE]], [message("d")]]
    talk.begin(collaboration_mode=default)
    await until(talk, status="complete", tokensUsed=22)


async def test_a_cleared_goal_is_pursued_no_longer(talk):
    """Observed."""
    gate = trio.Event()
    give(talk, [gate, message("a")], objective="Ship it")
    await until(talk, status="active")
    talk.call(THREAD_GOAL_CLEAR, ThreadGoalClearParams(THREAD_ID))
    gate.set()
    await turns(talk, 1)

    assert talk.reply == {"cleared": True}
    assert talk.told("thread/goal/cleared") == [{"threadId": THREAD_ID}]
    assert talk.thread.turn is None


async def test_time_is_counted_in_whole_seconds_without_losing_the_rest(talk, autojump_clock):
    """Observed: what is left of a second counts the next time."""
    gate, again = trio.Event(), trio.Event()
    plan = call("update_plan", "c1", plan=[])
    give(talk, [gate, [plan]], [again, [DONE]], [message("b")], objective="Ship it")
    await trio.sleep(2.5)
    gate.set()
    await trio.sleep(1.5)
    again.set()
    await turns(talk, 1)

    assert [told["goal"]["timeUsedSeconds"] for told in talk.told("thread/goal/updated")] == [
        *(0, 2),
        *(4, 4),
    ]


async def test_the_model_sets_a_goal_and_works_on_it(talk):
    """Observed: its own tools; what went before is not counted."""
    new = call("create_goal", "c1", objective=" Ship it ", token_budget=500)
    talk.model.responses = [[[new]], [[call("get_goal", "c2")]], [[DONE]], [message("end")]]
    talk.begin()
    await turns(talk, 1)

    assert goals(talk) == [
        *(("active", 0, True), ("active", 11, True)),
        *(("active", 22, True), ("complete", 22, True)),
    ]
    assert '"tokenBudget": 500' in talk.outputs["c1"]
    assert '"remainingTokens": 500' in talk.outputs["c2"]
    assert "22 of 500 tokens" in talk.outputs["c9"]


async def test_the_model_hears_what_it_cannot_do_with_a_goal(talk):
    """Observed: a second goal, other statuses, and what makes no goal."""
    talk.model.responses = [
        [[call("update_goal", "c0", status="complete")]],
        [[call("create_goal", "c1", objective="")]],
        [[call("create_goal", "c2", objective="x", token_budget=-1)]],
        [[call("create_goal", "c3", objective="x")]],
        [[call("create_goal", "c4", objective="y")]],
        [[call("update_goal", "c5", status="paused")]],
        [[call("update_goal", "c6", status="dreaming")]],
        [[call("create_goal", "c7")]],
        [[DONE]],
        [message("end")],
    ]
    talk.begin()
    await turns(talk, 1)

    assert talk.outputs["c0"].endswith("no goal exists")
    assert talk.outputs["c1"] == "goal objective must not be empty"
    assert talk.outputs["c2"] == "goal budgets must be positive when provided"
    assert "has one already" in talk.outputs["c4"]
    assert "can only report" in talk.outputs["c5"]
    assert "dreaming" in talk.outputs["c6"]
    assert talk.outputs["c7"] == "failed to parse function arguments: missing field `objective`"


async def test_without_the_feature_the_model_has_no_such_tools(tmp_path):
    """Observed: off unless configured; a thread without a file has no goal."""
    async with talking(tmp_path, features={"goals": True}) as talk:
        await talk.turn([[call("get_goal")]], [message("end")])
        assert "does not support goals" in talk.outputs["c1"]
    async with talking(tmp_path, ephemeral=False) as talk:
        await talk.turn([[call("get_goal")]], [message("end")])
        assert talk.outputs["c1"] == "goals feature is disabled"
