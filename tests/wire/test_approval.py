"""Approvals: what is asked, who may answer, and what each answer does."""

import pytest

from protocol.approval import (
    CommandExecutionRequestApprovalResponse,
    FileChangeRequestApprovalResponse,
)
from protocol.item import CommandExecution, FileChange
from protocol.loading import ThreadResumeParams
from protocol.methods import (
    COMMAND_APPROVAL,
    CONFIG_WARNING,
    FILE_CHANGE_APPROVAL,
    ITEM_COMPLETED,
    SERVER_REQUEST_RESOLVED,
    THREAD_RESUME,
    THREAD_STATUS_CHANGED,
    TURN_COMPLETED,
    TURN_INTERRUPT,
)
from protocol.thread import ActiveStatus
from protocol.turn import TurnInterruptParams
from workers.scripted import Patch, ToolCall

PATCH = "*** Begin Patch\n*** Add File: new.txt\n+hello\n*** End Patch\n"
TOUCH = ToolCall("exec_command", {"cmd": "touch made"})


def of_kind(kind):
    return lambda params: isinstance(params.item, kind)


async def begun(client, project):
    thread = await client.start(cwd=str(project), approval_policy="untrusted")
    return thread, await client.begin(thread)


@pytest.mark.parametrize(
    ("decision", "status", "is_made"),
    [("accept", "completed", True), ("decline", "declined", False)],
)
async def test_a_command_runs_when_the_client_agrees(
    connect, provider, project, decision, status, is_made
):
    """Observed: under `untrusted` everything but reading is asked for."""
    provider.says(TOUCH)
    client = await connect()
    await begun(client, project)
    id, asked = await client.question(COMMAND_APPROVAL)
    assert "touch made" in (asked.command or "")
    assert not (project / "made").exists()
    await client.answer(id, CommandExecutionRequestApprovalResponse(decision=decision))
    item = (await client.next(ITEM_COMPLETED, of_kind(CommandExecution))).item

    assert (item.id, item.status) == (asked.item_id, status)
    assert (await client.next(TURN_COMPLETED)).turn.status == "completed"
    assert (project / "made").exists() == is_made


@pytest.mark.parametrize(
    ("decision", "status", "is_made"),
    [("accept", "completed", True), ("decline", "declined", False)],
)
async def test_a_patch_is_applied_when_the_client_agrees(
    connect, provider, project, decision, status, is_made
):
    """Observed: the change is told before the question."""
    provider.says(Patch(PATCH))
    client = await connect()
    await begun(client, project)
    id, asked = await client.question(FILE_CHANGE_APPROVAL)
    assert not (project / "new.txt").exists()
    await client.answer(id, FileChangeRequestApprovalResponse(decision=decision))
    item = (await client.next(ITEM_COMPLETED, of_kind(FileChange))).item

    assert (item.id, item.status) == (asked.item_id, status)
    assert (await client.next(TURN_COMPLETED)).turn.status == "completed"
    assert (project / "new.txt").exists() == is_made


async def test_cancel_interrupts_the_turn(connect, provider, project):
    """Observed: `cancel` declines and ends the turn."""
    provider.says(TOUCH)
    client = await connect()
    await begun(client, project)
    id, _ = await client.question(COMMAND_APPROVAL)
    await client.answer(id, CommandExecutionRequestApprovalResponse(decision="cancel"))

    assert (await client.next(TURN_COMPLETED)).turn.status == "interrupted"
    assert not (project / "made").exists()


async def test_once_for_the_session_is_enough(connect, provider, project):
    """Observed: the same command is not asked for again."""
    provider.says(TOUCH)
    provider.says(TOUCH)
    client = await connect()
    await begun(client, project)
    id, _ = await client.question(COMMAND_APPROVAL)
    await client.answer(id, CommandExecutionRequestApprovalResponse(decision="acceptForSession"))
    await client.next(TURN_COMPLETED)

    asked = [heard for heard in client.heard if heard.method == COMMAND_APPROVAL.name]
    assert len(asked) == 1


async def test_the_status_says_that_a_turn_waits_for_approval(connect, provider, project):
    """Observed: the flag `waitingOnApproval`."""
    provider.says(TOUCH)
    client = await connect()
    await begun(client, project)
    flags = ActiveStatus(active_flags=["waitingOnApproval"])
    await client.next(THREAD_STATUS_CHANGED, lambda p: p.status == flags)
    id, _ = await client.question(COMMAND_APPROVAL)
    await client.answer(id, CommandExecutionRequestApprovalResponse(decision="accept"))
    await client.next(TURN_COMPLETED)


@pytest.mark.parametrize("answer", [b'{"decision":"maybe"}', b"7", b"{}"])
async def test_an_answer_that_is_none_declines(connect, provider, project, answer):
    """Observed: a malformed decision counts as `decline`."""
    provider.says(TOUCH)
    client = await connect()
    await begun(client, project)
    id, _ = await client.question(COMMAND_APPROVAL)
    await client.send(b'{"id":%d,"result":%b}' % (id, answer))

    assert (await client.next(TURN_COMPLETED)).turn.status == "completed"
    assert not (project / "made").exists()


async def test_a_refusal_to_answer_declines(connect, provider, project):
    """Observed: a JSON-RPC error as the answer makes the item fail."""
    provider.says(TOUCH)
    client = await connect()
    await begun(client, project)
    id, _ = await client.question(COMMAND_APPROVAL)
    await client.refuse(id, "I do not know this")

    assert (await client.next(TURN_COMPLETED)).turn.status == "completed"
    assert not (project / "made").exists()


async def test_the_first_answer_of_two_clients_counts(connect_ws, provider, project):
    """Observed: all subscribers are asked, one that joins later too, and all hear the end of it."""
    provider.says("Hello")
    provider.says(Patch(PATCH))
    first, second = await connect_ws(), await connect_ws()
    thread = await first.start(cwd=str(project), approval_policy="untrusted")
    await first.begin(thread)
    await first.next(TURN_COMPLETED)
    await first.begin(thread)
    id, _ = await first.question(FILE_CHANGE_APPROVAL)
    await second.call(THREAD_RESUME, ThreadResumeParams(thread_id=thread.id))
    late, _ = await second.question(FILE_CHANGE_APPROVAL)
    await second.answer(late, FileChangeRequestApprovalResponse(decision="accept"))
    for client in (first, second):
        assert (await client.next(SERVER_REQUEST_RESOLVED)).request_id == id
    await first.answer(id, FileChangeRequestApprovalResponse(decision="decline"))

    assert (await first.next(ITEM_COMPLETED, of_kind(FileChange))).item.status == "completed"
    await second.next(TURN_COMPLETED)


async def test_an_interrupt_withdraws_the_question(connect, provider, project):
    """Observed: `turn/completed`, then `serverRequest/resolved`."""
    provider.says(TOUCH)
    client = await connect()
    thread, turn = await begun(client, project)
    id, _ = await client.question(COMMAND_APPROVAL)
    await client.call(TURN_INTERRUPT, TurnInterruptParams(thread_id=thread.id, turn_id=turn.id))

    assert (await client.next(TURN_COMPLETED)).turn.status == "interrupted"
    assert (await client.next(SERVER_REQUEST_RESOLVED)).request_id == id


async def test_rules_of_a_trusted_project_count(connect, provider, project, home):
    """Observed: `.codex/rules` of the project, once it is trusted."""
    (project / ".codex" / "rules").mkdir(parents=True)
    (project / ".codex" / "rules" / "x.rules").write_text(
        'prefix_rule(pattern=["touch"], decision="forbidden", justification="Not here.")\n'
    )
    with (home / "config.toml").open("a") as config:
        config.write(f'[projects."{project}"]\ntrust_level = "trusted"\n')
    provider.says(TOUCH)
    client = await connect()
    await begun(client, project)

    assert (await client.next(TURN_COMPLETED)).turn.status == "completed"
    assert not (project / "made").exists()
    assert COMMAND_APPROVAL.name not in client.methods


async def test_rules_that_cannot_be_read_are_told_with_their_place(connect, project, home):
    """Observed: the file, the line, and what the engine says."""
    (home / "rules").mkdir()
    file = home / "rules" / "x.rules"
    file.write_text('prefix_rule(pattern=["a"])\nfoo()\n')
    client = await connect()
    await client.start(cwd=str(project))

    told = await client.next(CONFIG_WARNING, lambda told: told.path == str(file))
    assert told.summary == "Error parsing rules; custom rules not applied."
    assert told.path == str(file)
    assert told.range.start.line == 2
    assert "Variable `foo` not found" in told.details
