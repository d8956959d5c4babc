"""`thread/shellCommand`: the user's own commands, beside the model and in turns of their own."""

import pytest
import trio

from protocol.errors import RpcError
from protocol.item import CommandExecution
from protocol.maintenance import ThreadShellCommandParams
from protocol.methods import (
    ITEM_COMPLETED,
    ITEM_STARTED,
    THREAD_SHELL_COMMAND,
    TURN_COMPLETED,
    TURN_INTERRUPT,
    TURN_STARTED,
)
from protocol.turn import TurnInterruptParams


def is_command(params):
    return isinstance(params.item, CommandExecution)


def texts(request):
    return [part["text"] for item in request["input"] for part in item.get("content", [])]


async def test_while_the_thread_is_idle_it_is_a_turn_of_its_own(connect, provider, project):
    """Observed: the model is told in the next turn, ahead of its context."""
    client = await connect()
    thread = await client.start(cwd=str(project), approval_policy="untrusted", sandbox="read-only")
    await client.call(
        THREAD_SHELL_COMMAND, ThreadShellCommandParams("echo hi; touch made", thread.id)
    )
    item = (await client.next(ITEM_COMPLETED, is_command)).item
    assert (await client.next(TURN_COMPLETED)).turn.status == "completed"
    await client.begin(thread, "What did I run?")
    await client.next(TURN_COMPLETED)

    assert (item.source, item.status, item.exit_code) == ("userShell", "completed", 0)
    assert item.aggregated_output == "hi\n"
    assert (project / "made").exists()
    (request,) = provider.requests
    assert texts(request)[0].startswith("<user_shell_command>\n<command>\necho hi; touch made\n")


async def test_while_a_turn_runs_it_belongs_to_that_turn(connect, provider, project):
    """Observed: the model gets another request, which tells it the outcome."""
    gate = trio.Event()
    provider.says("Slow.", gate)
    provider.says("Seen.")
    client = await connect()
    thread = await client.start(cwd=str(project))
    turn = await client.begin(thread)
    await client.next(ITEM_STARTED, lambda params: params.item.id.startswith("msg"))
    await client.call(THREAD_SHELL_COMMAND, ThreadShellCommandParams("exit 4", thread.id))
    ran = await client.next(ITEM_COMPLETED, is_command)
    gate.set()
    assert (await client.next(TURN_COMPLETED)).turn.id == turn.id

    assert (ran.turn_id, ran.item.status, ran.item.exit_code) == (turn.id, "failed", 4)
    assert "Exit code: 4" in texts(provider.requests[1])[-1]


async def test_the_turn_it_runs_in_waits_for_it(connect, provider, project):
    """Ours: nothing of a turn comes after `turn/completed`."""
    gate = trio.Event()
    provider.says("Soon done.", gate)
    client = await connect()
    thread = await client.start(cwd=str(project))
    await client.begin(thread)
    wait = "until [ -e go ]; do sleep 0.05; done"
    await client.call(THREAD_SHELL_COMMAND, ThreadShellCommandParams(wait, thread.id))
    await client.next(ITEM_STARTED, is_command)
    gate.set()
    await client.next(ITEM_COMPLETED, lambda params: params.item.id.startswith("msg"))
    (project / "go").touch()
    await client.next(TURN_COMPLETED)

    assert (await client.next(ITEM_COMPLETED, is_command)).item.status == "completed"
    assert client.methods[-1] == "turn/completed"


async def test_an_interrupt_ends_it(connect, project):
    """Observed: the item fails with exit code -1; the turn is interrupted."""
    client = await connect()
    thread = await client.start(cwd=str(project))
    await client.call(THREAD_SHELL_COMMAND, ThreadShellCommandParams("sleep 60", thread.id))
    turn = (await client.next(TURN_STARTED)).turn
    await client.next(ITEM_STARTED, is_command)
    await client.call(TURN_INTERRUPT, TurnInterruptParams(thread.id, turn.id))
    item = (await client.next(ITEM_COMPLETED, is_command)).item

    assert (item.status, item.exit_code) == ("failed", -1)
    assert item.aggregated_output == "command aborted by user"
    assert (await client.next(TURN_COMPLETED)).turn.status == "interrupted"


async def test_what_is_said_meanwhile_begins_the_next_turn(connect, provider, project):
    """Ours: such a turn has no model that could answer; the input is not lost."""
    provider.says("Heard.")
    client = await connect()
    thread = await client.start(cwd=str(project))
    wait = "until [ -e go ]; do sleep 0.05; done"
    await client.call(THREAD_SHELL_COMMAND, ThreadShellCommandParams(wait, thread.id))
    await client.next(ITEM_STARTED, is_command)
    await client.begin(thread, "Are you there?")
    (project / "go").touch()
    await client.next(TURN_COMPLETED)
    await client.next(TURN_COMPLETED)

    assert texts(provider.requests[0])[-1] == "Are you there?"


async def test_a_command_of_blanks_is_refused(connect_stdio, project):
    """Observed: the text."""
    client = await connect_stdio()
    thread = await client.start(cwd=str(project))
    with pytest.raises(RpcError, match="^command must not be empty$"):
        await client.call(THREAD_SHELL_COMMAND, ThreadShellCommandParams("  ", thread.id))


async def test_an_interrupt_without_a_turn_s_id_is_no_error_while_nothing_runs(
    connect_stdio, project
):
    """Observed: so the terminal UI leaves a side conversation."""
    client = await connect_stdio()
    thread = await client.start(cwd=str(project))
    await client.call(TURN_INTERRUPT, TurnInterruptParams(thread.id, ""))
