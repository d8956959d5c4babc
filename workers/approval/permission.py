"""Permissions: what the sandbox was widened by, for a turn or for the session.

Nothing of it outlives the loaded thread: what was granted in a conversation is not for the next.
"""

from dataclasses import dataclass

import msgspec

from protocol.errors import DECODE_ERRORS
from protocol.grant import NOTHING, Grant, answered, merged, shown, within
from protocol.guardian import ReviewedPermissions
from protocol.methods import PERMISSIONS_APPROVAL
from protocol.permission import (
    PermissionGrantScope,
    PermissionsRequestApprovalParams,
    PermissionsRequestApprovalResponse,
    RequestPermissionProfile,
)
from protocol.policy import AskForApproval, GranularApproval
from workers.approval.review import ReviewRequest, decides
from workers.approval.verdict import now_ms
from workers.tools import Turn, Unasked
from workers.widening import places


@dataclass(frozen=True)
class Answer:
    """`strict` wants everything that the turn does from now on to be asked about."""

    granted: Grant = NOTHING
    scope: PermissionGrantScope = "turn"
    strict: bool = False


class Grants:
    def __init__(self) -> None:
        self._session = NOTHING
        self._turn_id = ""
        self._turn = NOTHING
        self._strict = False

    def held(self, turn: Turn) -> Grant:
        """What a command of the turn has beside its sandbox."""
        return merged(self._session, self._turn) if turn.id == self._turn_id else self._session

    def strict(self, turn: Turn) -> bool:
        return self._strict and turn.id == self._turn_id

    def reviewed(self, turn: Turn) -> bool:
        """Whether a model decides on what the turn does, and not the user (observed: the strict
        review that a user can grant permissions for is the model's too)."""
        return self.strict(turn) or decides(turn.settings)

    async def request(self, turn: Turn, call_id: str, asked: Grant, reason: str | None) -> Answer:
        """Ask, and keep what was granted; no more than was asked for ever is."""
        if not _may_ask(turn.settings.approval_policy):
            return Answer()
        if decides(turn.settings):
            verdict = await turn.review(_to_review(call_id, asked, reason))
            answer = Answer(asked) if verdict.allowed else Answer()
        else:
            answer = await self._ask(turn, call_id, asked, reason)
        self._keep(turn, answer)
        return answer

    async def _ask(self, turn: Turn, call_id: str, asked: Grant, reason: str | None) -> Answer:
        params = PermissionsRequestApprovalParams(
            cwd=turn.settings.cwd,
            item_id=call_id,
            permissions=shown(asked, RequestPermissionProfile),
            started_at_ms=now_ms(),
            thread_id=turn.thread_id,
            turn_id=turn.id,
            reason=reason,
        )
        try:
            return _read(await turn.ask(PERMISSIONS_APPROVAL, params), turn, asked)
        except (Unasked, ValueError, *DECODE_ERRORS):  # whatever it was, it was no yes (observed)
            return Answer()

    def _keep(self, turn: Turn, answer: Answer) -> None:
        if answer.scope == "session":
            self._session = merged(self._session, answer.granted)
            return
        if turn.id != self._turn_id:
            self._turn_id, self._turn, self._strict = turn.id, NOTHING, False
        self._turn = merged(self._turn, answer.granted)
        self._strict = self._strict or (answer.strict and bool(answer.granted))


def _to_review(call_id: str, asked: Grant, reason: str | None) -> ReviewRequest:
    permissions = shown(asked, RequestPermissionProfile)
    planned = {
        "tool": "request_permissions",
        "permissions": msgspec.to_builtins(permissions),
        "reason": reason,
    }
    return ReviewRequest(ReviewedPermissions(permissions, reason), planned, call_id)


def _may_ask(policy: AskForApproval) -> bool:
    match policy:
        case "never":
            return False
        case GranularApproval(granular=granular):
            return bool(granular) and granular.request_permissions
        case _:
            return True


def _read(response: PermissionsRequestApprovalResponse, turn: Turn, asked: Grant) -> Answer:
    """A review of everything is for one turn: for the session it cannot be had (observed)."""
    strict = bool(response.strict_auto_review)
    if strict and response.scope == "session":
        return Answer()
    granted = within(answered(response.permissions), asked, places(turn.settings))
    return Answer(granted, response.scope, strict)
