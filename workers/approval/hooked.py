"""A hook may answer in place of whoever would be asked: the user, or a reviewing model."""

from workers.approval.verdict import Verdict
from workers.hooks.subject import Subject
from workers.tools import Turn


async def ruled(turn: Turn, call: Subject) -> Verdict | None:
    """None when no hook has an opinion, and somebody else is to be asked."""
    said = await turn.hooks.permitted(turn, call)
    if said.objections:
        return Verdict(allowed=False, message=said.objections[0])
    return Verdict(allowed=True, agreed=True) if said.allows else None
