"""Approvals that a model decides instead of the user: each goes through `Guardian.review`.

What cannot be reviewed is not done.  A turn in which too much is denied is ended: a model that is
told no again and again looks for a way around.
"""

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import trio
from msgspec import structs

from protocol.guardian import (
    GuardianApprovalReview,
    GuardianWarningNotification,
    ItemGuardianApprovalReviewCompletedNotification,
    ItemGuardianApprovalReviewStartedNotification,
)
from protocol.ids import new_id
from protocol.methods import (
    AUTO_APPROVAL_REVIEW_COMPLETED,
    AUTO_APPROVAL_REVIEW_STARTED,
    GUARDIAN_WARNING,
)
from workers.approval.review import ReviewRequest
from workers.approval.verdict import Verdict, now_ms
from workers.guardian.breaker import Breaker
from workers.guardian.ruling import TIMED_OUT, Ruling, Unreviewed, failed
from workers.history import Item

if TYPE_CHECKING:
    from workers.guardian.bench import Bench
    from workers.running import RunningTurn
    from workers.thread import LoadedThread

TIMEOUT_SECONDS = 90  # the reference server's; it also ends a reviewer that never stops looking


class Guardian:
    """That of one loaded thread."""

    def __init__(self, thread: "LoadedThread") -> None:
        self._thread = thread
        self._breaker = Breaker()
        self._bench: Bench | None = None  # until there is something to review
        self._overruled: list[Item] = []  # for the model, in the next turn

    async def review(self, turn: "RunningTurn", request: ReviewRequest) -> Verdict:
        """Have it decided, and tell it.  An interrupted turn says no more of it (observed)."""
        started = ItemGuardianApprovalReviewStartedNotification(
            action=request.shown,
            review=GuardianApprovalReview("inProgress"),
            review_id=new_id(),
            started_at_ms=now_ms(),
            target_item_id=request.item_id,
            thread_id=turn.thread_id,
            turn_id=turn.id,
        )
        turn.tell(AUTO_APPROVAL_REVIEW_STARTED, started)
        ruling = await self._decide(turn, request)
        known: dict[str, Any] = structs.asdict(started) | {"review": ruling.review}
        completed = ItemGuardianApprovalReviewCompletedNotification(
            **known, completed_at_ms=now_ms(), decision_source="agent"
        )
        _warn(turn, ruling.warning)
        turn.tell(AUTO_APPROVAL_REVIEW_COMPLETED, completed)
        return self._verdict(turn, ruling)

    async def _decide(self, turn: "RunningTurn", request: ReviewRequest) -> Ruling:
        from workers.guardian.bench import Bench  # noqa: PLC0415 - its reviewers are threads

        self._bench = self._bench or Bench(self._thread)
        with trio.move_on_after(TIMEOUT_SECONDS):
            try:
                return await self._bench.judge(turn, request)
            except Unreviewed as error:
                return failed(str(error))
        return TIMED_OUT

    def _verdict(self, turn: "RunningTurn", ruling: Ruling) -> Verdict:
        if not ruling.counts:
            self._breaker.allowed(turn.id)
        elif why := self._breaker.denied(turn.id):
            turn.beside(partial(_stop, turn, why))
        if ruling.allowed:
            return Verdict(allowed=True, asked=True, agreed=True)
        return Verdict(allowed=False, message=ruling.refusal, asked=True, reviewed=True)

    # ---- what the user thinks of it

    def overrule(self, item: Item) -> None:
        """Have the model told in this turn if one runs, else in the next."""
        if self._thread.turn is not None:
            self._thread.turn.report(item)
        else:
            self._overruled.append(item)

    def take_overruled(self) -> list[Item]:
        items, self._overruled = self._overruled, []
        return items

    def close(self) -> None:
        """What no turn has told the model is kept for whoever loads the thread again."""
        if self._bench is not None:
            self._bench.close()
        if self._thread.rollout is not None:
            with suppress(OSError):
                self._thread.rollout.item(*self.take_overruled())


def _warn(turn: "RunningTurn", message: str) -> None:
    told = GuardianWarningNotification(message=message, thread_id=turn.thread_id)
    turn.tell(GUARDIAN_WARNING, told)


async def _stop(turn: "RunningTurn", why: str) -> None:
    """End the turn.  A task, so that the denied call has been shown to be before (observed)."""
    _warn(turn, why)
    turn.scope.cancel()
