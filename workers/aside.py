"""What the provider says beside its answer: another model gives it, or the account needs a check.

Each is told once per turn (observed).
"""

from typing import TYPE_CHECKING

from protocol.methods import MODEL_REROUTED, MODEL_VERIFICATION
from protocol.model import (
    ModelReroutedNotification,
    ModelVerification,
    ModelVerificationNotification,
)
from workers import wording
from workers.history import message

if TYPE_CHECKING:
    from workers.running import RunningTurn

_VERIFICATIONS: dict[str, ModelVerification] = {"trusted_access_for_cyber": "trustedAccessForCyber"}


def served_by(turn: "RunningTurn", model: str) -> None:
    """The reason is the only one that the protocol knows; the model is told too (observed)."""
    asked = turn.settings.model
    if model.lower() == asked.lower() or MODEL_REROUTED in turn.noticed:
        return
    turn.noticed.add(MODEL_REROUTED)
    told = ModelReroutedNotification(
        from_model=asked,
        reason="highRiskCyberActivity",
        thread_id=turn.thread_id,
        to_model=model,
        turn_id=turn.id,
    )
    turn.tell(MODEL_REROUTED, told)
    warning = wording.REROUTED.format(asked=asked, model=model)
    turn.thread.warn(warning)
    turn.remember(message("user", f"Warning: {warning}"))


def verify(turn: "RunningTurn", names: list[str]) -> None:
    known: list[ModelVerification] = [
        kind for name, kind in _VERIFICATIONS.items() if name in names
    ]
    if not known or MODEL_VERIFICATION in turn.noticed:
        return
    turn.noticed.add(MODEL_VERIFICATION)
    told = ModelVerificationNotification(turn.thread_id, turn.id, known)
    turn.tell(MODEL_VERIFICATION, told)
