"""Wider sandboxes: what is asked, what an answer is worth, and what commands can do then."""

import pytest

from protocol.approval import (
    AmendingDecision,
    CommandExecutionRequestApprovalResponse,
    ExecpolicyAmendment,
)
from protocol.item import CommandExecution
from protocol.loading import ThreadResumeParams
from protocol.methods import (
    COMMAND_APPROVAL,
    ITEM_COMPLETED,
    PERMISSIONS_APPROVAL,
    SERVER_REQUEST_RESOLVED,
    THREAD_RESUME,
    TURN_COMPLETED,
    TURN_INTERRUPT,
    WARNING,
)
from protocol.permission import GrantedPermissionProfile, PermissionsRequestApprovalResponse
from protocol.turn import TurnInterruptParams
from sandbox.probe import Missing, host
from workers.scripted import ToolCall

ON = {"features.request_permissions_tool": True, "features.exec_permission_approvals": True}
OUT = {"file_system": {"write": ["out"]}}
ASK = ToolCall("request_permissions", {"reason": "to write", "permissions": OUT})
MEGABYTE = "j" * (1 << 20)

pytestmark = pytest.mark.skipif(isinstance(host(), Missing), reason="no sandbox on this host")


def run(cmd, **more):
    return ToolCall("exec_command", {"cmd": cmd, **more})


def wider(cmd, permissions=OUT):
    kind = "with_additional_permissions"
    return run(cmd, sandbox_permissions=kind, additional_permissions=permissions)


def plays(provider, *steps):
    """One response each."""
    for step in steps:
        provider.says(step)


def command(params):
    return isinstance(params.item, CommandExecution)


@pytest.fixture
def work(project):
    (project / "out").mkdir()
    return project


async def started(connect, work, **more):
    client = await connect()
    settings = {"approval_policy": "on-request", "sandbox": "read-only", "config": ON} | more
    return client, await client.start(cwd=str(work), **settings)


async def ended(client):
    return (await client.next(ITEM_COMPLETED, command)).item


def granting(asked, **more):
    permissions = GrantedPermissionProfile(
        file_system=asked.permissions.file_system, network=asked.permissions.network
    )
    return PermissionsRequestApprovalResponse(permissions, **more)


@pytest.mark.parametrize(("scope", "second"), [("turn", "failed"), ("session", "completed")])
async def test_what_is_granted_holds_for_its_scope_and_no_more(
    connect, provider, work, scope, second
):
    """Observed: later commands have it by themselves, and nothing beside it."""
    plays(provider, ASK, run("echo 1 > out/a"), run("echo 1 > b"), "Done.", run("echo 1 > out/c"))
    client, thread = await started(connect, work)
    await client.begin(thread)
    id, asked = await client.question(PERMISSIONS_APPROVAL)
    assert asked.permissions.file_system.write == [str(work / "out")]
    await client.answer(id, granting(asked, scope=scope))

    assert [(await ended(client)).status for _ in range(2)] == ["completed", "failed"]
    await client.next(TURN_COMPLETED)
    await client.begin(thread)
    assert (await ended(client)).status == second
    await client.next(TURN_COMPLETED)
    assert (work / "out" / "a").exists()
    assert not (work / "b").exists()


async def test_one_command_can_have_a_wider_sandbox(connect_ws, provider, work):
    """Observed: the question shows what it is; the next command has it no more."""
    plays(provider, wider("echo 1 > out/a; echo 1 > b"), run("echo 1 > out/c"))
    client, thread = await started(connect_ws, work)
    await client.begin(thread)
    id, asked = await client.question(COMMAND_APPROVAL)
    assert asked.additional_permissions.file_system.write == [str(work / "out")]
    assert asked.available_decisions == ["accept", "cancel"]
    await client.answer(id, CommandExecutionRequestApprovalResponse(decision="accept"))
    await client.next(TURN_COMPLETED)

    assert (work / "out" / "a").exists()
    assert not (work / "b").exists()
    assert not (work / "out" / "c").exists()


async def test_a_safe_command_gets_nothing_that_nobody_agreed_to(
    connect_ws, provider, work, tmp_path
):
    """Ours: it runs unasked as ever; the reference gives it what it wants, here a hidden file."""
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "key").write_text("secret")
    profile = {":root": "read", str(tmp_path / "hidden"): "none"}
    more = {"default_permissions": "p", "permissions": {"p": {"filesystem": profile}}}
    hidden = {"file_system": {"read": [str(tmp_path / "hidden")]}}
    provider.says(wider(f"cat {tmp_path}/hidden/key", hidden))
    client, thread = await started(connect_ws, work, sandbox=None, config=ON | more)
    await client.begin(thread)

    item = await ended(client)
    assert item.status == "failed"
    assert "secret" not in (item.aggregated_output or "")
    await client.next(TURN_COMPLETED)


@pytest.mark.parametrize(
    "answer",
    [
        b'{"permissions":{"fileSystem":{"write":["/"]}}}',
        b'{"permissions":{"fileSystem":{"write":["out"]}}}',
        b'{"permissions":{},"scope":"ever"}',
        b'{"decision":"accept"}',
        b"null",
        b"7",
    ],
)
async def test_an_answer_that_is_none_grants_nothing(connect_ws, provider, work, answer):
    """Observed: too much, another shape, nonsense; the turn goes on."""
    plays(provider, ASK, run("echo 1 > out/a"))
    client, thread = await started(connect_ws, work)
    await client.begin(thread)
    id, _ = await client.question(PERMISSIONS_APPROVAL)
    await client.send(b'{"id":%d,"result":%b}' % (id, answer))

    assert (await client.next(TURN_COMPLETED)).turn.status == "completed"
    assert not (work / "out" / "a").exists()


async def test_a_second_answer_changes_nothing(connect_ws, provider, work):
    """Observed: the first one counts."""
    plays(provider, ASK, run("echo 1 > out/a"))
    client, thread = await started(connect_ws, work)
    await client.begin(thread)
    id, asked = await client.question(PERMISSIONS_APPROVAL)
    await client.answer(id, PermissionsRequestApprovalResponse(GrantedPermissionProfile()))
    await client.answer(id, granting(asked))
    await client.next(TURN_COMPLETED)

    assert not (work / "out" / "a").exists()


async def test_a_stranger_cannot_answer(connect_ws, provider, work):
    """Ours: only whoever was asked; the question stays open for them."""
    plays(provider, ASK, run("echo 1 > out/a"))
    client, thread = await started(connect_ws, work)
    stranger = await connect_ws()
    await client.begin(thread)
    id, asked = await client.question(PERMISSIONS_APPROVAL)
    await stranger.answer(id, granting(asked, scope="session"))
    await stranger.call(THREAD_RESUME, ThreadResumeParams(thread_id=thread.id))  # is behind it
    await stranger.question(PERMISSIONS_APPROVAL)
    assert not (work / "out" / "a").exists()
    await client.answer(id, PermissionsRequestApprovalResponse(GrantedPermissionProfile()))
    await client.next(TURN_COMPLETED)

    assert not (work / "out" / "a").exists()


async def test_an_interrupt_withdraws_the_question(connect_ws, provider, work):
    """Observed: `turn/completed`, then `serverRequest/resolved`."""
    provider.says(ASK)
    client, thread = await started(connect_ws, work)
    turn = await client.begin(thread)
    id, _ = await client.question(PERMISSIONS_APPROVAL)
    await client.call(TURN_INTERRUPT, TurnInterruptParams(thread_id=thread.id, turn_id=turn.id))

    assert (await client.next(TURN_COMPLETED)).turn.status == "interrupted"
    assert (await client.next(SERVER_REQUEST_RESOLVED)).request_id == id


async def test_a_long_justification_is_shown_whole(connect_ws, provider, work):
    """Observed: it is the user's to judge, and a megabyte hurts nobody."""
    leave = {"sandbox_permissions": "require_escalated", "justification": MEGABYTE}
    provider.says(run("echo 1 > a", **leave))
    client, thread = await started(connect_ws, work)
    await client.begin(thread)
    id, asked = await client.question(COMMAND_APPROVAL)
    assert asked.reason == MEGABYTE
    await client.answer(id, CommandExecutionRequestApprovalResponse(decision="decline"))
    await client.next(TURN_COMPLETED)

    assert not (work / "a").exists()


async def test_an_empty_amendment_runs_the_command_and_is_no_rule(connect_ws, provider, work, home):
    """Observed: ours is the warning."""
    provider.says(run("echo 1 > out/a"))
    client, thread = await started(connect_ws, work, approval_policy="untrusted", sandbox=None)
    await client.begin(thread)
    id, _ = await client.question(COMMAND_APPROVAL)
    decision = AmendingDecision(accept_with_execpolicy_amendment=ExecpolicyAmendment([]))
    await client.answer(id, CommandExecutionRequestApprovalResponse(decision=decision))
    warning = await client.next(WARNING, lambda told: "rule" in told.message)

    assert "cannot be empty" in warning.message
    await client.next(TURN_COMPLETED)
    assert (work / "out" / "a").exists()
    assert not (home / "rules").exists()


async def test_a_foreign_amendment_is_a_rule_for_what_it_names(connect_ws, provider, work, home):
    """Observed: it is the user's rule, whatever the command was."""
    plays(provider, run("touch out/a"), run("mkdir out/b"))
    client, thread = await started(connect_ws, work, approval_policy="untrusted", sandbox=None)
    await client.begin(thread)
    id, _ = await client.question(COMMAND_APPROVAL)
    decision = AmendingDecision(accept_with_execpolicy_amendment=ExecpolicyAmendment(["mkdir"]))
    await client.answer(id, CommandExecutionRequestApprovalResponse(decision=decision))
    await client.next(TURN_COMPLETED)

    assert (work / "out" / "b").exists()
    rules = (home / "rules" / "default.rules").read_text()
    assert rules == 'prefix_rule(pattern=["mkdir"], decision="allow")\n'
