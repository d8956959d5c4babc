"""`process/*` through the whole server: programs that outlast the request that began them."""

from base64 import b64decode, b64encode

import pytest

from protocol.command import TerminalSize
from protocol.errors import RpcError
from protocol.methods import (
    PROCESS_EXITED,
    PROCESS_KILL,
    PROCESS_OUTPUT_DELTA,
    PROCESS_RESIZE_PTY,
    PROCESS_SPAWN,
    PROCESS_WRITE_STDIN,
)
from protocol.process import (
    ProcessExitedNotification,
    ProcessKillParams,
    ProcessResizePtyParams,
    ProcessSpawnParams,
    ProcessWriteStdinParams,
)
from tests.commanding import sh


async def spawn(client, project, script, handle="h", **params):
    asked = ProcessSpawnParams(
        command=sh(script), cwd=str(project), process_handle=handle, **params
    )
    await client.call(PROCESS_SPAWN, asked)


async def write(client, data, *, close=False):
    text = b64encode(data).decode()
    params = ProcessWriteStdinParams(process_handle="h", delta_base64=text, close_stdin=close)
    await client.call(PROCESS_WRITE_STDIN, params)


async def test_a_process_is_answered_at_once_and_its_end_is_told(connect, project):
    """Observed."""
    client = await connect()

    await spawn(client, project, "read x; echo out $x; echo err >&2; exit 4", stream_stdin=True)
    await write(client, b"in\n")

    assert await client.next(PROCESS_EXITED) == ProcessExitedNotification(
        process_handle="h",
        exit_code=4,
        stdout="out in\n",
        stdout_cap_reached=False,
        stderr="err\n",
        stderr_cap_reached=False,
    )


async def test_output_is_streamed_up_to_its_cap(connect_stdio, project):
    """Observed: the last chunk says so, and so does the end."""
    client = await connect_stdio()

    await spawn(client, project, "printf abcdef", stream_stdout_stderr=True, output_bytes_cap=3)

    delta = await client.next(PROCESS_OUTPUT_DELTA)
    assert (b64decode(delta.delta_base64), delta.cap_reached) == (b"abc", True)
    done = await client.next(PROCESS_EXITED)
    assert (done.stdout, done.stdout_cap_reached) == ("", True)


async def test_a_process_without_a_time_limit_is_killed_on_request(connect, project):
    """Observed; its handle is free when its end is told (ours)."""
    client = await connect()
    await spawn(client, project, "exec sleep 60", timeout_ms=None)

    with pytest.raises(RpcError, match='duplicate active process handle: "h"'):
        await spawn(client, project, "true")
    await client.call(PROCESS_KILL, ProcessKillParams("h"))

    assert (await client.next(PROCESS_EXITED)).exit_code == -1
    with pytest.raises(RpcError, match='no active process for process handle "h"'):
        await client.call(PROCESS_KILL, ProcessKillParams("h"))
    await spawn(client, project, "true")
    assert (await client.next(PROCESS_EXITED)).exit_code == 0


async def test_its_terminal_can_be_resized(connect_stdio, project):
    """Observed."""
    client = await connect_stdio()
    size = TerminalSize(rows=5, cols=60)
    await spawn(client, project, "stty size; read x; stty size", tty=True, size=size)
    first = await client.next(PROCESS_OUTPUT_DELTA)
    assert b64decode(first.delta_base64) == b"5 60\r\n"

    larger = ProcessResizePtyParams("h", TerminalSize(rows=8, cols=90))
    await client.call(PROCESS_RESIZE_PTY, larger)
    await write(client, b"\n")

    await client.next(PROCESS_OUTPUT_DELTA, lambda d: b"8 90" in b64decode(d.delta_base64))
    await client.next(PROCESS_EXITED)


async def test_its_folder_has_to_be_absolute(connect_stdio):
    """Observed."""
    client = await connect_stdio()

    with pytest.raises(RpcError, match="AbsolutePathBuf deserialized without a base path"):
        await spawn(client, "relative", "true")


async def test_writing_needs_an_input(connect_stdio, project):
    """Observed."""
    client = await connect_stdio()
    await spawn(client, project, "exec sleep 60")

    with pytest.raises(RpcError, match="stdin streaming is not enabled for this process"):
        await write(client, b"x")
    await client.call(PROCESS_KILL, ProcessKillParams("h"))
    await client.next(PROCESS_EXITED)


async def test_processes_need_the_experimental_capability(connect_stdio, project):
    """Observed."""
    client = await connect_stdio(initialize=False)
    await client.initialize(experimental=False)

    with pytest.raises(RpcError, match="process/spawn requires experimentalApi capability"):
        await spawn(client, project, "true")
