"""Commands: the question about one, and its answers.

An answer may change more than this run: the session's memory, or the user's rules.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import trio
from msgspec.json import encode

from protocol.approval import (
    AmendingDecision,
    CommandExecutionApprovalDecision,
    CommandExecutionRequestApprovalParams,
    ExecpolicyAmendment,
)
from protocol.errors import DECODE_ERRORS
from protocol.grant import NOTHING, Grant, shown
from protocol.guardian import GuardianCommandSource, ReviewedCommand
from protocol.item import CommandAction
from protocol.methods import COMMAND_APPROVAL, WARNING
from protocol.permission import AdditionalPermissionProfile
from protocol.settings import Settings
from protocol.thread import WarningNotification
from workers.approval.hooked import ruled
from workers.approval.permission import Grants
from workers.approval.review import ReviewRequest
from workers.approval.verdict import Verdict, now_ms
from workers.bash import Pattern, plain_commands
from workers.hooks.subject import of_command
from workers.judgement import Judgement, asks_to_retry, judge
from workers.rules import Rules
from workers.safe import shell_script
from workers.tools import Turn, TurnAborted, Unasked
from workers.wording import RULE_ADDED

RETRY = "command failed; retry without sandbox?"
REJECTED = "rejected by user"


@dataclass(frozen=True)
class CommandRequest:
    """A command that a tool is about to run.

    `argv` is what would be run, `display` the item's `command`.  `additional` is what its sandbox
    is to be widened by, `granted` says that the user has agreed to that before.  `asking` is called
    right before a question is sent, since the client must know the item by then; it is told whether
    a model is asked.
    """

    call_id: str
    argv: list[str]
    display: str
    cwd: str
    actions: list[CommandAction]
    escalated: bool = False
    additional: Grant = NOTHING
    granted: bool = False
    justification: str | None = None
    prefix_rule: list[str] | None = None
    tty: bool = False
    source: GuardianCommandSource = "unifiedExec"
    asking: Callable[[bool], None] | None = None


class CommandApprovals:
    def __init__(self, rules: Rules, grants: Grants) -> None:
        self._rules = rules
        self._grants = grants
        self._session: set[tuple[object, ...]] = set()  # what was accepted for all of it

    async def permit(self, turn: Turn, request: CommandRequest) -> Verdict:
        """Raises TurnAborted on `cancel`."""
        self._rules.refresh()
        found = self._judge(turn.settings, request)
        if self._grants.strict(turn) and found.decision == "allow":
            found = replace(found, decision="prompt")
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

        `first` is what `permit` said.  None when the failure stands and nobody is to be asked.
        Raises TurnAborted on `cancel`.
        """
        if not first.sandboxed or not asks_to_retry(turn.settings.approval_policy):
            return None
        if first.agreed and not request.additional and not self._grants.strict(turn):
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
            wider=bool(request.additional) and not request.granted,
            prefix=request.prefix_rule,
        )

    def _leaves(self, settings: Settings, request: CommandRequest) -> bool:
        """Whether a command that the user agreed to runs without the sandbox."""
        return request.escalated or self._judge(settings, request).unsandboxed

    async def _settle(
        self, turn: Turn, request: CommandRequest, found: Judgement, reason: str | None
    ) -> Verdict:
        """Ask, unless a hook or the session has the answer.

        What a model decides, it decides each time.
        """
        call = of_command(request.call_id, request.argv, request.justification)
        if ruling := await ruled(turn, call):
            return ruling
        key, reviewed = _key(request), self._grants.reviewed(turn)
        if key in self._session and not reviewed:
            return Verdict(allowed=True, agreed=True)
        if request.asking:
            request.asking(reviewed)
        if reviewed:
            return await turn.review(_to_review(request, reason))
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
                self._session.add(key)
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
        else:
            turn.advise(RULE_ADDED.format(prefix=encode(prefix).decode()), "developer")


def _to_review(request: CommandRequest, reason: str | None) -> ReviewRequest:
    permissions = "with_additional_permissions" if request.additional else "use_default"
    planned: dict[str, Any] = {
        "tool": "exec_command" if request.source == "unifiedExec" else "shell",
        "command": request.argv,
        "cwd": request.cwd,
        "sandbox_permissions": "require_escalated" if request.escalated else permissions,
        "justification": request.justification,
        "tty": request.tty,
    }
    if request.additional:
        more = shown(request.additional, AdditionalPermissionProfile)
        planned["additional_permissions"] = msgspec.to_builtins(more)
    action = ReviewedCommand(command=request.display, cwd=request.cwd, source=request.source)
    return ReviewRequest(action, planned, request.call_id, reason)


def _key(request: CommandRequest) -> tuple[object, ...]:
    """What "the same command" means: for one plain command the shell around it does not matter."""
    argv = tuple(request.argv)
    script = shell_script(request.argv)
    commands = plain_commands(script) if script is not None else None
    if commands and len(commands) == 1 and not any(_expands(word) for word in commands[0]):
        argv = tuple(commands[0])
    more = encode(shown(request.additional, AdditionalPermissionProfile))
    return argv, request.cwd, request.tty, request.escalated, more


def _expands(word: str) -> bool:
    return isinstance(word, Pattern) or word.startswith("~")


def _command_params(
    turn: Turn, request: CommandRequest, found: Judgement, reason: str | None
) -> CommandExecutionRequestApprovalParams:
    more = shown(request.additional, AdditionalPermissionProfile) if request.additional else None
    decisions: list[CommandExecutionApprovalDecision] = ["accept"]
    if found.proposal and more is None:
        amendment = ExecpolicyAmendment(found.proposal)
        decisions.append(AmendingDecision(accept_with_execpolicy_amendment=amendment))
    decisions.append("cancel")
    return CommandExecutionRequestApprovalParams(
        item_id=request.call_id,
        started_at_ms=now_ms(),
        thread_id=turn.thread_id,
        turn_id=turn.id,
        additional_permissions=more,
        available_decisions=decisions,
        command=request.display,
        command_actions=request.actions,
        cwd=request.cwd,
        proposed_execpolicy_amendment=found.proposal,
        reason=reason,
    )
