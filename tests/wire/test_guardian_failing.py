"""Reviews that come to no decision, that end the turn, and what a reviewer cannot do."""

import pytest
import trio

from protocol.item import CommandExecution
from protocol.methods import (
    AUTO_APPROVAL_REVIEW_COMPLETED,
    GUARDIAN_WARNING,
    ITEM_STARTED,
    THREAD_LIST,
    THREAD_LOADED_LIST,
    TURN_COMPLETED,
    TURN_INTERRUPT,
)
from protocol.thread import NamedSource, SpawnedSource, ThreadListParams, ThreadLoadedListParams
from protocol.turn import TurnInterruptParams
from sandbox.probe import Missing, host
from tests.guarding import (
    REVIEWED,
    escalated,
    no_question,
    outputs,
    patch,
    played,
    plays,
    reviews,
    steps,
    told,
    verdict,
)
from tests.reviewing import FAILING
from workers.scripted import ToolCall

pytestmark = pytest.mark.skipif(isinstance(host(), Missing), reason="no sandbox on this host")


async def test_an_interrupt_leaves_nothing_of_a_review(connect_stdio, provider, project):
    """Observed: no word more of it; the next review begins anew."""
    gate = trio.Event()
    plays(provider, escalated("touch made"))
    provider.says(gate, "late")
    client = await connect_stdio()
    thread = await client.start(cwd=str(project), **REVIEWED)
    turn = await client.begin(thread)
    await provider.asked(2)
    await client.call(TURN_INTERRUPT, TurnInterruptParams(thread.id, turn.id))
    done = await client.next(TURN_COMPLETED)
    gate.set()
    plays(provider, escalated("touch other"), verdict("allow"), "done")
    await client.begin(thread)
    await client.next(TURN_COMPLETED)

    assert done.turn.status == "interrupted"
    assert len(told(client, AUTO_APPROVAL_REVIEW_COMPLETED)) == 1
    assert not (project / "made").exists()
    assert (project / "other").exists()
    cut, again = (request["prompt_cache_key"] for request in reviews(provider)[-2:])
    assert cut != again


async def test_reviews_of_one_response_go_on_side_by_side(connect_stdio, provider, project):
    """Observed: the second gets a reviewer of its own."""
    provider.says(escalated("touch a"), escalated("touch b"))
    first, second = trio.Event(), trio.Event()
    provider.says(first, verdict("allow"))
    provider.says(second, verdict("deny"))
    provider.says("done")
    client = await connect_stdio()
    thread = await client.start(cwd=str(project), **REVIEWED)
    await client.begin(thread)
    await provider.asked(3)
    second.set()
    one = await client.next(AUTO_APPROVAL_REVIEW_COMPLETED)
    first.set()
    other = await client.next(AUTO_APPROVAL_REVIEW_COMPLETED)
    await client.next(TURN_COMPLETED)

    assert (one.review.status, other.review.status) == ("denied", "approved")
    assert one.target_item_id != other.target_item_id
    assert sum((project / name).exists() for name in "ab") == 1
    keys = {request["prompt_cache_key"] for request in reviews(provider)}
    assert len(keys) == 2


async def test_a_turn_in_which_too_much_is_denied_is_ended(connect_stdio, provider, project):
    """Observed: three in a row, and the warning stands behind the last item."""
    for place in range(4):
        plays(provider, escalated(f"touch m{place}"), verdict("deny"))
    client = await connect_stdio()
    thread = await client.start(cwd=str(project), **REVIEWED)
    await client.begin(thread)
    done = await client.next(TURN_COMPLETED)

    assert done.turn.status == "interrupted"
    assert len(reviews(provider)) == 3
    assert steps(client)[-3:] == ["item/completed", "guardianWarning", "turn/completed"]
    assert told(client, GUARDIAN_WARNING)[-1].message == (
        "Automatic approval review rejected too many approval requests for this turn "
        "(3 consecutive, 3 total); interrupting the turn."
    )


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("I like it.", "guardian assessment was not valid JSON"),
        ('{"outcome": "yes"}', "guardian assessment was not valid JSON: Invalid enum value 'yes'"),
        (FAILING, "stream disconnected before completion: no"),
    ],
)
async def test_what_cannot_be_reviewed_is_not_done(connect_stdio, provider, project, answer, why):
    """Observed: it fails closed, is told as a denial, and does not end the turn."""
    for place in range(4):
        plays(provider, escalated(f"touch m{place}"))
        provider.sends(answer) if isinstance(answer, bytes) else provider.says(answer)
    plays(provider, "done")
    client = await connect_stdio()
    thread = await client.start(cwd=str(project), **REVIEWED)
    await client.begin(thread)
    done = await client.next(TURN_COMPLETED)

    assert done.turn.status == "completed"
    found = [p.review for p in told(client, AUTO_APPROVAL_REVIEW_COMPLETED)]
    assert [review.status for review in found] == ["denied"] * 4
    assert (found[0].risk_level, found[0].user_authorization) == ("high", "unknown")
    assert found[0].rationale.startswith(f"Automatic approval review failed: {why}")
    assert not list(project.iterdir())


async def test_a_reviewer_can_look_but_not_touch(connect_stdio, provider, home, project):
    """Observed: its sandbox only reads, and it may ask nobody.  No rule leads out of it."""
    (home / "rules").mkdir()
    (home / "rules" / "my.rules").write_text('prefix_rule(pattern=["touch"], decision="allow")\n')
    (project / "seen.txt").write_text("something\n")
    look = ToolCall("exec_command", {"cmd": "cat seen.txt; touch no; echo $?"})
    ruled = ToolCall("exec_command", {"cmd": "touch no"})
    client, _ = await played(
        connect_stdio,
        project,
        provider,
        escalated("mkdir made"),
        look,
        ruled,
        escalated("mkdir no"),
        patch("no"),
        ToolCall("request_user_input", {"questions": []}),
        verdict("allow"),
        "done",
    )

    assert not (project / "no").exists()
    assert (project / "made").exists()
    assert no_question(client)
    assert "something" in outputs(reviews(provider)[-1])[0]
    shown = [p.item for p in told(client, ITEM_STARTED) if isinstance(p.item, CommandExecution)]
    assert len(shown) == 1
    names = [tool.get("name", tool["type"]) for tool in reviews(provider)[0]["tools"]]
    assert "web_search" not in names


async def test_what_is_hidden_from_the_thread_is_hidden_from_its_reviewer(
    connect_stdio, provider, home, project
):
    """Ours: what a reviewer reads goes to the provider, and its reasons to the agent."""
    (project / "secret").write_text("password\n")
    config = home / "config.toml"
    config.write_text(
        'default_permissions = "mine"\n'
        + config.read_text().replace('sandbox_mode = "danger-full-access"\n', "")
        + '[permissions.mine.filesystem]\n":root" = "read"\n'
        + f'"{project / "secret"}" = "none"\n'
    )
    plays(provider, escalated("touch made"), ToolCall("exec_command", {"cmd": "cat secret"}))
    plays(provider, verdict("deny"), "done")
    client = await connect_stdio()
    settings = {name: REVIEWED[name] for name in ("approval_policy", "approvals_reviewer")}
    thread = await client.start(cwd=str(project), **settings)
    await client.begin(thread)
    await client.next(TURN_COMPLETED)

    (output,) = outputs(reviews(provider)[-1])
    assert "password" not in output


async def test_a_reviewer_is_no_thread_of_the_users(connect_stdio, provider, project):
    """Observed: it is not loaded, but has a file, whose source says what it is."""
    client, thread = await played(
        connect_stdio, project, provider, escalated("touch a"), verdict("allow"), "done"
    )
    loaded = await client.call(THREAD_LOADED_LIST, ThreadLoadedListParams())
    usual = await client.call(THREAD_LIST, ThreadListParams())
    others = await client.call(THREAD_LIST, ThreadListParams(source_kinds=["subAgentOther"]))

    assert loaded.data == [thread.id]
    assert [one.id for one in usual.data] == [thread.id]
    assert [one.source for one in others.data] == [
        NamedSource(sub_agent=SpawnedSource(other="guardian"))
    ]
