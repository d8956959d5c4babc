"""`command/exec` through the whole server: what is refused, in which words, and that it goes on."""

import msgspec
import pytest

from protocol.command import (
    CommandExecResizeParams,
    CommandExecWriteParams,
    TerminalSize,
)
from protocol.errors import INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, RpcError
from protocol.methods import (
    COMMAND_EXEC_RESIZE,
    COMMAND_EXEC_WRITE,
)
from protocol.policy import ReadOnly
from tests.commanding import begin, run, terminate


async def refusal(client, method, params) -> tuple[int, str]:
    with pytest.raises(RpcError) as raised:
        await client.request(method, msgspec.json.encode(params))
    return raised.value.code, raised.value.message


MISSING = "failed to spawn command: No such file or directory (os error 2)"
DENIED = "failed to spawn command: Permission denied (os error 13)"
NUL = "failed to spawn command: nul byte found in provided data"
READ_ONLY = {"sandboxPolicy": {"type": "readOnly"}}
NONSENSE = [
    ({"command": []}, INVALID_REQUEST, "command must not be empty"),
    ({"command": ["no-such-program"]}, INTERNAL_ERROR, MISSING),
    ({"command": ["no-such-program"], "tty": True, "processId": "p"}, INTERNAL_ERROR, MISSING),
    ({"command": ["true"], "cwd": "missing"}, INTERNAL_ERROR, MISSING),
    (
        {"command": ["true"], "cwd": "/etc/passwd"},
        INTERNAL_ERROR,
        "failed to spawn command: Not a directory (os error 20)",
    ),
    ({"command": ["a\0b"]}, INTERNAL_ERROR, NUL),
    ({"command": ["true"], "cwd": "a\0b"}, INTERNAL_ERROR, NUL),
    ({"command": ["true"], "env": {"A": "a\0b"}}, INTERNAL_ERROR, NUL),
    ({"command": ["true"], "env": {"A": "a\0b"}, **READ_ONLY}, INTERNAL_ERROR, NUL),
    ({"command": [""]}, INTERNAL_ERROR, "failed to spawn command: missing program for pipe spawn"),
    ({"command": ["/etc/passwd"]}, INTERNAL_ERROR, DENIED),
    ({"command": ["/etc/passwd"], "tty": True, "processId": "p"}, INTERNAL_ERROR, DENIED),
    ({"command": ["/"], "tty": True, "processId": "p"}, INTERNAL_ERROR, DENIED),
    (
        {"command": [""], "tty": True, "processId": "p"},
        INTERNAL_ERROR,
        "failed to spawn command: missing program for PTY spawn",
    ),
    (
        {"command": ["true"], "size": {"rows": 1, "cols": 1}},
        INVALID_PARAMS,
        "command/exec size requires tty: true",
    ),
    (
        {"command": ["true"], "timeoutMs": 1, "disableTimeout": True},
        INVALID_PARAMS,
        "command/exec cannot set both timeoutMs and disableTimeout",
    ),
    (
        {"command": ["true"], "outputBytesCap": 1, "disableOutputCap": True},
        INVALID_PARAMS,
        "command/exec cannot set both outputBytesCap and disableOutputCap",
    ),
    (
        {"command": ["true"], "processId": "p", "tty": True, "size": {"rows": 0, "cols": 1}},
        INVALID_PARAMS,
        "command/exec size rows and cols must be greater than 0",
    ),
    (
        {"command": ["true"], "timeoutMs": -1},
        INVALID_PARAMS,
        "command/exec timeoutMs must be non-negative, got -1",
    ),
    (
        {"command": ["true"], "tty": True},
        INVALID_REQUEST,
        "command/exec tty or streaming requires a client-supplied processId",
    ),
]
MISSHAPEN = [
    {"command": ["true"], "outputBytesCap": -1},
    {"command": ["true"], "outputBytesCap": 1 << 64},
    {"command": ["true"], "timeoutMs": 1 << 63},
    {"command": ["true"], "timeoutMs": 1.5},
    {"command": []} | {"timeoutMs": -(1 << 63) - 1},
    {"command": ["true"], "processId": "p", "tty": True, "size": {"rows": 70000, "cols": 1}},
    {"command": ["true"], "env": {"A": 1}},
    {"command": "true"},
]


async def test_what_makes_no_sense_is_refused(connect_stdio):
    """Observed, but for the words about a terminal's program; and the server goes on."""
    client = await connect_stdio()

    for params, code, message in NONSENSE:
        assert await refusal(client, "command/exec", params) == (code, message)
    assert await run(client, "echo on") == (0, "on\n", "")


async def test_params_of_a_wrong_shape_are_refused(connect_stdio):
    """Observed: the code; the words are ours."""
    client = await connect_stdio()

    for params in MISSHAPEN:
        code, message = await refusal(client, "command/exec", params)
        assert code == INVALID_REQUEST
        assert message.startswith("Invalid request: ")


async def test_an_id_in_use_is_refused_and_free_with_the_answer(connect):
    """Observed: the refusal. Ours: the reference keeps the id a moment longer."""
    client = await connect()
    first = await begin(client, "echo up; exec sleep 60", stream_stdout_stderr=True)
    second = await begin(client, "true")
    with pytest.raises(RpcError, match='duplicate active command/exec process id: "p"'):
        await second.result()

    await first.hear(b"up")
    await terminate(first)
    assert (await first.result()).exit_code == -1

    assert (await (await begin(client, "echo again")).result()).stdout == "again\n"


async def test_an_unknown_id_is_refused(connect_stdio):
    """Observed."""
    client = await connect_stdio()
    problem = (INVALID_REQUEST, 'no active command/exec for process id "x"')

    size = {"rows": 1, "cols": 1}
    assert await refusal(client, "command/exec/terminate", {"processId": "x"}) == problem
    write = {"processId": "x", "closeStdin": True}
    assert await refusal(client, "command/exec/write", write) == problem
    resize = {"processId": "x", "size": size}
    assert await refusal(client, "command/exec/resize", resize) == problem


async def test_writing_after_the_end_of_the_input_is_refused(connect_stdio):
    """Observed; closing twice is not."""
    client = await connect_stdio()
    begun = await begin(client, "cat; exec sleep 60", stream_stdin=True)
    await begun.write(close=True)

    with pytest.raises(RpcError, match="stdin is already closed"):
        await begun.write(b"late")
    await begun.write(close=True)
    await terminate(begun)
    await begun.result()


async def test_writing_to_a_command_that_reads_nothing_more_is_refused(connect_stdio):
    """Ours: the command has closed its input itself."""
    client = await connect_stdio()
    begun = await begin(
        client,
        "exec <&-; echo closed; exec sleep 60",
        stream_stdin=True,
        stream_stdout_stderr=True,
    )
    await begun.hear(b"closed")

    with pytest.raises(RpcError, match="stdin is already closed"):
        await begun.write(b"x")
    await terminate(begun)
    await begun.result()


async def test_input_that_is_no_base64_is_refused(connect_stdio):
    """Observed, for an unknown id too; and nothing of it is written."""
    client = await connect_stdio()
    begun = await begin(client, "cat", stream_stdin=True)

    for id in ("p", "unknown"):
        params = CommandExecWriteParams(process_id=id, delta_base64="QUJD%%%")
        with pytest.raises(RpcError, match=r"invalid deltaBase64: Invalid symbol 37, offset 4\."):
            await client.call(COMMAND_EXEC_WRITE, params)
    await begun.write(b"x", close=True)
    assert (await begun.result()).stdout == "x"


async def test_a_pipe_has_no_size(connect_stdio):
    """Observed."""
    client = await connect_stdio()
    begun = await begin(client, "exec sleep 60")

    params = CommandExecResizeParams("p", TerminalSize(rows=1, cols=1))
    with pytest.raises(RpcError, match="failed to resize PTY: process is not attached to a PTY"):
        await client.call(COMMAND_EXEC_RESIZE, params)
    await terminate(begun)
    await begun.result()


async def test_a_variable_with_an_odd_name_is_none_or_part_of_the_value(connect_stdio):
    """Observed: `A=B` with the value C is A with the value B=C; a name of nothing is no name."""
    client = await connect_stdio()
    odd = {"A=B": "C", "": "x", "=D": "x", "E=F": None}

    for sandbox in ({}, {"sandbox_policy": ReadOnly()}):
        done = await run(client, "echo ${A-unset}", env=odd, **sandbox)
        assert done == (0, "B=C\n", "")


async def test_what_is_typed_into_a_command_that_has_ended_is_refused(connect_stdio):
    """Observed."""
    client = await connect_stdio()
    begun = await begin(client, "exit 3", stream_stdin=True)
    assert (await begun.result()).exit_code == 3

    with pytest.raises(RpcError, match='no active command/exec for process id "p"'):
        await begun.write(b"late")
