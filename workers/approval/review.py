"""An approval that a model decides: whether one does, and what it is asked.

Whatever needs an approval asks `Grants.reviewed` who decides, and then either the user by
`turn.ask` or the model by `turn.review`.
"""

from dataclasses import dataclass
from typing import Any

from protocol.guardian import GuardianApprovalReviewAction
from protocol.policy import GranularApproval
from protocol.settings import Settings


@dataclass(frozen=True)
class ReviewRequest:
    """`shown` is for clients, `planned` for the reviewer: JSON that leaves nothing of it out.

    `item_id` is the item that waits, if it is one.  `reason` is why it is asked for at all.
    """

    shown: GuardianApprovalReviewAction
    planned: dict[str, Any]
    item_id: str | None
    reason: str | None = None


def decides(settings: Settings) -> bool:
    """Whether a model is asked instead of the user; under other policies it never is (observed)."""
    policy = settings.approval_policy
    asked = policy == "on-request" or isinstance(policy, GranularApproval)
    return asked and settings.approvals_reviewer != "user"
