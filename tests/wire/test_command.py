"""`command/exec` through the whole server: what a client asks for, and what it must not break."""

import hashlib
from base64 import b64decode, b64encode

import msgspec
import psutil
import pytest

from protocol.command import (
    CommandExecParams,
    CommandExecResizeParams,
    CommandExecTerminateParams,
    TerminalSize,
)
from protocol.errors import RpcError
from protocol.methods import (
    COMMAND_EXEC,
    COMMAND_EXEC_OUTPUT_DELTA,
    COMMAND_EXEC_RESIZE,
    COMMAND_EXEC_TERMINATE,
)
from tests.commanding import begin, run, sh, terminate
from tests.server import gone

# ---- what it does


async def test_a_command_is_answered_with_its_exit_code_and_both_streams(connect):
    """Observed: output and errors apart, the input empty."""
    client = await connect()

    assert await run(client, "cat; echo out; echo err >&2; exit 3") == (3, "out\n", "err\n")


async def test_output_is_streamed_before_the_answer(connect):
    """Observed: all deltas come before the answer, which then holds no output."""
    client = await connect()
    begun = await begin(client, "echo one; exit 4", stream_stdout_stderr=True)

    done = await begun.result()

    assert (done.exit_code, done.stdout) == (4, "")
    assert await begun.hear(b"one\n") == b"one\n"


async def test_bytes_come_through_unharmed(connect_stdio):
    """Ours: a chunk may end within a character, and output need not be text at all."""
    client = await connect_stdio()
    begun = await begin(
        client,
        "head -c 300000 /dev/urandom | tee bytes",
        stream_stdout_stderr=True,
        disable_output_cap=True,
    )
    await begun.result()

    deltas = [h.params for h in client.heard if h.method == COMMAND_EXEC_OUTPUT_DELTA.name]
    said = await client.call(COMMAND_EXEC, CommandExecParams(command=sh("sha256sum < bytes")))
    heard = b"".join(b64decode(delta.delta_base64) for delta in deltas)
    assert hashlib.sha256(heard).hexdigest() == said.stdout.split()[0]


async def test_input_is_written_and_closed(connect):
    """Observed: a write is answered, and the end of the input reaches the command."""
    client = await connect()
    begun = await begin(client, "read a; echo got $a; cat", stream_stdin=True)

    await begun.write(b"one\ntwo")
    await begun.write(close=True)

    assert (await begun.result()).stdout == "got one\ntwo"


async def test_a_terminal_has_the_size_it_is_given(connect):
    """Observed: at the start, and when it is resized."""
    client = await connect()
    begun = await begin(
        client, "stty size; read x; stty size", tty=True, size=TerminalSize(rows=31, cols=101)
    )
    await begun.hear(b"31 101")

    params = CommandExecResizeParams("p", TerminalSize(rows=45, cols=120))
    await client.call(COMMAND_EXEC_RESIZE, params)
    await begun.write(b"\n")

    await begun.hear(b"45 120")
    await begun.result()


async def test_closing_the_input_of_a_terminal_ends_what_reads_it(connect_stdio):
    """Observed: as its user would, with Ctrl-D on a line of its own."""
    client = await connect_stdio()
    begun = await begin(client, "echo up; cat; echo end", tty=True)
    await begun.hear(b"up")

    await begun.write(close=True)

    assert await begun.hear(b"end\r\n") == b"\r\n\r\nend\r\n"
    assert (await begun.result()).exit_code == 0


async def test_variables_are_set_and_taken_away(connect_stdio):
    """Observed: null takes a variable away."""
    client = await connect_stdio()

    env = {"NEW": "1", "HOME": None}
    assert await run(client, "echo $NEW ${HOME-unset}", env=env) == (0, "1 unset\n", "")


async def test_a_command_that_takes_too_long_ends_with_124_and_its_output(connect_stdio):
    """Observed."""
    client = await connect_stdio()

    assert await run(client, "echo so far; sleep 60", timeout_ms=300) == (124, "so far\n", "")


async def test_output_is_cut_at_its_cap(connect_stdio):
    """Observed; ours: not within a character."""
    client = await connect_stdio()

    script = r"printf 'ab\303\251'; printf ABCDE >&2"
    assert await run(client, script, output_bytes_cap=3) == (0, "ab", "ABC")


# ---- what it survives


async def test_a_command_that_ignores_the_signal_is_killed(connect):
    """Ours: asked first, then made to; a second wish changes nothing."""
    client = await connect()
    begun = await begin(
        client, "trap '' TERM; echo up; while :; do sleep 1; done", stream_stdout_stderr=True
    )
    await begun.hear(b"up")

    await terminate(begun)
    await terminate(begun)

    assert (await begun.result()).exit_code == -1


async def test_what_left_the_group_is_killed_with_the_command(connect_stdio):
    """Ours: a session of its own does not save a descendant."""
    client = await connect_stdio()
    begun = await begin(client, "setsid sleep 60 & echo $!; wait", stream_stdout_stderr=True)
    child = int(await begun.hear(b"\n"))

    await terminate(begun)
    await begun.result()

    await gone(child)


async def test_a_command_that_closes_its_output_runs_on(connect_stdio):
    """Ours: the end of the output is not the end of the command."""
    client = await connect_stdio()

    assert await run(client, "exec >&- 2>&-; sleep 0.2; exit 5") == (5, "", "")


async def test_a_child_in_the_background_may_write_a_little_longer_and_ends(connect_stdio):
    """Observed: 2 s, then it is killed."""
    client = await connect_stdio()

    code, out, _ = await run(client, "(sleep 0.3; echo late; exec sleep 60) & echo $!")

    number, late = out.splitlines()
    assert (code, late) == (0, "late")
    await gone(int(number))


async def test_a_flood_without_a_cap_does_not_fill_the_memory(connect_stdio):
    """Ours: a buffered answer is one message, so there is a bound that no switch removes."""
    client = await connect_stdio()

    script = "head -c 40000000 /dev/zero | tr '\\0' x"
    code, out, _ = await run(client, script, disable_output_cap=True)

    assert (code, len(out)) == (0, 32 << 20)


async def test_ids_belong_to_the_connection(connect_ws):
    """Observed."""
    first, second = await connect_ws(), await connect_ws()
    mine = await begin(first, "exec sleep 60", "same")
    theirs = await begin(second, "echo other", "same")

    assert (await theirs.result()).stdout == "other\n"
    with pytest.raises(RpcError, match="no active command/exec"):
        await second.call(COMMAND_EXEC_TERMINATE, CommandExecTerminateParams("same"))
    await terminate(mine)
    await mine.result()


async def test_a_flood_for_one_client_does_not_hold_up_another(connect_ws):
    """Ours: and nothing of it is lost."""
    slow, other = await connect_ws(), await connect_ws()
    size = 60_000_000
    await slow.send(
        msgspec.json.encode(
            {
                "id": "flood",
                "method": "command/exec",
                "params": CommandExecParams(
                    command=sh(f"head -c {size} /dev/zero; echo done > done"),
                    process_id="f",
                    stream_stdout_stderr=True,
                    disable_output_cap=True,
                    disable_timeout=True,
                ),
            }
        )
    )
    for _ in range(20):
        assert await run(other, "echo quick") == (0, "quick\n", "")

    await slow.answer_to("flood")
    deltas = [h.params for h in slow.heard if h.method == COMMAND_EXEC_OUTPUT_DELTA.name]
    assert sum(len(b64decode(delta.delta_base64)) for delta in deltas) == size


async def test_a_client_that_leaves_in_the_middle_of_its_output_disturbs_nobody(connect_ws):
    """Ours: its command ends, and the room for its output was its own."""
    other = await connect_ws()
    for _ in range(6):  # more than there are workers
        async with connect_ws.server.connect() as client:
            await client.initialize()
            begun = await begin(
                client, "echo $$; exec yes", stream_stdout_stderr=True, disable_output_cap=True
            )
            number = int((await begun.hear(b"\n")).split()[0])
        await gone(number)
        assert await run(other, "echo quick") == (0, "quick\n", "")


async def test_the_folder_of_a_command_may_be_at_home(connect_stdio):
    """Observed: `~` is the server's."""
    client = await connect_stdio()

    for cwd in ("~", "~/."):
        code, out, _ = await run(client, 'test . -ef "$HOME" && echo home', cwd=cwd)
        assert (code, out) == (0, "home\n")


async def test_a_dead_worker_fails_its_commands_and_the_next_one_runs(connect_ws):
    """Ours: nobody waits for an answer that cannot come."""
    client = await connect_ws()
    begun = await begin(client, "echo $PPID; exec sleep 60", stream_stdout_stderr=True)
    worker = psutil.Process(int(await begun.hear(b"\n")))

    worker.kill()

    with pytest.raises(RpcError, match="the worker process that ran it died"):
        await begun.result()
    assert await run(client, "echo on") == (0, "on\n", "")


async def test_commands_end_with_their_connection(connect_stdio):
    """Observed; that no process is left is looked for when the server has ended."""
    client = await connect_stdio()
    begun = await begin(client, "echo up; exec sleep 60", stream_stdout_stderr=True)
    await begun.hear(b"up")

    await connect_stdio.restart()


async def test_a_write_is_as_large_as_it_likes(connect_stdio):
    """Ours: it is answered when the command has read it, and another command answers meanwhile."""
    client = await connect_stdio()
    await run(client, "mkfifo go")
    begun = await begin(client, "read x < go; wc -c", stream_stdin=True)
    data = b64encode(bytes(3_000_000)).decode()
    write = {"processId": "p", "deltaBase64": data, "closeStdin": True}
    message = {"id": "large", "method": "command/exec/write", "params": write}
    await client.send(msgspec.json.encode(message))

    await run(client, "echo > go")

    assert (await client.answer_to("large")).error is None
    assert (await begun.result()).stdout.strip() == "3000000"
