"""What the tools that run commands share: the shell, the permission, the launch."""

import os
import pwd
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from protocol.policy import DangerFullAccess
from sandbox import Unenforceable, plan
from workers.approval import CommandRequest, Verdict
from workers.process import Process
from workers.tools import ToolFailure, Turn, TurnAborted
from workers.tools.actions import argv_actions
from workers.tools.execution import Execution
from workers.tools.quoting import joined
from workers.variables import variables

SandboxPermissions = Literal["use_default", "require_escalated", "with_additional_permissions"]

_SHELLS = ("bash", "zsh", "sh")
_PLAIN_SHELL = "/bin/sh"


class Refused(Exception):
    """The command may not be run, or cannot be; `message` is for the model."""

    def __init__(self, message: str, verdict: Verdict | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.verdict = verdict  # None: nobody said no, the command cannot be started


@dataclass(frozen=True)
class Command:
    """A command that the model wants.  `cwd` is absolute, `extra` is added to its environment."""

    argv: list[str]
    cwd: str
    permissions: SandboxPermissions = "use_default"
    justification: str | None = None
    prefix_rule: list[str] | None = None
    extra: Mapping[str, str] = field(default_factory=dict[str, str])

    def execution(self, turn: Turn, call_id: str) -> Execution:
        """Its item, not shown yet."""
        return Execution(
            turn, call_id, joined(self.argv), self.cwd, argv_actions(self.argv, self.cwd)
        )


def directory(turn: Turn, workdir: str | None) -> str:
    return os.path.normpath(Path(turn.settings.cwd, workdir or ""))


def shell(wanted: str | None) -> str:
    """The shell to use: the one asked for if it is one, else the plain one; by default the user's.

    Other programs would not understand `-lc`, so they are not run (observed).
    """
    if wanted is None:
        wanted = _login_shell()
    if Path(wanted).name not in _SHELLS:
        return _PLAIN_SHELL
    if Path(wanted).is_absolute() and os.access(wanted, os.X_OK):
        return wanted
    return shutil.which(Path(wanted).name) or _PLAIN_SHELL


def _login_shell() -> str:
    try:
        theirs = pwd.getpwuid(os.getuid()).pw_shell
    except KeyError:  # a container may run as a user that nobody has named
        return "bash"
    return theirs if Path(theirs).name in _SHELLS else "bash"


async def start(
    turn: Turn, command: Command, execution: Execution, *, tty: bool = False
) -> Process:
    """Ask if need be, then start.  Raises Refused, and TurnAborted when the user ends the turn."""
    if command.permissions == "with_additional_permissions":
        raise ToolFailure(
            "sandbox_permissions `with_additional_permissions` is not offered; "
            "use `require_escalated` with a justification"
        )
    verdict = await _permission(turn, command, execution, tty=tty)
    if not verdict.allowed:
        raise Refused(verdict.message, verdict)
    settings = turn.settings
    env = {**variables(settings.shell_environment, turn.thread_id), **command.extra}
    policy = settings.sandbox_policy if verdict.sandboxed else DangerFullAccess()
    try:
        launch = plan(policy, command.argv, command.cwd, env)
        return Process(launch, tty=tty)
    except Unenforceable as error:
        raise Refused(error.reason) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in an argument
        raise Refused(_unstartable(command, error)) from None


def _unstartable(command: Command, error: OSError | ValueError) -> str:
    if not Path(command.cwd).is_dir():
        return f"the working directory {command.cwd} does not exist"
    reason = (error.strerror if isinstance(error, OSError) else None) or error
    return f"cannot start {command.argv[0]}: {reason}"


async def _permission(turn: Turn, command: Command, execution: Execution, *, tty: bool) -> Verdict:
    request = CommandRequest(
        call_id=execution.item.id,
        argv=command.argv,
        display=execution.item.command,
        cwd=command.cwd,
        actions=execution.item.command_actions,
        escalated=command.permissions == "require_escalated",
        justification=command.justification,
        prefix_rule=command.prefix_rule,
        tty=tty,
        asking=execution.show,
    )
    try:
        return await turn.approvals.command(turn, request)
    except TurnAborted:
        execution.refused("declined")
        raise
