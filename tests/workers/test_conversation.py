"""Model and tools take turns, as a client hears it and as the model sees it."""

import pytest
import trio

from protocol.methods import DYNAMIC_TOOL_CALL, USER_INPUT
from protocol.model import CollaborationMode, CollaborationSettings
from tests.workers.talking import call, message
from workers.provider import ProviderError

PLAN_MODE = CollaborationMode("plan", CollaborationSettings("gpt-5.4"))
QUESTION = {
    "id": "q",
    "header": "h",
    "question": "?",
    "options": [{"label": "a", "description": ""}],
}
CALL = DYNAMIC_TOOL_CALL.name


async def test_a_turn_goes_from_active_to_idle_with_its_items_between(talk):
    """Observed: the order of everything that a client hears of a short turn."""
    await talk.turn([message("hi there", cuts=[2])])

    said = [method for method, _ in talk.heard if method != "thread/tokenUsage/updated"]
    assert said == [
        "thread/status/changed",
        "turn/started",
        "item/started",  # the user's
        "item/completed",
        "item/started",
        "item/agentMessage/delta",
        "item/agentMessage/delta",
        "item/completed",
        "thread/status/changed",
        "turn/completed",
    ]
    assert talk.told("turn/completed")[0]["turn"]["status"] == "completed"


async def test_outputs_are_given_back_in_the_order_of_the_calls(talk):
    """Observed: however long each call takes."""
    plan = call("update_plan", "c2", plan=[])
    talk.model.responses = [[[call("ask", "c1"), plan, call("nope", "c3")]], [message("done")]]
    with trio.fail_after(5):
        talk.begin()
        await talk.until(CALL)
        talk.lend("first")
        await talk.until("turn/completed")

    assert list(talk.outputs.items()) == [
        ("c1", "first"),
        ("c2", "Plan updated"),
        ("c3", "unsupported call: nope"),
    ]
    kinds = [item["type"] for item in talk.model.inputs[1][-6:]]
    assert kinds == ["function_call"] * 3 + ["function_call_output"] * 3


async def test_a_call_is_served_while_the_response_goes_on(talk):
    """Ours: the client need not wait for the model's last word."""
    gate = trio.Event()
    talk.model.responses = [[[call("ask")], gate, message("meanwhile")], [message("done", "m2")]]
    with trio.fail_after(5):
        talk.begin()
        await talk.until(CALL)
        talk.lend("early")
        await talk.until("item/completed")
        gate.set()
        await talk.until("turn/completed")

    assert talk.outputs == {"c1": "early"}


async def test_commands_overlap_and_everything_else_comes_in_order(talk, tmp_path):
    """Observed: two commands run at once; a plan waits for both, and a later command for it."""
    wait = "touch {0}; while [ ! -e {1} ]; do sleep 0.01; done"
    run = {"login": False}
    calls = [
        call("exec_command", "c1", cmd=wait.format("a", "b"), **run),
        call("exec_command", "c2", cmd=wait.format("b", "a"), **run),
        call("update_plan", "c3", plan=[]),
        call("exec_command", "c4", cmd="true", **run),
    ]
    await talk.turn([calls], [message("done")])

    ends = [
        "plan" if method == "turn/plan/updated" else params["item"]["id"]
        for method, params in talk.heard
        if method == "turn/plan/updated"
        or (method == "item/completed" and params["item"]["type"] == "commandExecution")
    ]
    assert ends.index("plan") > max(ends.index("c1"), ends.index("c2"))
    assert ends[-1] == "c4"
    assert list(talk.outputs) == ["c1", "c2", "c3", "c4"]


async def test_what_is_said_meanwhile_goes_into_the_next_request(talk):
    """Observed: turn/steer; the model is asked again although it has called nothing."""
    gate = trio.Event()
    talk.model.responses = [[gate, message("one")], [message("two", "m2")]]
    with trio.fail_after(5):
        talk.begin()
        await talk.until("turn/started")
        talk.steer("and this")
        gate.set()
        await talk.until("turn/completed")

    assert talk.model.inputs[1][-1]["content"] == [{"type": "input_text", "text": "and this"}]
    assert talk.model.inputs[1][-2]["role"] == "assistant"
    heard = [p["item"]["type"] for m, p in talk.heard if m == "item/completed"]
    assert heard == ["userMessage", "agentMessage", "userMessage", "agentMessage"]


async def test_an_interruption_leaves_an_output_for_every_call(talk):
    """Observed: the words; the provider refuses a call without its output."""
    talk.model.responses = [[[call("ask", "c1"), call("ask", "c2")]], [message("again")]]
    with trio.fail_after(5):
        talk.begin()
        await talk.until(CALL)
        talk.interrupt()
        ended = await talk.until("turn/completed")
    assert ended["turn"]["status"] == "interrupted"
    talk.heard.clear()
    await talk.turn(text="go on")

    assert list(talk.outputs) == ["c1", "c2"]
    assert all(text.startswith("aborted by user after 0.") for text in talk.outputs.values())
    told = talk.model.inputs[1][-2]["content"][0]["text"]
    assert told.startswith("<turn_aborted>")


async def test_a_broken_stream_is_tried_again_and_the_client_told(talk, autojump_clock):
    """Observed: an error that will be retried, then the turn as if nothing had been."""
    broken = ProviderError("stream closed", retry=True)
    await talk.turn([[call("update_plan", plan=[])], broken], [broken], [message("done")])

    notices = [(p["error"]["message"], p["willRetry"]) for p in talk.told("error")]
    assert notices == [("Reconnecting... 1/2", True), ("Reconnecting... 2/2", True)]
    assert talk.told("turn/completed")[0]["turn"]["status"] == "completed"
    assert talk.outputs == {"c1": "Plan updated"}  # what was called is not lost


async def test_a_stream_that_stays_broken_fails_the_turn(talk, autojump_clock):
    """Observed: after the last retry."""
    broken = ProviderError("stream closed", retry=True)
    ended = await talk.turn([broken], [broken], [broken])

    assert ended["turn"]["status"] == "failed"
    assert ended["turn"]["error"]["message"] == "stream closed"
    assert [p["willRetry"] for p in talk.told("error")] == [True, True, False]


async def test_a_tool_that_fails_tells_the_model(talk):
    """Observed: bad arguments are an output like any other."""
    await talk.turn([[call("update_plan", explanation="none")]], [message("sorry")])

    assert talk.outputs == {"c1": "failed to parse function arguments: missing field `plan`"}


@pytest.mark.parametrize(
    ("answer", "output"),
    [
        ({"answers": {"q": {"answers": ["a"]}}}, '{"answers":{"q":{"answers":["a"]}}}'),
        (None, '{"answers":{}}'),
    ],
)
async def test_a_question_to_the_user_shows_in_the_status(talk, answer, output):
    """Observed: waitingOnUserInput for as long as it is open."""
    asked = call("request_user_input", questions=[QUESTION])
    talk.model.responses = [[[asked]], [message("thanks")]]
    with trio.fail_after(5):
        talk.begin(collaboration_mode=PLAN_MODE)
        await talk.until(USER_INPUT.name)
        talk.answer(USER_INPUT.name, answer) if answer else talk.refuse(USER_INPUT.name)
        await talk.until("turn/completed")

    flags = [p["status"].get("activeFlags") for p in talk.told("thread/status/changed")]
    assert flags == [[], ["waitingOnUserInput"], [], None]
    assert talk.outputs == {"c1": output}


async def test_a_call_of_a_clients_tool_does_not_show_in_the_status(talk):
    """Observed."""
    talk.model.responses = [[[call("ask")]], [message("thanks")]]
    with trio.fail_after(5):
        talk.begin()
        await talk.until(CALL)
        talk.lend("x")
        await talk.until("turn/completed")

    flags = [p["status"].get("activeFlags") for p in talk.told("thread/status/changed")]
    assert flags == [[], None]


async def test_advice_stands_before_the_outputs(talk, tmp_path):
    """Observed: of a patch that came through a shell."""
    patch = "*** Begin Patch\n*** Add File: a\n+x\n*** End Patch\n"
    script = f"apply_patch <<'EOF'\n{patch}EOF\n"
    await talk.turn([[call("exec_command", cmd=script)]], [message("done")])

    *_, advice, output = talk.model.inputs[1]
    assert advice["role"] == "user"
    assert "apply_patch" in advice["content"][0]["text"]
    assert output["call_id"] == "c1"
    assert (tmp_path / "a").read_text() == "x\n"
