"""The user overrules what a reviewing model has denied."""

import json

import pytest
import trio

from protocol.guardian import (
    ThreadApproveGuardianDeniedActionParams,
)
from protocol.loading import ThreadResumeParams
from protocol.methods import (
    AUTO_APPROVAL_REVIEW_COMPLETED,
    THREAD_APPROVE_GUARDIAN_DENIED_ACTION,
    THREAD_RESUME,
    TURN_COMPLETED,
)
from sandbox.probe import Missing, host
from tests.guarding import REVIEWED, asked, escalated, played, plays, reviews, told, verdict
from tests.reviewing import said

pytestmark = pytest.mark.skipif(isinstance(host(), Missing), reason="no sandbox on this host")


def overruled(done):
    """What a client sends back of a denial."""
    action = {"type": "command", "source": "unified_exec"}
    action |= {"command": done.action.command, "cwd": done.action.cwd}
    return {"id": done.review_id, "status": "denied", "action": action}


def overrule(client, thread, event):
    params = ThreadApproveGuardianDeniedActionParams(event, thread.id)
    return client.call(THREAD_APPROVE_GUARDIAN_DENIED_ACTION, params)


async def test_the_user_overrules_a_denial_and_the_reviewer_is_told(
    connect_stdio, provider, project
):
    """Observed: nothing runs by it; the model is told behind its next response, and may try again.

    Ours: the reviewer knows at once; the reference server has it judge one more without.
    """
    client, thread = await played(
        connect_stdio, project, provider, escalated("touch made"), verdict("deny"), "No."
    )
    (done,) = told(client, AUTO_APPROVAL_REVIEW_COMPLETED)
    await overrule(client, thread, overruled(done))
    plays(provider, escalated("touch made"), verdict("allow"), "Yes.")
    await client.begin(thread, "Again.")
    await client.next(TURN_COMPLETED)

    assert (project / "made").exists()
    _, second = reviews(provider)
    assert "developer: The user has looked at an action" in asked(second)
    assert ("developer", True) in [
        (role, "approves of it" in text) for role, text in said(provider.requests[-1])
    ]


async def test_an_approval_reaches_a_turn_that_would_be_over(connect_stdio, provider, project):
    """Observed: the model answers once more."""
    plays(provider, escalated("touch made"), verdict("deny"))
    gate = trio.Event()
    provider.says(gate, "No.")
    provider.says("I see.")
    client = await connect_stdio()
    thread = await client.start(cwd=str(project), **REVIEWED)
    await client.begin(thread)
    done = await client.next(AUTO_APPROVAL_REVIEW_COMPLETED)
    await overrule(client, thread, overruled(done))
    gate.set()
    await client.next(TURN_COMPLETED)

    assert len(provider.requests) == 4
    assert "approves of it" in said(provider.requests[-1])[-1][1]


async def test_an_approval_outlives_the_server(connect_stdio, provider, project):
    """Ours: what the user has decided is kept with the thread."""
    client, thread = await played(
        connect_stdio, project, provider, escalated("touch made"), verdict("deny"), "No."
    )
    (done,) = told(client, AUTO_APPROVAL_REVIEW_COMPLETED)
    await overrule(client, thread, overruled(done))
    await connect_stdio.restart()
    client = await connect_stdio()
    await client.call(THREAD_RESUME, ThreadResumeParams(thread_id=thread.id))
    await client.begin(thread)
    await client.next(TURN_COMPLETED)

    assert any("approves of it" in text for _, text in said(provider.requests[-1]))


ACTION = {"type": "command", "source": "shell", "command": "ls", "cwd": "/"}


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        ({}, "missing field `id`"),
        (None, "Expected `object`, got `null`"),
        ("x", "Expected `object`, got `str`"),
        ({"id": "1", "status": "denied"}, "missing field `action`"),
        ({"id": "1", "status": "timedOut", "action": ACTION}, "Invalid enum value 'timedOut'"),
        ({"id": "1", "status": "denied", "action": {"type": "x"}}, "Invalid value 'x'"),
        ({"id": "1", "status": "denied", "action": ACTION | {"source": "x"}}, "Invalid enum"),
        ({"id": "1", "status": "denied", "action": ACTION | {"cwd": "x"}}, "`x` is not absolute"),
    ],
)
async def test_an_event_that_is_none_is_refused(connect_stdio, project, event, problem):
    """Observed: the code, and how the message begins."""
    client = await connect_stdio()
    thread = await client.start(cwd=str(project), **REVIEWED)
    params = json.dumps({"threadId": thread.id, "event": event}).encode()
    answer = await client.answer_to(
        await sent(client, THREAD_APPROVE_GUARDIAN_DENIED_ACTION.name, params)
    )

    assert answer.error.code == -32600
    assert answer.error.message.startswith("invalid Guardian denial event: ")
    assert problem in answer.error.message


async def sent(client, method, params):
    message = b'{"id":900,"method":"%s","params":%s}' % (method.encode(), params)
    await client.send(message)
    return 900


@pytest.mark.parametrize("status", ["approved", "timed_out"])
async def test_only_a_denial_can_be_overruled(connect_stdio, provider, project, status):
    """Observed: anything else is passed over, without an error."""
    client = await connect_stdio()
    thread = await client.start(cwd=str(project), **REVIEWED)
    await overrule(client, thread, {"id": "1", "status": status, "action": ACTION})
    await client.begin(thread)
    await client.next(TURN_COMPLETED)

    assert len(provider.requests) == 1
