"""`thread/approveGuardianDeniedAction`: the user overrules a reviewer.

It runs nothing: the model learns that it may try this one action again, and the reviewer, who
judges that too, that the user has approved of it.
"""

from typing import TYPE_CHECKING

import msgspec

from protocol.assessment import assessment
from protocol.guardian import (
    ThreadApproveGuardianDeniedActionParams,
    ThreadApproveGuardianDeniedActionResponse,
)
from protocol.methods import THREAD_APPROVE_GUARDIAN_DENIED_ACTION
from workers.guardian import wording
from workers.history import message
from workers.mailbox import serves

if TYPE_CHECKING:
    from workers.thread import LoadedThread


@serves(THREAD_APPROVE_GUARDIAN_DENIED_ACTION)
def approve(
    thread: "LoadedThread", params: ThreadApproveGuardianDeniedActionParams
) -> ThreadApproveGuardianDeniedActionResponse:
    """What was not denied needs no approval, and is passed over (observed)."""
    event = assessment(params.event)
    if event.status == "denied":
        action = msgspec.json.format(msgspec.json.encode(event.action), indent=2).decode()
        thread.guardian.overrule(message("developer", f"{wording.OVERRULED}\n{action}"))
    return ThreadApproveGuardianDeniedActionResponse()
