"""The older tools that run a command to its end: a script, a list of words, or a local shell call.

The model is offered `shell_command` only; the other two are served because models know them.
"""

from collections.abc import Mapping
from typing import Annotated

import trio
from msgspec import Meta, Struct, field

from workers.process import Process
from workers.shells import shell
from workers.tools import Call, Content, Tool, ToolFailure, Turn
from workers.tools.arguments import arguments
from workers.tools.beyond import PERMISSION_PROPERTIES
from workers.tools.execution import Execution
from workers.tools.heredoc import patch_in
from workers.tools.output import command_report
from workers.tools.patch import serve_patch
from workers.tools.running import (
    KILLED,
    Attempt,
    Command,
    Refused,
    directory,
)
from workers.tools.wish import PermissionArguments, SandboxPermissions, wish

TIMEOUT_MS = 10_000  # the reference server's default
TIMED_OUT = 124  # as timeout(1) says it

Milliseconds = Annotated[int, Meta(ge=0)]


class ShellCommand(Struct):
    command: str
    workdir: str | None = None
    login: bool | None = None
    timeout_ms: Milliseconds | None = None
    sandbox_permissions: SandboxPermissions | None = None
    additional_permissions: PermissionArguments | None = None
    justification: str | None = None
    prefix_rule: list[str] | None = None


class Shell(Struct):
    command: list[str]
    workdir: str | None = None
    timeout_ms: Milliseconds | None = None
    sandbox_permissions: SandboxPermissions | None = None
    additional_permissions: PermissionArguments | None = None
    justification: str | None = None
    prefix_rule: list[str] | None = None


class LocalShell(Struct):
    """The `action` of a `local_shell_call`."""

    command: list[str]
    working_directory: str | None = None
    timeout_ms: Milliseconds | None = None
    env: dict[str, str] | None = field(default=None)


async def _serve_shell_command(turn: Turn, call: Call) -> Content:
    args = arguments(ShellCommand, call.arguments)
    flag = "-c" if args.login is False else "-lc"
    return await _serve(turn, call, [shell(None), flag, args.command], args)


async def _serve_shell(turn: Turn, call: Call) -> Content:
    args = arguments(Shell, call.arguments)
    return await _serve(turn, call, args.command, args)


async def _serve_local_shell(turn: Turn, call: Call) -> Content:
    args = arguments(LocalShell, call.arguments)
    plain = Shell(args.command, args.working_directory, args.timeout_ms)
    return await _serve(turn, call, args.command, plain, args.env or {})


async def _serve(
    turn: Turn,
    call: Call,
    argv: list[str],
    args: ShellCommand | Shell,
    extra: Mapping[str, str] | None = None,
) -> Content:
    if not argv:
        raise ToolFailure("command args are empty")
    cwd = directory(turn, args.workdir)
    permissions = args.sandbox_permissions or "use_default"
    command = Command(
        argv,
        cwd,
        wish(turn, permissions, args.additional_permissions, cwd, late=True),
        args.justification,
        args.prefix_rule,
        extra or {},
    )
    execution = command.execution(turn, call.id)
    await turn.hooks.before(turn, execution.subject)
    if patch := patch_in(argv):
        return await serve_patch(turn, execution.subject, patch, cwd=command.cwd, through=call.name)
    timeout_ms = TIMEOUT_MS if args.timeout_ms is None else args.timeout_ms
    try:
        report = await _run(Attempt(turn, command, execution), timeout_ms)
    except Refused as refusal:
        raise ToolFailure(_tell_refusal(execution, refusal)) from None
    return await execution.heeded(turn, report)


async def _run(attempt: Attempt, timeout_ms: int) -> str:
    process, execution = await attempt.start(), attempt.execution
    execution.begin()
    code, seconds = await _finish(process, execution, timeout_ms)
    if code is not None and (second := await attempt.start_again(code)):
        code, seconds = await _finish(second, execution, timeout_ms)
    text = execution.output.text()
    if code is None:
        code = TIMED_OUT
        text = f"command timed out after {round(seconds * 1000)} milliseconds\n{text}"
    execution.ended(code)
    return command_report(text, seconds=seconds, exit_code=code)


async def _finish(
    process: Process, execution: Execution, timeout_ms: int
) -> tuple[int | None, float]:
    """The exit code, None after the timeout, and the seconds it took."""
    begun = trio.current_time()
    with trio.move_on_after(timeout_ms / 1000) as scope:
        await process.run(execution.heard)
    seconds = trio.current_time() - begun
    if scope.cancelled_caught:
        return None, seconds
    if process.killed_by is not None:
        return KILLED + process.killed_by, seconds
    return await process.wait(), seconds


def _tell_refusal(execution: Execution, refusal: Refused) -> str:
    """What the model is told.  A declined command is completed twice, once bare; what nobody was
    asked about is shown and completed once (both observed)."""
    verdict, message = refusal.verdict, refusal.message
    if verdict is None:
        execution.show()
        execution.finish("failed", message, -1)
    elif execution.shown:
        message = message if verdict.reviewed else f"exec command {message}"
        execution.refused(verdict.status, unread=verdict.reviewed)
        execution.finish("declined", message, -1)
    else:
        execution.show()
        execution.finish("declined", message, -1)
    return message


SHELL_COMMAND = Tool(
    {
        "type": "function",
        "name": "shell_command",
        "description": "Runs a script in the user's shell to its end and returns its output. "
        "Name the directory with workdir rather than with cd.",
        "strict": False,
        "parameters": {
            "type": "object",
            "required": ["command"],
            "additionalProperties": False,
            "properties": {
                "command": {"type": "string", "description": "The script for the shell."},
                "workdir": {
                    "type": "string",
                    "description": "Where to run it; the working directory of the turn by default.",
                },
                "login": {
                    "type": "boolean",
                    "description": "Whether the shell is a login shell; true by default.",
                },
                "timeout_ms": {
                    "type": "number",
                    "description": "After how many milliseconds it is killed, 10000 by default.",
                },
                **PERMISSION_PROPERTIES,
            },
        },
    },
    _serve_shell_command,
    alone=False,
)

SHELL = Tool({"type": "function", "name": "shell"}, _serve_shell, alone=False)
LOCAL_SHELL = Tool({"type": "local_shell", "name": "local_shell"}, _serve_local_shell, alone=False)
