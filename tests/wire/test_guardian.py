"""Approvals that a model decides: who is asked, what clients are told, what comes of it."""

import json

import pytest

from protocol.guardian import (
    ReviewedCommand,
    ReviewedPatch,
    ReviewedPermissions,
)
from protocol.item import UnknownAction
from protocol.loading import ThreadResumeParams
from protocol.methods import (
    AUTO_APPROVAL_REVIEW_COMPLETED,
    AUTO_APPROVAL_REVIEW_STARTED,
    GUARDIAN_WARNING,
    ITEM_COMPLETED,
    ITEM_STARTED,
    PERMISSIONS_APPROVAL,
    THREAD_RESUME,
    TURN_COMPLETED,
)
from protocol.permission import GrantedPermissionProfile, PermissionsRequestApprovalResponse
from sandbox.probe import Missing, host
from tests.guarding import (
    PERMISSIONS,
    REVIEWED,
    asked,
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
from tests.reviewing import said
from workers.scripted import ToolCall

pytestmark = pytest.mark.skipif(isinstance(host(), Missing), reason="no sandbox on this host")


async def test_what_the_reviewer_allows_is_done(connect, provider, project):
    """Observed: the order, the action, and that no client is asked."""
    client, thread = await played(
        connect, project, provider, escalated("touch made"), verdict("allow"), "done"
    )

    assert (project / "made").exists()
    assert no_question(client)
    assert steps(client) == [
        "item/started",
        "item/autoApprovalReview/started",
        "guardianWarning",
        "item/autoApprovalReview/completed",
        "item/completed",
        "turn/completed",
    ]
    (begun,) = told(client, AUTO_APPROVAL_REVIEW_STARTED)
    (done,) = told(client, AUTO_APPROVAL_REVIEW_COMPLETED)
    assert isinstance(begun.action, ReviewedCommand)
    assert (begun.action.source, begun.action.cwd) == ("unifiedExec", str(project))
    assert begun.review.status == "inProgress"
    assert (begun.target_item_id, begun.thread_id) == (done.target_item_id, thread.id)
    assert (done.review_id, done.started_at_ms) == (begun.review_id, begun.started_at_ms)
    assert (done.review.status, done.review.risk_level) == ("approved", "low")
    assert (done.review.user_authorization, done.review.rationale) == ("unknown", "Because.")
    (warning,) = told(client, GUARDIAN_WARNING)
    assert warning.message == (
        "Automatic approval review approved (risk: low, authorization: unknown): Because."
    )


async def test_what_the_reviewer_denies_is_not_done(connect_stdio, provider, project):
    """Observed: the item is declined, without a reading of the command; the model is told why."""
    client, _ = await played(
        connect_stdio, project, provider, escalated("touch made"), verdict("deny"), "done"
    )

    assert not (project / "made").exists()
    assert no_question(client)
    (done,) = told(client, AUTO_APPROVAL_REVIEW_COMPLETED)
    assert (done.review.status, done.review.risk_level) == ("denied", "high")
    (item,) = [p.item for p in told(client, ITEM_COMPLETED) if p.item.id == done.target_item_id]
    assert (item.status, item.source) == ("declined", "agent")
    assert item.command_actions == [UnknownAction(item.command)]
    (output,) = outputs(provider.requests[-1])
    assert "rejected due to unacceptable risk.\nReason: Because.\n" in output


async def test_a_shell_command_is_declined_in_the_same_words(connect_stdio, provider, project):
    """Observed: twice completed, as when the user declines it."""
    call = ToolCall(
        "shell_command", {"command": "touch made", "sandbox_permissions": "require_escalated"}
    )
    client, _ = await played(connect_stdio, project, provider, call, verdict("deny"), "done")

    (begun,) = told(client, AUTO_APPROVAL_REVIEW_STARTED)
    ended = [p.item for p in told(client, ITEM_COMPLETED) if p.item.id == begun.target_item_id]
    assert begun.action.source == "shell"
    assert [item.status for item in ended] == ["declined", "declined"]
    assert ended[1].aggregated_output.startswith("This action was rejected due to")


async def test_the_reviewer_is_told_what_was_said_and_what_is_planned(
    connect_stdio, provider, project
):
    """Observed: its model, its effort, its schema; it sees the conversation as text."""
    await played(connect_stdio, project, provider, escalated("touch x"), verdict("allow"), "done")

    first, request, last = provider.requests
    assert (first["model"], last["model"]) == ("gpt-5.4", "gpt-5.4")
    assert request["reasoning"]["effort"] == "low"
    assert request["text"]["format"]["strict"] is False
    assert request["text"]["format"]["schema"]["required"] == ["outcome"]
    assert request["instructions"].startswith("You review one action")
    assert request["prompt_cache_key"] != first["prompt_cache_key"]
    text = asked(request)
    assert "[1] user: Make it.\n" in text
    assert "[2] tool exec_command call: " in text
    action = json.loads(text[text.index("{\n") : text.rindex("}") + 1])
    assert action["command"][-1] == "touch x"
    assert action["sandbox_permissions"] == "require_escalated"
    assert action["justification"] == "Needed."


async def test_a_second_review_goes_on_from_the_first(connect_stdio, provider, project):
    """Observed: one reviewer for the thread, which is told only what is new."""
    client, thread = await played(
        connect_stdio, project, provider, escalated("touch a"), verdict("deny"), "No."
    )
    plays(provider, escalated("touch b"), verdict("allow"), "Yes.")
    await client.begin(thread, "Then b.")
    await client.next(TURN_COMPLETED)

    first, second = reviews(provider)
    assert first["prompt_cache_key"] == second["prompt_cache_key"]
    assert second["input"][: len(first["input"])] == first["input"]
    assert "DELTA START" in asked(second)
    assert "Make it." not in asked(second)
    assert "user: Then b.\n" in asked(second)
    assert [text for role, text in said(second) if role == "developer"][-1].startswith(
        "You have reviewed before"
    )


async def test_patches_are_reviewed(connect_stdio, provider, project):
    """Observed."""
    responses = (patch("in.txt"), verdict("deny"), "done")
    client, _ = await played(connect_stdio, project, provider, *responses, sandbox="read-only")

    (begun,) = told(client, AUTO_APPROVAL_REVIEW_STARTED)
    assert begun.action == ReviewedPatch(str(project), [str(project / "in.txt")])
    assert steps(client)[0] == "item/started"
    assert not (project / "in.txt").exists()
    assert outputs(provider.requests[-1])[0].startswith("This action was rejected due to")
    (request,) = reviews(provider)
    assert '"diff": "hi\\n"' in asked(request)


async def test_permissions_are_reviewed(connect_stdio, provider, project):
    """Observed: what is granted is all that was asked for, for the turn."""
    (project / "out").mkdir()
    call = ToolCall(
        "request_permissions", {"reason": "r", "permissions": {"file_system": {"write": ["out"]}}}
    )
    run = ToolCall("exec_command", {"cmd": "touch out/x"})
    plays(provider, call, verdict("deny"), call, verdict("allow"), run, "done")
    client = await connect_stdio()
    settings = REVIEWED | {"sandbox": "read-only", "config": PERMISSIONS}
    thread = await client.start(cwd=str(project), **settings)
    await client.begin(thread)
    await client.next(TURN_COMPLETED)

    denied, _ = told(client, AUTO_APPROVAL_REVIEW_COMPLETED)
    assert isinstance(denied.action, ReviewedPermissions)
    assert denied.action.permissions.file_system.write == [str(project / "out")]
    refused, granted, _ = outputs(provider.requests[-1])
    assert json.loads(refused)["permissions"] == {"network": None, "file_system": None}
    assert json.loads(granted)["permissions"]["file_system"]["write"] == [str(project / "out")]
    assert (project / "out" / "x").exists()


async def test_a_strict_grant_has_the_rest_of_the_turn_reviewed(connect_stdio, provider, project):
    """Observed: by the model, whoever answers other questions; until the turn ends."""
    wish = {"file_system": {"write": [str(project.parent / "w")]}}
    run = ToolCall("exec_command", {"cmd": "ls"})
    plays(provider, ToolCall("request_permissions", {"permissions": wish}))
    plays(provider, run, verdict("deny"), patch("in.txt"), verdict("allow"), "done")
    plays(provider, run, "done")
    client = await connect_stdio()
    settings = REVIEWED | {"approvals_reviewer": "user", "config": PERMISSIONS}
    thread = await client.start(cwd=str(project), **settings)
    await client.begin(thread)
    id, question = await client.question(PERMISSIONS_APPROVAL)
    granted = GrantedPermissionProfile(file_system=question.permissions.file_system)
    await client.answer(id, PermissionsRequestApprovalResponse(granted, strict_auto_review=True))
    await client.next(TURN_COMPLETED)
    kinds = [type(p.action) for p in told(client, AUTO_APPROVAL_REVIEW_COMPLETED)]
    await client.begin(thread)
    await client.next(TURN_COMPLETED)

    assert kinds == [ReviewedCommand, ReviewedPatch]
    assert len(told(client, AUTO_APPROVAL_REVIEW_COMPLETED)) == 2
    assert (project / "in.txt").exists()


async def test_the_users_own_policy_is_told_to_the_reviewer(connect_stdio, provider, home, project):
    """Observed: `[auto_review] policy`."""
    with (home / "config.toml").open("a") as config:
        config.write('[auto_review]\npolicy = "Never on Sundays."\n')
    await played(connect_stdio, project, provider, escalated("touch a"), verdict("deny"), "done")

    (request,) = reviews(provider)
    assert "Never on Sundays." in request["instructions"]
    assert "{policy}" not in request["instructions"]


@pytest.mark.parametrize("policy", ["untrusted", "never"])
async def test_under_other_policies_no_model_is_asked(connect_stdio, provider, project, policy):
    """Observed."""
    plays(provider, ToolCall("exec_command", {"cmd": "echo hi"}), "done")
    client = await connect_stdio()
    thread = await client.start(cwd=str(project), **(REVIEWED | {"approval_policy": policy}))
    await client.begin(thread)
    await client.next(TURN_COMPLETED)

    assert not reviews(provider)


@pytest.mark.parametrize("connect", ["ws://127.0.0.1:0"], indirect=True)
async def test_every_subscriber_hears_the_same_in_the_same_order(connect, provider, project):
    """Ours: one stream per thread."""
    client = await connect()
    thread = await client.start(cwd=str(project), **REVIEWED)
    plays(provider, "Hello.", escalated("touch a"), verdict("deny"))
    plays(provider, escalated("touch b"), verdict("allow"), "done")
    await client.begin(thread)
    await client.next(TURN_COMPLETED)
    other = await connect()
    await other.call(THREAD_RESUME, ThreadResumeParams(thread_id=thread.id))
    begin = len(client.heard)
    await client.begin(thread)
    await client.next(TURN_COMPLETED)
    await other.next(TURN_COMPLETED)

    rows = (AUTO_APPROVAL_REVIEW_STARTED, AUTO_APPROVAL_REVIEW_COMPLETED, GUARDIAN_WARNING)
    names = {row.name for row in (*rows, ITEM_STARTED, ITEM_COMPLETED)}
    first = [heard for heard in client.heard[begin:] if heard.method in names]
    second = [heard for heard in other.heard if heard.method in names]
    assert [(h.method, h.params) for h in first] == [(h.method, h.params) for h in second]
    assert len([h for h in first if h.method == GUARDIAN_WARNING.name]) == 2
