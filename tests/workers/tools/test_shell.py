"""shell_command, shell and local_shell as a client and a model see them; real processes."""

import re

import pytest
import trio

from protocol.item import CommandExecution, UnknownAction
from protocol.policy import ReadOnly
from workers.approval.verdict import Verdict
from workers.process import LIVE
from workers.shells import shell
from workers.tools import ToolFailure, TurnAborted
from workers.tools.shell import LOCAL_SHELL, SHELL, SHELL_COMMAND


async def test_a_script_is_run_to_its_end_and_is_one_item(turn):
    """Observed: source `agent`, no processId."""
    with trio.fail_after(5):
        report = await turn.call(SHELL_COMMAND, command="echo hello")
    assert re.fullmatch(r"Exit code: 0\nWall time: [0-9.]+ seconds\nOutput:\nhello\n", report)
    [started], [completed] = turn.items("started"), turn.items("completed")
    item = CommandExecution(
        command=f"{shell(None)} -lc 'echo hello'",
        command_actions=[UnknownAction("echo hello")],
        cwd=turn.cwd,
        id="call_1",
        status="inProgress",
    )
    assert started == item
    item.status, item.aggregated_output, item.exit_code = "completed", "hello\n", 0
    item.duration_ms = completed.duration_ms
    assert completed == item
    assert turn.output() == "hello\n"


async def test_words_are_run_without_a_shell(turn):
    """Observed: the `shell` tool."""
    with trio.fail_after(5):
        report = await turn.call(SHELL, command=["echo", "a  b"])
    assert report.endswith("Output:\na  b\n")
    assert turn.items("started")[0].command == "echo 'a  b'"


async def test_a_local_shell_call_is_run_where_and_with_what_it_says(turn):
    """Observed: the action of a local_shell_call."""
    turn.make("sub")
    words = ["sh", "-c", "pwd; echo $X"]
    with trio.fail_after(5):
        report = await turn.call(
            LOCAL_SHELL,
            type="exec",
            command=words,
            working_directory="sub",
            env={"X": "y"},
            timeout_ms=None,
            user=None,
        )
    assert report.endswith(f"Output:\n{turn.cwd}/sub\ny\n")


async def test_a_command_that_takes_too_long_is_killed(turn):
    """Observed: exit code 124, what was written so far, the whole group gone."""
    with trio.fail_after(5):
        report = await turn.call(SHELL_COMMAND, command="echo a; sleep 60", timeout_ms=200)
    found = re.fullmatch(
        r"Exit code: 124\nWall time: .*\nOutput:\ncommand timed out after \d+ milliseconds\na\n",
        report,
    )
    assert found, report
    [completed] = turn.items("completed")
    assert (completed.status, completed.exit_code) == ("failed", 124)
    assert completed.aggregated_output == "a\n"
    assert not LIVE


async def test_death_by_signal_is_told_as_shells_do(turn):
    """Ours: the reference server gives the name of an internal error."""
    with trio.fail_after(5):
        report = await turn.call(SHELL_COMMAND, command="kill -KILL $$")
    assert report.startswith("Exit code: 137\n")


async def test_a_grandchild_in_the_background_delays_nothing(turn):
    """Ours: the reference server waits two seconds more, and loses the output."""
    with trio.fail_after(5):
        report = await turn.call(SHELL_COMMAND, command="sleep 5 & echo hi", timeout_ms=4000)
    assert report.endswith("Output:\nhi\n")


async def test_interrupting_kills_the_command_and_says_no_more(turn):
    """Observed: no item/completed for a command whose turn is interrupted."""
    with trio.fail_after(5), trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:

            async def call():
                await turn.call(SHELL_COMMAND, command="echo ready; sleep 60")

            nursery.start_soon(call)
            await turn.until_output("ready")
            scope.cancel()
    assert not LIVE
    assert turn.items("completed") == []


async def test_a_declined_command_is_completed_twice(turn):
    """Observed: once bare, once with the refusal for its output."""
    turn.verdict = Verdict(allowed=False, asked=True, message="rejected by user")
    with pytest.raises(ToolFailure, match=r"^exec command rejected by user$"):
        await turn.call(SHELL_COMMAND, command="touch made")
    first, second = turn.items("completed")
    assert (first.status, first.aggregated_output, first.exit_code) == ("declined", None, None)
    assert (second.status, second.exit_code) == ("declined", -1)
    assert second.aggregated_output == "exec command rejected by user"
    assert not turn.has("made")


async def test_a_question_that_fails_is_a_declined_command_in_the_end(turn):
    """Observed: the bare item failed, the one with the refusal is declined."""
    turn.verdict = Verdict(allowed=False, asked=True, status="failed", message="rejected by user")
    with pytest.raises(ToolFailure):
        await turn.call(SHELL_COMMAND, command="touch made")
    assert [item.status for item in turn.items("completed")] == ["failed", "declined"]


async def test_a_forbidden_command_is_shown_as_declined(turn):
    """Observed: of the tools that run a command to its end, though nobody was asked."""
    turn.verdict = Verdict(allowed=False, message="`touch made` rejected: no")
    with pytest.raises(ToolFailure, match=r"^`touch made` rejected: no$"):
        await turn.call(SHELL_COMMAND, command="touch made")
    (shown,), (done,) = turn.items("started"), turn.items("completed")
    assert shown.status == "inProgress"
    assert (done.status, done.exit_code) == ("declined", -1)
    assert done.aggregated_output == "`touch made` rejected: no"


async def test_cancelling_declines_the_command_and_ends_the_turn(turn):
    """Observed: one item/completed, then the turn's end."""
    turn.verdict = TurnAborted()
    with pytest.raises(TurnAborted):
        await turn.call(SHELL_COMMAND, command="touch made")
    assert [item.status for item in turn.items("completed")] == ["declined"]


async def test_no_words_are_no_command(turn):
    """Observed: the text."""
    with pytest.raises(ToolFailure, match="command args are empty"):
        await turn.call(SHELL, command=[])
    assert turn.heard == []


@pytest.mark.parametrize("words", [["/no/such/program"], ["echo", "a\0b"]])
async def test_what_cannot_be_started_fails_as_an_item(turn, words):
    """Observed: failed, -1, the reason as output."""
    with pytest.raises(ToolFailure, match="cannot start"):
        await turn.call(SHELL, command=words)
    [completed] = turn.items("completed")
    assert (completed.status, completed.exit_code) == ("failed", -1)
    assert completed.aggregated_output.startswith(f"cannot start {words[0]}: ")


@pytest.mark.usefixtures("no_sandbox")
async def test_a_policy_that_cannot_be_enforced_is_never_weakened(turn):
    """Ours: nothing that asks for a sandbox runs without one."""
    turn.policy = ReadOnly()
    with pytest.raises(ToolFailure, match="cannot enforce the sandbox policy read-only"):
        await turn.call(SHELL_COMMAND, command="touch made")
    assert [item.status for item in turn.items("completed")] == ["failed"]
    assert not turn.has("made")


@pytest.mark.usefixtures("no_sandbox")
async def test_what_cannot_be_confined_runs_when_the_user_agrees(turn):
    """Ours: under on-failure the user is asked, and told that nothing has run."""
    turn.policy, turn.approval_policy = ReadOnly(), "on-failure"
    turn.second = Verdict(allowed=True, sandboxed=False)
    await turn.call(SHELL_COMMAND, command="touch made")
    assert turn.has("made")
    assert turn.reasons == ["the sandbox cannot be enforced on this host; run without it?"]
    assert [item.status for item in turn.items("completed")] == ["completed"]


@pytest.mark.usefixtures("no_sandbox")
async def test_what_cannot_be_confined_does_not_run_when_the_user_declines(turn):
    """Ours: as a declined second run."""
    turn.policy, turn.approval_policy = ReadOnly(), "on-failure"
    turn.second = Verdict(allowed=False, message="rejected by user")
    with pytest.raises(ToolFailure, match="exec command rejected by user"):
        await turn.call(SHELL_COMMAND, command="touch made")
    assert not turn.has("made")


@pytest.mark.usefixtures("no_sandbox")
async def test_under_on_request_the_model_is_told_how_to_ask(turn):
    """Observed: on-request leaves it to the model to ask."""
    turn.policy, turn.approval_policy = ReadOnly(), "on-request"
    with pytest.raises(ToolFailure, match="ask with sandbox_permissions `require_escalated`"):
        await turn.call(SHELL_COMMAND, command="touch made")


async def test_what_the_sandbox_stops_runs_again_when_the_user_agrees(stingy):
    """Observed: one item, the output of the second run only."""
    stingy.second = Verdict(allowed=True, sandboxed=False)
    with trio.fail_after(5):
        report = await stingy.call(SHELL_COMMAND, command="touch made; echo done")
    assert report.endswith("Output:\ndone\n")
    assert stingy.has("made")
    assert len(stingy.items("started")) == 1
    [completed] = stingy.items("completed")
    assert (completed.status, completed.aggregated_output) == ("completed", "done\n")
    assert "tried\n" in stingy.output()


async def test_a_declined_second_run_completes_the_item_twice(stingy):
    """Observed."""
    stingy.second = Verdict(allowed=False, message="rejected by user")
    with trio.fail_after(5), pytest.raises(ToolFailure, match="^exec command rejected by user$"):
        await stingy.call(SHELL_COMMAND, command="touch made")
    told = [(item.status, item.aggregated_output) for item in stingy.items("completed")]
    assert told == [("declined", None), ("declined", "exec command rejected by user")]
    assert not stingy.has("made")


async def test_cancel_at_the_second_run_ends_the_turn(stingy):
    """Observed: of any question about a command."""
    stingy.second = TurnAborted()
    with trio.fail_after(5), pytest.raises(TurnAborted):
        await stingy.call(SHELL_COMMAND, command="touch made")
    assert [item.status for item in stingy.items("completed")] == ["declined"]


@pytest.mark.parametrize("policy", ["never", "on-request"])
async def test_the_failure_stands_where_nobody_is_asked(stingy, policy):
    """Observed."""
    stingy.approval_policy, stingy.second = policy, Verdict(allowed=True, sandboxed=False)
    with trio.fail_after(5):
        report = await stingy.call(SHELL_COMMAND, command="touch made")
    assert report.startswith("Exit code: 1\n")
    assert stingy.reasons == []


async def test_a_failure_in_no_sandbox_is_no_refusal(turn):
    """Ours: there is nothing to leave."""
    turn.approval_policy, turn.second = "on-failure", Verdict(allowed=True, sandboxed=False)
    script = "echo 'Permission denied' >&2; exit 1"
    assert (await turn.call(SHELL_COMMAND, command=script)).startswith("Exit code: 1\n")
    assert turn.reasons == []


@pytest.mark.parametrize(
    ("wanted", "used"),
    [("/bin/sh", "/bin/sh"), ("python3", "/bin/sh"), ("/no/such/thing", "/bin/sh")],
)
def test_only_shells_are_used_as_shells(wanted, used):
    """Observed: anything else becomes /bin/sh."""
    assert shell(wanted) == used


def test_a_user_without_a_name_gets_bash_or_the_plain_shell(monkeypatch):
    """Ours: containers run as numbers."""
    monkeypatch.setattr("os.getuid", lambda: 2**31 - 7)
    assert shell(None).rpartition("/")[2] in {"bash", "sh"}
