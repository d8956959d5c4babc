"""What the tools that run commands share: the shell, the permission, the launch."""

import errno
import os
import signal
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from protocol.grant import Grant
from protocol.guardian import GuardianCommandSource
from protocol.policy import DangerFullAccess
from sandbox import Unenforceable, plan
from workers.approval.command import CommandRequest
from workers.approval.verdict import Verdict
from workers.hooks.subject import of_command
from workers.judgement import asks_to_retry, open_sandbox
from workers.process import Process
from workers.tools import Turn, TurnAborted
from workers.tools.actions import argv_actions
from workers.tools.execution import Execution
from workers.tools.quoting import joined
from workers.tools.wish import NO_WISH, Wish
from workers.variables import variables
from workers.widening import widened

V = TypeVar("V", bound=Verdict | None)

KILLED = 128  # plus the signal, as shells say it

# What a program writes when a sandbox has kept something from it.
_REFUSALS = [os.strerror(code).lower() for code in (errno.EPERM, errno.EACCES, errno.EROFS)]
_ESCALATE = (
    " To run it without the sandbox, ask with sandbox_permissions `require_escalated` and a "
    "justification."
)


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
    wish: Wish = NO_WISH
    justification: str | None = None
    prefix_rule: list[str] | None = None
    extra: Mapping[str, str] = field(default_factory=dict[str, str])
    source: GuardianCommandSource = "shell"

    def execution(self, turn: Turn, call_id: str) -> Execution:
        """Its item, not shown yet."""
        return Execution(
            turn,
            of_command(call_id, self.argv),
            joined(self.argv),
            self.cwd,
            argv_actions(self.argv, self.cwd),
        )


def directory(turn: Turn, workdir: str | None) -> str:
    return os.path.normpath(Path(turn.settings.cwd, workdir or ""))


class Attempt:
    """One command on its way: asked for, started, and perhaps started again without the sandbox."""

    def __init__(
        self, turn: Turn, command: Command, execution: Execution, *, tty: bool = False
    ) -> None:
        self.execution = execution
        self._turn = turn
        self._command = command
        self._request = _request(command, execution, tty=tty)
        self._verdict = Verdict(allowed=False)

    async def start(self) -> Process:
        """Ask if need be, then start.

        Raises Refused, and TurnAborted when the user ends the turn.
        """
        approvals = self._turn.approvals.commands
        self._heed(await self._asked(approvals.permit(self._turn, self._request)))
        try:
            return self._launch()
        except Unenforceable as error:
            return await self._start_outside(error)

    async def _start_outside(self, error: Unenforceable) -> Process:
        """Nothing has run.  Only an answer to this very question lets it run without a sandbox."""
        verdict = await self._asked(
            self._turn.approvals.commands.retry(
                self._turn,
                replace(self._request, escalated=True),  # what was agreed to was to run inside
                replace(self._verdict, agreed=False),
                "the sandbox cannot be enforced on this host; run without it?",
            )
        )
        if verdict is None:
            hint = _ESCALATE if self._turn.settings.approval_policy == "on-request" else ""
            raise Refused(error.reason + hint) from None
        self._heed(verdict)
        return self._launch()

    @property
    def may_run_again(self) -> bool:
        """Whether somebody might be asked, should the sandbox stop it."""
        settings = self._turn.settings
        return (
            self._verdict.sandboxed
            and not open_sandbox(settings)
            and asks_to_retry(settings.approval_policy)
        )

    async def start_again(self, exit_code: int) -> Process | None:
        """Start without the sandbox what that seems to have stopped; None when the failure stands.

        Raises as `start` does.
        """
        output = self.execution.output.text()
        if not self.may_run_again or not _stopped_by_sandbox(exit_code, output):
            return None
        verdict = await self._asked(
            self._turn.approvals.commands.retry(self._turn, self._request, self._verdict)
        )
        if verdict is None:
            return None
        self._heed(verdict)
        self.execution.begin_again()
        return self._launch()

    async def _asked(self, asking: Awaitable[V]) -> V:
        try:
            return await asking
        except TurnAborted:
            self.execution.refused("declined")
            raise

    def _heed(self, verdict: Verdict) -> None:
        if not verdict.allowed:
            raise Refused(verdict.message, verdict)
        self._verdict = verdict

    @property
    def _beside(self) -> Grant:
        """What was granted: a command that nobody was asked about gets nothing new by it.

        The reference gives it all that it wants; what it may read is then not confined.
        """
        wish = self._command.wish
        return wish.additional if self._verdict.agreed or wish.granted else wish.held

    def _launch(self) -> Process:
        settings, command = self._turn.settings, self._command
        env = {**variables(settings.shell_environment, self._turn.thread_id), **command.extra}
        inside = self._verdict.sandboxed
        joined = self._turn.network.join(settings, self.execution.item.id) if inside else None
        policy = settings.sandbox_policy if inside else DangerFullAccess()
        profile = widened(settings, self._beside) if inside else None
        try:
            launch = plan(
                policy,
                command.argv,
                command.cwd,
                env | joined.env if joined else env,
                profile,
                project=settings.cwd,
                namespace=joined and joined.namespace,
            )
            process = Process(launch, tty=self._request.tty, limits=settings.limits)
        except (OSError, ValueError) as error:  # ValueError: a NUL in an argument
            raise Refused(unstartable(command, error)) from None
        if joined:
            joined.started(process)
        return process


def _request(command: Command, execution: Execution, *, tty: bool) -> CommandRequest:
    unread = command.source == "unifiedExec"  # the older tools show theirs as ever (observed)
    return CommandRequest(
        call_id=execution.item.id,
        argv=command.argv,
        display=execution.item.command,
        cwd=command.cwd,
        actions=execution.item.command_actions,
        escalated=command.wish.escalated,
        additional=command.wish.additional,
        granted=command.wish.granted,
        justification=command.justification,
        prefix_rule=command.prefix_rule,
        tty=tty,
        source=command.source,
        asking=lambda reviewed: execution.show(unread=reviewed and unread),
    )


def _stopped_by_sandbox(exit_code: int, output: str) -> bool:
    """A guess, since programs only say what the system told them."""
    lower = output.lower()
    return exit_code == KILLED + signal.SIGSYS or (
        exit_code != 0 and any(word in lower for word in _REFUSALS)
    )


def unstartable(command: Command, error: OSError | ValueError) -> str:
    """Why it could not be started."""
    if not Path(command.cwd).is_dir():
        return f"the working directory {command.cwd} does not exist"
    reason = (error.strerror if isinstance(error, OSError) else None) or error
    return f"cannot start {command.argv[0]}: {reason}"
