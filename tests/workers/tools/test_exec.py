"""exec_command and write_stdin as a client and a model see them; real processes."""

import re
import signal

import pytest
import trio

from protocol.item import CommandExecution, UnknownAction
from protocol.policy import ExternalSandbox, ReadOnly, WorkspaceWrite
from sandbox import Launch
from workers.approval.verdict import Verdict
from workers.process import LIVE
from workers.shells import shell
from workers.tools import Call, ToolFailure, TurnAborted
from workers.tools.exec import EXEC_COMMAND, WRITE_STDIN

REPORT = re.compile(
    r"Chunk ID: [0-9a-f]{6}\nWall time: \d+\.\d{4} seconds\n(?P<state>.*)\n"
    r"Original token count: (?P<tokens>\d+)\nOutput:\n(?P<output>.*)",
    re.DOTALL,
)


def read(report):
    found = REPORT.fullmatch(report)
    assert found, report
    return found["state"], found["output"]


def session_of(report):
    return int(re.search(r"session ID (\d+)", report)[1])


async def test_a_short_command_returns_its_output_and_is_one_item(turn):
    """Observed: the item of exec_command, started and completed."""
    with trio.fail_after(5):
        report = await turn.call(EXEC_COMMAND, cmd="echo hello")
    assert read(report) == ("Process exited with code 0", "hello\n")
    [started], [completed] = turn.items("started"), turn.items("completed")
    item = CommandExecution(
        command=f"{shell(None)} -lc 'echo hello'",
        command_actions=[UnknownAction("echo hello")],
        cwd=turn.cwd,
        id="call_1",
        status="inProgress",
        process_id=started.process_id,
        source="unifiedExecStartup",
    )
    assert started == item
    item.status, item.aggregated_output, item.exit_code = "completed", "hello\n", 0
    item.duration_ms = completed.duration_ms
    assert completed == item
    assert turn.output() == "hello\n"
    assert turn.heard[0][0] == "started"
    assert turn.heard[-1][0] == "completed"
    assert len(turn.sessions) == 0


async def test_a_failed_command_keeps_both_streams_in_order(turn):
    """Ours: the reference server loses what a command writes in its first moments."""
    with trio.fail_after(5):
        report = await turn.call(EXEC_COMMAND, cmd="echo out; echo err >&2; exit 3")
    assert read(report) == ("Process exited with code 3", "out\nerr\n")
    [completed] = turn.items("completed")
    assert (completed.status, completed.exit_code) == ("failed", 3)
    assert completed.aggregated_output == turn.output() == "out\nerr\n"


async def test_no_output_is_null(turn):
    """Observed: aggregatedOutput of a silent command."""
    with trio.fail_after(5):
        await turn.call(EXEC_COMMAND, cmd="true")
    assert turn.items("completed")[0].aggregated_output is None


async def test_workdir_login_and_shell_are_heeded(turn):
    """Observed: workdir is relative to the turn's cwd, login false gives -c."""
    turn.make("sub")
    with trio.fail_after(5):
        report = await turn.call(
            EXEC_COMMAND, cmd="pwd; echo $0", workdir="sub", login=False, shell="/bin/sh"
        )
    assert read(report)[1] == f"{turn.cwd}/sub\n/bin/sh\n"
    [item] = turn.items("completed")
    assert item.command == "/bin/sh -c 'pwd; echo $0'"
    assert item.cwd == f"{turn.cwd}/sub"


async def test_a_command_sees_plain_text_variables_and_its_thread(turn):
    """Observed: no colours, no pagers, and CODEX_THREAD_ID."""
    with trio.fail_after(5):
        report = await turn.call(
            EXEC_COMMAND, cmd="echo $TERM $NO_COLOR $GIT_PAGER $CODEX_THREAD_ID", login=False
        )
    assert read(report)[1] == "dumb 1 cat thread\n"


async def test_a_long_command_becomes_a_session_and_completes_later(turn):
    """Observed: the item completes on its own time, after the call has returned."""
    with trio.fail_after(5):
        report = await turn.call(
            EXEC_COMMAND,
            cmd="echo a; while [ ! -e go ]; do sleep 0.02; done; echo b",
            yield_time_ms=250,
        )
        state, output = read(report)
        assert state.startswith("Process running with session ID ")
        assert output == "a\n"
        assert turn.items("completed") == []
        turn.make("go")
        report = await turn.call(WRITE_STDIN, session_id=session_of(report), yield_time_ms=250)
    assert read(report) == ("Process exited with code 0", "b\n")
    assert [item.aggregated_output for item in turn.items("completed")] == ["a\nb\n"]


async def test_a_session_on_a_terminal_can_be_typed_to(turn):
    """Observed: write_stdin, and the terminalInteraction that clients hear."""
    with trio.fail_after(5):
        report = await turn.call(
            EXEC_COMMAND, cmd="read line; echo got:$line", tty=True, yield_time_ms=250
        )
        number = session_of(report)
        report = await turn.call(WRITE_STDIN, session_id=number, chars="hi\n", yield_time_ms=5000)
    assert read(report) == ("Process exited with code 0", "hi\r\ngot:hi\r\n")
    [typed] = turn.items("item/commandExecution/terminalInteraction")
    assert (typed.item_id, typed.process_id, typed.stdin) == ("call_1", str(number), "hi\n")


async def test_a_session_without_a_terminal_takes_no_input(turn):
    """Observed: the call fails, the command runs on."""
    with trio.fail_after(5):
        report = await turn.call(EXEC_COMMAND, cmd="sleep 60", yield_time_ms=250)
        with pytest.raises(ToolFailure, match="tty=true"):
            await turn.call(WRITE_STDIN, session_id=session_of(report), chars="x")
        assert len(turn.sessions) == 1
        await turn.sessions.aclose()


async def test_an_unknown_session_is_named(turn):
    """Observed: the text of the failure."""
    with pytest.raises(ToolFailure, match=r"^write_stdin failed: Unknown process id 4242$"):
        await turn.call(WRITE_STDIN, session_id=4242, chars="x")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not json", "JSON"),
        ('{"command":"echo x"}', "missing field `cmd`"),
        ('{"cmd":5}', r"\$\.cmd"),
        ('{"cmd":"x","sandbox_permissions":"wild"}', r"\$\.sandbox_permissions"),
        ('{"cmd":"x","max_output_tokens":-1}', r"\$\.max_output_tokens"),
    ],
)
async def test_bad_arguments_are_explained_and_nothing_runs(turn, text, said):
    """Observed: the words before the colon."""
    with pytest.raises(ToolFailure, match=f"^failed to parse function arguments: .*{said}"):
        await EXEC_COMMAND.serve(turn, Call("call_1", "exec_command", text))
    assert turn.heard == []


async def test_a_question_shows_the_item_first_without_a_process(turn):
    """Observed: source `agent` and no processId while the user is asked; one item/started."""
    turn.verdict = Verdict(allowed=True, asked=True)
    with trio.fail_after(5):
        await turn.call(EXEC_COMMAND, cmd="true")
    assert [name for name, _ in turn.heard] == ["started", "asked", "completed"]
    [started], [completed] = turn.items("started"), turn.items("completed")
    assert (started.source, started.process_id) == ("agent", None)
    assert completed.source == "unifiedExecStartup"
    assert completed.process_id is not None


async def test_a_declined_command_does_not_run(turn):
    """Observed: the item is declined, with neither exit code nor duration."""
    turn.verdict = Verdict(allowed=False, asked=True, message="rejected by user")
    with pytest.raises(ToolFailure, match="rejected by user"):
        await turn.call(EXEC_COMMAND, cmd="touch made")
    [completed] = turn.items("completed")
    assert (completed.status, completed.source) == ("declined", "agent")
    assert (completed.exit_code, completed.duration_ms) == (None, None)
    assert not turn.has("made")


async def test_cancelling_declines_the_command_and_ends_the_turn(turn):
    """Observed: `cancel` completes the item before the turn ends."""
    turn.verdict = TurnAborted()
    with pytest.raises(TurnAborted):
        await turn.call(EXEC_COMMAND, cmd="touch made")
    assert [item.status for item in turn.items("completed")] == ["declined"]


async def test_what_is_refused_without_a_question_is_no_item(turn):
    """Observed: a forbidden command is only told to the model."""
    turn.verdict = Verdict(allowed=False, message="no")
    with pytest.raises(ToolFailure, match="no"):
        await turn.call(EXEC_COMMAND, cmd="touch made")
    assert turn.heard == []


@pytest.mark.usefixtures("no_sandbox")
@pytest.mark.parametrize("policy", [ReadOnly(), WorkspaceWrite()])
async def test_a_policy_that_cannot_be_enforced_is_never_weakened(turn, policy):
    """Ours: nothing that asks for a sandbox runs without one."""
    turn.policy = policy
    with pytest.raises(ToolFailure, match="cannot enforce"):
        await turn.call(EXEC_COMMAND, cmd="touch made")
    [completed] = turn.items("completed")
    assert completed.status == "failed"
    assert "Install one." in completed.aggregated_output
    assert not turn.has("made")


async def test_what_the_sandbox_stops_runs_again_as_the_same_session(stingy):
    """Observed for shell_command: one item, the output of the second run only."""
    stingy.second = Verdict(allowed=True, sandboxed=False)
    with trio.fail_after(5):
        report = await stingy.call(EXEC_COMMAND, cmd="touch made; echo done")
    assert read(report) == ("Process exited with code 0", "done\n")
    assert stingy.has("made")
    [started], [completed] = stingy.items("started"), stingy.items("completed")
    assert (completed.status, completed.aggregated_output) == ("completed", "done\n")
    assert completed.process_id == started.process_id
    assert len(stingy.sessions) == 0


@pytest.mark.parametrize("second", [Verdict(allowed=False, message="no"), TurnAborted()])
async def test_a_declined_second_run_leaves_no_session(stingy, second):
    """Ours."""
    stingy.second = second
    with trio.fail_after(5), pytest.raises((ToolFailure, TurnAborted)):
        await stingy.call(EXEC_COMMAND, cmd="touch made")
    assert [item.status for item in stingy.items("completed")] == ["declined"]
    assert len(stingy.sessions) == 0
    assert not stingy.has("made")


async def test_a_failure_that_nobody_is_asked_about_is_told(stingy):
    """Observed: a sandboxed command that fails under on-failure, and no answer to be had."""
    with trio.fail_after(5):
        report = await stingy.call(EXEC_COMMAND, cmd="touch made")
    assert read(report)[0] == "Process exited with code 1"
    [completed] = stingy.items("completed")
    assert (completed.status, completed.exit_code) == ("failed", 1)


async def test_what_outlives_its_call_is_not_asked_about(stingy, monkeypatch):
    """Ours: the turn may be over by then; the end is told by the session."""
    slow = "while [ ! -e go ]; do sleep 0.02; done; echo Read-only file system; exit 1"
    monkeypatch.setattr(
        "workers.tools.running.plan",
        lambda _policy, _argv, cwd, env, *_, **_project: Launch(["sh", "-c", slow], cwd, env),
    )
    stingy.second = Verdict(allowed=True, sandboxed=False)
    with trio.fail_after(5):
        report = await stingy.call(EXEC_COMMAND, cmd="x", yield_time_ms=250)
        stingy.make("go")
        await stingy.call(WRITE_STDIN, session_id=session_of(report), yield_time_ms=250)
    assert [item.status for item in stingy.items("completed")] == ["failed"]
    assert stingy.reasons == []


async def test_a_command_allowed_outside_the_sandbox_runs_without_it(turn):
    """Observed: an accepted escalation."""
    turn.policy = ReadOnly()
    turn.approval_policy = "on-request"
    turn.verdict = Verdict(allowed=True, sandboxed=False, asked=True)
    with trio.fail_after(5):
        await turn.call(EXEC_COMMAND, cmd="touch made", sandbox_permissions="require_escalated")
    assert turn.requests[0].escalated
    assert turn.has("made")


async def test_an_outer_sandbox_is_named_to_the_command(turn):
    """Observed: restricted network sets the variable and nothing else."""
    turn.policy = ExternalSandbox()
    with trio.fail_after(5):
        report = await turn.call(EXEC_COMMAND, cmd="echo $CODEX_SANDBOX_NETWORK_DISABLED")
    assert read(report)[1] == "1\n"


async def test_a_missing_workdir_is_named(turn):
    """Ours: the reference server shows no item and an errno."""
    with pytest.raises(ToolFailure, match=r"the working directory .*/nope does not exist"):
        await turn.call(EXEC_COMMAND, cmd="pwd", workdir="nope")
    assert turn.items("completed")[0].status == "failed"


async def test_interrupting_the_call_kills_its_command_and_says_no_more(turn):
    """Ours: the reference server leaves such a command running; neither completes the item."""
    with trio.fail_after(5):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:

                async def call():
                    await turn.call(EXEC_COMMAND, cmd="echo ready; sleep 60")

                nursery.start_soon(call)
                await turn.until_output("ready")
                [process] = LIVE
                scope.cancel()
        await process.wait()
    assert process.killed_by == signal.SIGTERM
    assert turn.items("completed") == []
    assert len(turn.sessions) == 0


async def test_an_interrupted_poll_leaves_the_session_running(turn):
    """Observed: a session outlives the turn."""
    with trio.fail_after(5):
        report = await turn.call(EXEC_COMMAND, cmd="sleep 60", yield_time_ms=250)
        with trio.move_on_after(0.05):
            await turn.call(WRITE_STDIN, session_id=session_of(report))
        assert len(turn.sessions) == 1
        await turn.sessions.aclose()


async def test_long_output_is_cut_in_the_middle(turn):
    """Observed: both ends, the count of lines, the count of tokens left out."""
    with trio.fail_after(5):
        report = await turn.call(EXEC_COMMAND, cmd="seq 1 100", max_output_tokens=10)
    assert read(report)[1] == (
        "Total output lines: 100\n\n"
        "1\n2\n3\n4\n5\n6\n7\n8\n9\n10…63 tokens truncated…\n95\n96\n97\n98\n99\n100\n"
    )
    assert "Original token count: 73\n" in report


async def test_a_patch_given_to_the_shell_changes_files_and_is_no_command(turn, monkeypatch):
    """Observed: apply_patch with a here-document."""
    asked = []

    async def serve_patch(turn, subject, text, **how):
        asked.append((subject.call_id, text, how))
        return "patched"

    monkeypatch.setattr("workers.tools.exec.serve_patch", serve_patch)
    script = "apply_patch <<'EOF'\n*** Begin Patch\n*** End Patch\nEOF\n"
    assert await turn.call(EXEC_COMMAND, cmd=script, workdir="sub") == "patched"
    how = {"cwd": f"{turn.cwd}/sub", "through": "exec_command"}
    assert asked == [("call_1", "*** Begin Patch\n*** End Patch\n", how)]
    assert turn.heard == []
