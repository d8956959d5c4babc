"""May I?  Asks the client about commands and patches, and remembers what counts for the session.

One `Approvals` per loaded thread.  The judgement comes first and is pure; here are the questions,
their answers, and what an answer changes: the session's memory, or the user's rules.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import trio

from protocol.approval import (
    AmendingDecision,
    CommandExecutionApprovalDecision,
    CommandExecutionRequestApprovalParams,
    ExecpolicyAmendment,
    FileChangeRequestApprovalParams,
)
from protocol.errors import DECODE_ERRORS
from protocol.item import CommandAction, FileUpdateChange, UpdateChange
from protocol.methods import COMMAND_APPROVAL, FILE_CHANGE_APPROVAL, WARNING
from protocol.policy import GranularApproval, ReadOnly
from protocol.settings import Settings
from protocol.thread import WarningNotification
from workers.bash import Pattern, plain_commands
from workers.judgement import Judgement, asks_to_retry, escalation_refusal, judge, open_sandbox
from workers.rules import BadRules, Rules
from workers.safe import shell_script
from workers.tools import ToolFailure, Turn, TurnAborted, Unasked

RETRY = "command failed; retry without sandbox?"
REJECTED = "rejected by user"
PATCH_REJECTED = "patch rejected by user"


@dataclass(frozen=True)
class CommandRequest:
    """A command that a tool is about to run.

    `argv` is what would be run, `display` the item's `command`.  `asking` is called right before a
    question is sent: the client must know the item by then.
    """

    call_id: str
    argv: list[str]
    display: str
    cwd: str
    actions: list[CommandAction]
    escalated: bool = False
    justification: str | None = None
    prefix_rule: list[str] | None = None
    tty: bool = False
    asking: Callable[[], None] | None = None


@dataclass(frozen=True)
class Verdict:
    """`message` is for the model and `status` for the item, when it is not allowed.

    `asked` says that a question was sent, `agreed` that the user said yes, now or earlier.
    """

    allowed: bool
    sandboxed: bool = True
    message: str = ""
    status: Literal["declined", "failed"] = "declined"
    asked: bool = False
    agreed: bool = False


class Approvals:
    def __init__(self, home: str) -> None:
        self._rules = Rules(str(Path(home, "rules")))
        self._commands: set[tuple[object, ...]] = set()
        self._files: set[str] = set()

    @property
    def problems(self) -> list[BadRules]:
        """The rules files that cannot be read."""
        return self._rules.problems

    # ---- commands

    async def command(self, turn: Turn, request: CommandRequest) -> Verdict:
        """Raises ToolFailure when the model may not ask for this, TurnAborted on `cancel`."""
        if request.escalated and (refusal := escalation_refusal(turn.settings.approval_policy)):
            raise ToolFailure(refusal)
        self._rules.refresh()
        found = self._judge(turn.settings, request)
        match found.decision:
            case "forbidden":
                return Verdict(allowed=False, message=found.reason or REJECTED)
            case "allow":
                return Verdict(allowed=True, sandboxed=not found.unsandboxed)
            case "prompt":
                verdict = await self._settle(turn, request, found, found.reason)
                return replace(verdict, sandboxed=not self._leaves(turn.settings, request))

    async def retry(
        self, turn: Turn, request: CommandRequest, first: Verdict, reason: str = RETRY
    ) -> Verdict | None:
        """May the command run again without the sandbox, which seems to have stopped it?

        `first` is what `command` said.  None when the failure stands and nobody is to be asked.
        Raises TurnAborted on `cancel`.
        """
        if not first.sandboxed or not asks_to_retry(turn.settings.approval_policy):
            return None
        if first.agreed:
            return replace(first, sandboxed=False)
        found = self._judge(turn.settings, request)
        verdict = await self._settle(turn, request, found, reason)
        return replace(verdict, sandboxed=False)

    def _judge(self, settings: Settings, request: CommandRequest) -> Judgement:
        return judge(
            settings,
            self._rules,
            request.argv,
            request.display,
            escalated=request.escalated,
            prefix=request.prefix_rule,
        )

    def _leaves(self, settings: Settings, request: CommandRequest) -> bool:
        """Whether a command that the user agreed to runs without the sandbox."""
        return request.escalated or self._judge(settings, request).unsandboxed

    async def _settle(
        self, turn: Turn, request: CommandRequest, found: Judgement, reason: str | None
    ) -> Verdict:
        """Ask, unless the session has the answer."""
        key = _key(request)
        if key in self._commands:
            return Verdict(allowed=True, agreed=True)
        if request.asking:
            request.asking()
        params = _command_params(turn, request, found, reason or request.justification)
        try:
            answer = await turn.ask(COMMAND_APPROVAL, params)
        except Unasked:
            return Verdict(allowed=False, message=REJECTED, status="failed", asked=True)
        except DECODE_ERRORS:
            return Verdict(allowed=False, message=REJECTED, asked=True)
        if await self._accepts(turn, answer.decision, key):
            return Verdict(allowed=True, asked=True, agreed=True)
        return Verdict(allowed=False, message=REJECTED, asked=True)

    async def _accepts(
        self, turn: Turn, decision: CommandExecutionApprovalDecision, key: tuple[object, ...]
    ) -> bool:
        match decision:
            case "accept":
                return True
            case "acceptForSession":
                self._commands.add(key)
                return True
            case "decline":
                return False
            case "cancel":
                raise TurnAborted
            case AmendingDecision(
                accept_with_execpolicy_amendment=ExecpolicyAmendment(execpolicy_amendment=prefix)
            ):
                await self._amend(turn, prefix)
                return True
            case AmendingDecision(apply_network_policy_amendment=amendment):
                return bool(amendment) and amendment.network_policy_amendment.action == "allow"

    async def _amend(self, turn: Turn, prefix: list[str]) -> None:
        """A rule that cannot be kept is no reason not to run what the user agreed to."""
        try:
            await trio.to_thread.run_sync(self._rules.allow, prefix)
        except (OSError, ValueError) as error:
            said = WarningNotification(
                thread_id=turn.thread_id, message=f"The rule was not saved: {error}"
            )
            turn.tell(WARNING, said)

    # ---- patches

    async def patch(
        self, turn: Turn, call_id: str, changes: list[FileUpdateChange], roots_ok: bool
    ) -> Verdict:
        """`roots_ok` says that the sandbox lets every file be written.

        Raises TurnAborted on `cancel`.
        """
        settings = turn.settings
        files = _files(changes, settings.cwd)
        confined = not roots_ok and not open_sandbox(settings)
        if settings.approval_policy != "untrusted" and not confined:
            return Verdict(allowed=True)
        if refusal := _patch_refusal(settings):
            return Verdict(allowed=False, message=refusal)
        if files <= self._files:
            return Verdict(allowed=True, agreed=True)
        params = FileChangeRequestApprovalParams(
            item_id=call_id, started_at_ms=_now(), thread_id=turn.thread_id, turn_id=turn.id
        )
        try:
            answer = await turn.ask(FILE_CHANGE_APPROVAL, params)
        except Unasked:
            return Verdict(allowed=False, message=PATCH_REJECTED, status="failed", asked=True)
        except DECODE_ERRORS:
            return Verdict(allowed=False, message=PATCH_REJECTED, asked=True)
        match answer.decision:
            case "cancel":
                raise TurnAborted
            case "decline":
                return Verdict(allowed=False, message=PATCH_REJECTED, asked=True)
            case "acceptForSession":
                self._files |= files
            case "accept":
                pass
        return Verdict(allowed=True, asked=True, agreed=True)


def _now() -> int:
    return time.time_ns() // 1_000_000


def _key(request: CommandRequest) -> tuple[object, ...]:
    """What "the same command" means: for one plain command the shell around it does not matter."""
    argv = tuple(request.argv)
    script = shell_script(request.argv)
    commands = plain_commands(script) if script is not None else None
    if commands and len(commands) == 1 and not any(_expands(word) for word in commands[0]):
        argv = tuple(commands[0])
    return argv, request.cwd, request.tty, request.escalated


def _expands(word: str) -> bool:
    return isinstance(word, Pattern) or word.startswith("~")


def _command_params(
    turn: Turn, request: CommandRequest, found: Judgement, reason: str | None
) -> CommandExecutionRequestApprovalParams:
    decisions: list[CommandExecutionApprovalDecision] = ["accept"]
    if found.proposal:
        amendment = ExecpolicyAmendment(found.proposal)
        decisions.append(AmendingDecision(accept_with_execpolicy_amendment=amendment))
    decisions.append("cancel")
    return CommandExecutionRequestApprovalParams(
        item_id=request.call_id,
        started_at_ms=_now(),
        thread_id=turn.thread_id,
        turn_id=turn.id,
        available_decisions=decisions,
        command=request.display,
        command_actions=request.actions,
        cwd=request.cwd,
        proposed_execpolicy_amendment=found.proposal,
        reason=reason,
    )


def _files(changes: list[FileUpdateChange], cwd: str) -> set[str]:
    paths = [change.path for change in changes]
    paths += [
        change.kind.move_path
        for change in changes
        if isinstance(change.kind, UpdateChange) and change.kind.move_path
    ]
    return {str(Path(cwd, path)) for path in paths}


def _patch_refusal(settings: Settings) -> str | None:
    """Why nobody is asked about a patch that the sandbox does not allow; None when one is."""
    match settings.approval_policy:
        case "never":
            pass
        case GranularApproval(granular=granular) if not granular or not granular.sandbox_approval:
            pass
        case _:
            return None
    read_only = isinstance(settings.sandbox_policy, ReadOnly)
    what = "is blocked by read-only sandbox" if read_only else "outside of the project"
    return f"patch rejected: writing {what}; rejected by user approval settings"
