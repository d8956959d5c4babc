"""`exec_command` and `write_stdin`: commands that may outlive the call that began them.

A call waits for the end of its command, but no longer than its yield time; after that the command
is a session, and the model comes back for its output with `write_stdin`.
"""

from typing import Annotated

import trio
from msgspec import Meta, Struct

from protocol.item import TerminalInteractionNotification
from protocol.methods import TERMINAL_INTERACTION
from workers.shells import shell
from workers.tools import Call, Content, Tool, ToolFailure, Turn
from workers.tools.arguments import arguments
from workers.tools.beyond import PERMISSION_PROPERTIES
from workers.tools.execution import Execution
from workers.tools.heredoc import patch_in
from workers.tools.output import session_report
from workers.tools.patch import serve_patch
from workers.tools.running import (
    Attempt,
    Command,
    Refused,
    directory,
)
from workers.tools.sessions import Session
from workers.tools.wish import PermissionArguments, SandboxPermissions, wish
from workers.variables import PLAIN

# How long calls wait, in milliseconds; the figures are the reference server's (observed).
EXEC_YIELD_MS = 10_000
WRITE_YIELD_MS = 250
SHORTEST_YIELD_MS = 250
LONGEST_YIELD_MS = 30_000
SHORTEST_POLL_MS = 5_000  # a poll that returns at once would only cost the model another request
LONGEST_POLL_MS = 300_000

Count = Annotated[int, Meta(ge=0)]


class ExecCommand(Struct):
    cmd: str
    workdir: str | None = None
    shell: str | None = None
    login: bool | None = None
    tty: bool | None = None
    yield_time_ms: Count | None = None
    max_output_tokens: Count | None = None
    sandbox_permissions: SandboxPermissions | None = None
    additional_permissions: PermissionArguments | None = None
    justification: str | None = None
    prefix_rule: list[str] | None = None


class WriteStdin(Struct):
    session_id: int
    chars: str | None = None
    yield_time_ms: Count | None = None
    max_output_tokens: Count | None = None


# ---- exec_command


async def _serve_exec(turn: Turn, call: Call) -> Content:
    args = arguments(ExecCommand, call.arguments)
    command = _command(turn, args)
    execution = command.execution(turn, call.id)
    await turn.hooks.before(turn, execution.subject)
    if patch := patch_in(command.argv):
        return await serve_patch(turn, execution.subject, patch, cwd=command.cwd, through=call.name)
    attempt = Attempt(turn, command, execution, tty=bool(args.tty))
    try:
        session = await _open(turn, attempt)
        wait_ms = EXEC_YIELD_MS if args.yield_time_ms is None else args.yield_time_ms
        wait_ms = _within(wait_ms, SHORTEST_YIELD_MS, LONGEST_YIELD_MS)
        report = await _attend(turn, attempt, session, wait_ms, args)
    except Refused as refusal:
        raise _failure(execution, refusal) from None
    return await execution.heeded(turn, report)


def _command(turn: Turn, args: ExecCommand) -> Command:
    flag = "-c" if args.login is False else "-lc"
    cwd = directory(turn, args.workdir)
    permissions = args.sandbox_permissions or "use_default"
    return Command(
        [shell(args.shell), flag, args.cmd],
        cwd,
        wish(turn, permissions, args.additional_permissions, cwd, late=False),
        args.justification,
        args.prefix_rule,
        PLAIN,
        "unifiedExec",
    )


async def _open(turn: Turn, attempt: Attempt) -> Session:
    process, execution = await attempt.start(), attempt.execution
    id = turn.sessions.free_id()
    execution.item.source = "unifiedExecStartup"
    execution.item.process_id = str(id)
    execution.begin()
    session = turn.sessions.open(id, process, execution)
    session.held = attempt.may_run_again
    return session


async def _attend(
    turn: Turn, attempt: Attempt, session: Session, wait_ms: int, args: ExecCommand
) -> str:
    """Report on the command, or on its second run; leave nothing behind when that is cut off."""
    try:
        seconds = await _wait(turn, session, wait_ms)
        if session.held and (second := await _second(turn, attempt, session)):
            session = second
            seconds = await _wait(turn, session, wait_ms)
        return _report(turn, session, seconds, args)
    except BaseException:
        turn.sessions.forget(session)
        session.abandon()
        raise


async def _second(turn: Turn, attempt: Attempt, first: Session) -> Session | None:
    """The second run, if there is to be one; else the first one's end is told, now or later."""
    first.held = False
    exit_code = first.exit_code
    if exit_code is None:
        return None
    process = await attempt.start_again(exit_code)
    if process is None:
        first.execution.ended(exit_code)
        return None
    turn.sessions.forget(first)
    return turn.sessions.open(first.id, process, first.execution)


def _failure(execution: Execution, refusal: Refused) -> ToolFailure:
    """Tell the clients, and say what the model is told."""
    if refusal.verdict is None:
        execution.show()
        execution.finish("failed", refusal.message, -1)
    elif execution.shown:
        execution.refused(refusal.verdict.status, unread=refusal.verdict.reviewed)
    return ToolFailure(f"exec_command failed for `{execution.item.command}`: {refusal.message}")


# ---- write_stdin


async def _serve_write(turn: Turn, call: Call) -> Content:
    args = arguments(WriteStdin, call.arguments)
    session = turn.sessions.find(args.session_id)
    if session is None:
        raise ToolFailure(f"write_stdin failed: Unknown process id {args.session_id}")
    if args.chars and not session.process.tty:
        raise ToolFailure(
            "write_stdin failed: a session without a terminal has no stdin; "
            "start the command again with tty=true"
        )
    await _write(turn, session, args.chars or "")
    wait_ms = WRITE_YIELD_MS if args.yield_time_ms is None else args.yield_time_ms
    if args.chars:
        wait_ms = _within(wait_ms, SHORTEST_YIELD_MS, LONGEST_YIELD_MS)
    else:
        wait_ms = _within(wait_ms, SHORTEST_POLL_MS, LONGEST_POLL_MS)
    seconds = await _wait(turn, session, wait_ms)
    return await session.execution.heeded(turn, _report(turn, session, seconds, args))


async def _write(turn: Turn, session: Session, chars: str) -> None:
    """Type it, and tell the clients; what has ended takes nothing and is not told of."""
    if session.ended.is_set():
        return
    if chars:
        with trio.move_on_after(LONGEST_YIELD_MS / 1000):  # nobody may be reading
            try:
                await session.process.write(chars.encode())
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return
    item = session.execution.item
    typed = TerminalInteractionNotification(
        item_id=item.id,
        process_id=str(session.id),
        stdin=chars,
        thread_id=turn.thread_id,
        turn_id=turn.id,
    )
    turn.tell(TERMINAL_INTERACTION, typed)


# ---- both


def _within(value: int, least: int, most: int) -> int:
    return min(max(value, least), most)


async def _wait(turn: Turn, session: Session, wait_ms: int) -> float:
    """Wait for the end, but not for ever; how many seconds it took."""
    begun = trio.current_time()
    await turn.elicitations.wait_over(session.ended, wait_ms / 1000)
    return trio.current_time() - begun


def _report(turn: Turn, session: Session, seconds: float, args: ExecCommand | WriteStdin) -> str:
    """Say what was written since the last report."""
    if session.ended.is_set():
        turn.sessions.forget(session)
    return session_report(
        session.unread.take(),
        seconds=seconds,
        exit_code=session.exit_code,
        session_id=session.id,
        max_tokens=args.max_output_tokens,
    )


EXEC_COMMAND = Tool(
    {
        "type": "function",
        "name": "exec_command",
        "description": "Runs a command in a shell. Returns its output when it ends; a command that "
        "runs longer than the yield time goes on as a session, and its number is returned.",
        "strict": False,
        "parameters": {
            "type": "object",
            "required": ["cmd"],
            "additionalProperties": False,
            "properties": {
                "cmd": {"type": "string", "description": "The script for the shell."},
                "workdir": {
                    "type": "string",
                    "description": "Where to run it; the working directory of the turn by default.",
                },
                "shell": {
                    "type": "string",
                    "description": "bash, zsh or sh, by name or path; the user's by default.",
                },
                "login": {
                    "type": "boolean",
                    "description": "Whether the shell is a login shell; true by default.",
                },
                "tty": {
                    "type": "boolean",
                    "description": "Whether the command gets a terminal and can be typed to; "
                    "false by default.",
                },
                "yield_time_ms": {
                    "type": "number",
                    "description": "How many milliseconds to wait for its end, 10000 by default.",
                },
                "max_output_tokens": {
                    "type": "number",
                    "description": "How much output to return; beyond it the middle is left out.",
                },
                **PERMISSION_PROPERTIES,
            },
        },
    },
    _serve_exec,
    alone=False,
)

WRITE_STDIN = Tool(
    {
        "type": "function",
        "name": "write_stdin",
        "description": "Types into a session that exec_command has left running, and returns what "
        "it has written since.",
        "strict": False,
        "parameters": {
            "type": "object",
            "required": ["session_id"],
            "additionalProperties": False,
            "properties": {
                "session_id": {"type": "number", "description": "The number of the session."},
                "chars": {
                    "type": "string",
                    "description": "What to type; leave it out to wait for more output.",
                },
                "yield_time_ms": {
                    "type": "number",
                    "description": "How many milliseconds to wait for its end, 250 by default; "
                    "at least 5000 when nothing is typed.",
                },
                "max_output_tokens": {
                    "type": "number",
                    "description": "How much output to return; beyond it the middle is left out.",
                },
            },
        },
    },
    _serve_write,
)
