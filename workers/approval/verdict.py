"""What came of asking: whether it is allowed, and in whose words it is refused."""

import time
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Verdict:
    """`message` is for the model and `status` for the item, when it is not allowed.

    `asked` says that a question was sent, `agreed` that the user said yes, now or earlier, and
    `reviewed` that a model has decided instead.
    """

    allowed: bool
    sandboxed: bool = True
    message: str = ""
    status: Literal["declined", "failed"] = "declined"
    asked: bool = False
    agreed: bool = False
    reviewed: bool = False


def now_ms() -> int:
    """When a question is asked, as clients are told it."""
    return time.time_ns() // 1_000_000
