"""May a command reach this host?  Asks the thread's clients, and remembers what holds.

What many connections want to know at once is asked once: they all wait for the one answer.  A
question goes with its turn, not with the connection that raised it: the answer may be for the
session.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import trio
from msgspec import structs

from protocol.approval import (
    AmendingDecision,
    CommandExecutionApprovalDecision,
    CommandExecutionRequestApprovalParams,
    NetworkAmendment,
    NetworkApprovalContext,
    NetworkPolicyAmendment,
    NetworkPolicyRuleAction,
)
from protocol.errors import DECODE_ERRORS
from protocol.guardian import ReviewedNetworkAccess
from protocol.methods import COMMAND_APPROVAL, WARNING
from protocol.policy import AskForApproval, GranularApproval
from protocol.thread import WarningNotification
from workers.approval.review import ReviewRequest
from workers.hostrule import HostRule
from workers.proxy.target import BadTarget, Target, normal
from workers.tools import Unasked

if TYPE_CHECKING:
    from workers.running import RunningTurn
    from workers.thread import LoadedThread

QUESTIONS = 4  # at once; a program that tries hundreds of hosts must not flood its user


class Question:
    """One target that somebody is asked about."""

    def __init__(self) -> None:
        self.settled = trio.Event()
        self.allowed = False


class Hosts:
    """Those of one thread's session.  `owner` names the item of the command that is asking."""

    def __init__(self, thread: "LoadedThread", owner: Callable[[], str | None]) -> None:
        self._thread = thread
        self._owner = owner
        self._granted: set[Target] = set()
        self._refused: set[Target] = set()
        self._declined_in: tuple[str, set[Target]] = ("", set())  # a turn
        self._open: dict[Target, Question] = {}
        self._places = trio.Semaphore(QUESTIONS)

    async def may_reach(self, target: Target) -> bool:
        """By an answer that was given, or is given now."""
        if target in self._refused or target in self._declined(self._thread.turn):
            return False
        if target in self._granted:
            return True
        question = self._open.get(target) or self._begin(target)
        if question is None:
            return False
        await question.settled.wait()
        return question.allowed

    def _declined(self, turn: "RunningTurn | None") -> set[Target]:
        """A no holds for its turn: programs try again, and nobody wants to say it five times."""
        id = turn.id if turn else ""
        if self._declined_in[0] != id:
            self._declined_in = id, set()
        return self._declined_in[1]

    def _begin(self, target: Target) -> Question | None:
        """None when there is no turn to ask in, or nobody wants to be asked."""
        turn = self._thread.turn
        if turn is None or not asks(turn.settings.approval_policy):
            return None
        question = Question()
        if not turn.accompany(partial(self._settle, turn, target, question)):
            return None
        self._open[target] = question
        return question

    async def _settle(self, turn: "RunningTurn", target: Target, question: Question) -> None:
        try:
            async with self._places:
                question.allowed = await self._ask(turn, target)
        finally:
            del self._open[target]
            question.settled.set()

    async def _review(self, turn: "RunningTurn", target: Target) -> bool:
        """By a model: it says yes to this once, and no to it for the turn."""
        verdict = await turn.review(_to_review(target))
        if not verdict.allowed:
            self._declined(turn).add(target)
            turn.advise(verdict.message, "developer")
        return verdict.allowed

    async def _ask(self, turn: "RunningTurn", target: Target) -> bool:
        if self._thread.approvals.grants.reviewed(turn):
            return await self._review(turn, target)
        try:
            answer = await turn.ask(COMMAND_APPROVAL, _params(turn, target, self._owner()))
        except (Unasked, *DECODE_ERRORS):
            return False
        match answer.decision:
            case "accept":
                return True
            case "acceptForSession":
                self._granted.add(target)
                return True
            case "decline":
                self._declined(turn).add(target)
                return False
            case "cancel":
                turn.scope.cancel()
                return False
            case AmendingDecision(apply_network_policy_amendment=NetworkAmendment() as amendment):
                return await self._amend(turn, target, amendment.network_policy_amendment)
            case AmendingDecision():
                return True  # a rule for a command is none for a host, but it means yes (observed)

    async def _amend(
        self, turn: "RunningTurn", target: Target, amendment: NetworkPolicyAmendment
    ) -> bool:
        """It holds for the session even when it cannot be kept."""
        allowed = amendment.action == "allow"
        (self._granted if allowed else self._refused).add(target)
        try:
            await self._keep(target, amendment)
        except (OSError, ValueError) as error:
            said = WarningNotification(
                thread_id=turn.thread_id, message=f"The rule was not saved: {error}"
            )
            turn.tell(WARNING, said)
        else:
            what = "allowed" if allowed else "denied"
            turn.advise(f"The user has {what} {target.host} for good, as a rule.", "developer")
        return allowed

    async def _keep(self, target: Target, amendment: NetworkPolicyAmendment) -> None:
        """Raises OSError, and ValueError for an answer about a host that nobody asked about."""
        try:
            named = normal(amendment.host)
        except BadTarget:
            named = None
        if named != target.host:
            raise ValueError(f"it was about {amendment.host}, the question about {target.host}")
        rule = HostRule(target.host, target.protocol, amendment.action)
        await trio.to_thread.run_sync(self._thread.approvals.rules.keep, rule)


def asks(policy: AskForApproval) -> bool:
    match policy:
        case GranularApproval(granular=granular):
            return bool(granular) and granular.sandbox_approval
        case _:
            return policy != "never"


def _to_review(target: Target) -> ReviewRequest:
    """It is no item: of several commands nobody knows whose it is (observed)."""
    scheme = "socks5" if target.protocol.startswith("socks5") else target.protocol
    action = ReviewedNetworkAccess(
        host=target.host, port=target.port, protocol=target.protocol, target=f"{scheme}://{target}"
    )
    planned = {"tool": "network_access", **structs.asdict(action)}
    return ReviewRequest(action, planned, None, _reason(target))


def _reason(target: Target) -> str:
    return f"{target} is not in the allowed_domains"


def _params(
    turn: "RunningTurn", target: Target, item_id: str | None
) -> CommandExecutionRequestApprovalParams:
    """With the id of an item of its own where more than one command may be meant (observed); else
    with the command's item, so that a client can show the question where it belongs."""
    own_id = f"network#{target.protocol}#{target.host}#{target.port}"
    amendments = [_amendment(target, "allow"), _amendment(target, "deny")]
    decisions: list[CommandExecutionApprovalDecision] = [
        "accept",
        "acceptForSession",
        AmendingDecision(apply_network_policy_amendment=NetworkAmendment(amendments[0])),
        "cancel",
    ]
    return CommandExecutionRequestApprovalParams(
        item_id=item_id or own_id,
        approval_id=own_id if item_id else None,
        started_at_ms=time.time_ns() // 1_000_000,
        thread_id=turn.thread_id,
        turn_id=turn.id,
        available_decisions=decisions,
        network_approval_context=NetworkApprovalContext(target.host, target.protocol),
        proposed_network_policy_amendments=amendments,
        reason=_reason(target),
    )


def _amendment(target: Target, action: NetworkPolicyRuleAction) -> NetworkPolicyAmendment:
    return NetworkPolicyAmendment(action=action, host=target.host)
