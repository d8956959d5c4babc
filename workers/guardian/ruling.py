"""What the reviewer has decided, read out of its last words.

Only a plain `allow` allows anything: what cannot be read denies.
"""

from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from msgspec import Struct

from protocol.errors import DECODE_ERRORS
from protocol.guardian import (
    GuardianApprovalReview,
    GuardianApprovalReviewStatus,
    GuardianRiskLevel,
    GuardianUserAuthorization,
)
from workers.guardian import wording

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "risk_level": {"type": "string", "enum": ["low", "medium", "high", "critical"]},
        "user_authorization": {"type": "string", "enum": ["unknown", "low", "medium", "high"]},
        "outcome": {"type": "string", "enum": ["allow", "deny"]},
        "rationale": {"type": "string"},
    },
    "required": ["outcome"],
}


class Unreviewed(Exception):
    """There is no decision; the text says why."""


@dataclass(frozen=True)
class Ruling:
    """`warning` is for the user, `refusal` for the model.  `counts` says that the reviewer has
    denied it, rather than failed: a broken provider must not end a turn (observed)."""

    review: GuardianApprovalReview
    warning: str
    refusal: str = ""
    counts: bool = False

    @property
    def allowed(self) -> bool:
        return self.review.status == "approved"


class _Said(Struct):
    outcome: Literal["allow", "deny"]
    risk_level: GuardianRiskLevel | None = None
    user_authorization: GuardianUserAuthorization | None = None
    rationale: str | None = None


def read(text: str | None) -> Ruling:
    """Raises Unreviewed."""
    said = _decoded(text)
    if said.outcome == "allow":
        return _ruling("approved", said.risk_level or "low", said, wording.ALLOWED_WITHOUT_REASON)
    return _ruling("denied", said.risk_level or "high", said, wording.DENIED_WITHOUT_REASON)


def _decoded(text: str | None) -> _Said:
    """Models put words around their JSON at times (observed: they may)."""
    if not text:
        raise Unreviewed("guardian review completed without an assessment payload")
    begin, end = text.find("{"), text.rfind("}") + 1
    if begin < 0 or end <= begin:
        raise Unreviewed("guardian assessment was not valid JSON")
    try:
        return msgspec.json.decode(text[begin:end].encode(), type=_Said)
    except (*DECODE_ERRORS, UnicodeEncodeError) as error:
        raise Unreviewed(f"guardian assessment was not valid JSON: {error}") from None


def _ruling(
    status: GuardianApprovalReviewStatus, risk: GuardianRiskLevel, said: _Said, otherwise: str
) -> Ruling:
    reason = (said.rationale or "").strip() or otherwise
    review = GuardianApprovalReview(
        status=status,
        rationale=reason,
        risk_level=risk,
        user_authorization=said.user_authorization or "unknown",
    )
    refusal = wording.REFUSAL.format(reason=reason) if status == "denied" else ""
    return Ruling(review, _warning(review), refusal, counts=status == "denied")


def _warning(review: GuardianApprovalReview) -> str:
    return wording.WARNING.format(
        status=review.status,
        risk=review.risk_level,
        authorization=review.user_authorization,
        reason=review.rationale,
    )


def failed(why: str) -> Ruling:
    """Without a decision it is not done, and shown as a grave risk (observed)."""
    review = GuardianApprovalReview(
        status="denied",
        rationale=f"Automatic approval review failed: {why}",
        risk_level="high",
        user_authorization="unknown",
    )
    return Ruling(review, _warning(review), wording.REFUSAL.format(reason=review.rationale))


TIMED_OUT = Ruling(
    GuardianApprovalReview(status="timedOut", rationale=wording.TIMED_OUT),
    wording.TIMED_OUT,
    wording.TIMED_OUT_REFUSAL,
)
