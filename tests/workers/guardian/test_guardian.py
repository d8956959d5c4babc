"""Reviews within a loaded thread: time, failure, and what is left behind."""

import pytest
import trio

from protocol.policy import ReadOnly
from tests.workers.talking import call, message, talking
from workers.guardian import TIMEOUT_SECONDS

RUN = {"cmd": "touch made", "sandbox_permissions": "require_escalated", "justification": "j"}


@pytest.fixture
async def talk(tmp_path):
    settings = {"approvals_reviewer": "auto_review", "sandbox_policy": ReadOnly()}
    async with talking(tmp_path, **settings) as talk:
        yield talk


def judged(talk):
    return [params["review"] for params in talk.told("item/autoApprovalReview/completed")]


async def test_a_review_that_takes_too_long_is_given_up(talk, tmp_path, autojump_clock):
    """Read in the reference's source: 90 seconds; it is not taken for a denial."""
    never = trio.Event()
    talk.model.responses = [[[call("exec_command", **RUN)]], [never], [message("done")]]
    begun = trio.current_time()
    talk.begin()
    await talk.until("turn/completed")

    assert trio.current_time() - begun >= TIMEOUT_SECONDS
    (review,) = judged(talk)
    assert (review["status"], review["riskLevel"]) == ("timedOut", None)
    assert review["rationale"] == talk.told("guardianWarning")[-1]["message"]
    assert "did not finish before its deadline" in talk.outputs["c1"]
    assert not (tmp_path / "made").exists()


async def test_a_reviewer_that_never_stops_calling_tools_is_given_up(
    talk, autojump_clock, monkeypatch
):
    """Ours: all its responses together have the same time."""
    at_once = talk.model._play

    async def slowly(steps):
        await trio.sleep(5)
        async for batch in at_once(steps):
            yield batch

    monkeypatch.setattr(talk.model, "_play", slowly)
    look = [call("update_plan", "look", plan=[])]
    talk.model.responses = [[[call("exec_command", **RUN)]], *[[look]] * 500]
    with trio.move_on_after(10 * TIMEOUT_SECONDS):
        talk.begin()
        await talk.until("item/autoApprovalReview/completed")
    (review,) = judged(talk)
    assert review["status"] == "timedOut"


async def test_after_a_review_that_was_given_up_the_next_begins_anew(talk, autojump_clock):
    """Ours: half a review is no context to judge in."""
    talk.model.responses = [
        [[call("exec_command", "c1", **RUN)]],
        [trio.Event()],
        [[call("exec_command", "c2", **RUN)]],
        [message('{"outcome": "deny"}')],
        [message("done")],
    ]
    talk.begin()
    await talk.until("turn/completed")

    assert [review["status"] for review in judged(talk)] == ["timedOut", "denied"]
    again = talk.model.inputs[3]
    assert [item["role"] for item in again].count("assistant") == 0
    assert "TRANSCRIPT START" in again[-1]["content"][1]["text"]


async def test_clients_hear_nothing_of_what_a_reviewer_does(talk):
    """Observed: no item, no usage, no retry of its own."""
    look = [call("exec_command", "look", cmd="echo seen", login=False), message("Hm.", "m0")]
    talk.model.responses = [
        [[call("exec_command", **RUN)]],
        [look],
        [message('{"outcome": "deny"}')],
        [message("done")],
    ]
    with trio.fail_after(10):
        talk.begin()
        await talk.until("turn/completed")

    heard = str(talk.heard)
    assert "seen" not in heard
    assert "Hm." not in heard
    shown = [text for kind, _, text in talk.items if kind == "completed"]
    assert shown == [None, "done"]
