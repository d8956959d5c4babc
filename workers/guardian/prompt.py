"""What a reviewer is asked: the conversation so far, and the action that is to be judged."""

from typing import Any, cast

import msgspec

from protocol.item import TextInput, UserInput
from workers.approval.review import ReviewRequest
from workers.guardian import wording
from workers.guardian.transcript import Entry, rendered, shortened

STRING_TOKENS = 16_000  # of one text within the action; the reference server's bound


def prompt(
    thread_id: str, told: list[Entry], request: ReviewRequest, *, seen: int = 0
) -> list[UserInput]:
    """In parts, so that none can pretend to be another.  `seen` entries were told before."""
    lines, cut = rendered(told, after=seen)
    mark = "TRANSCRIPT DELTA" if seen else "TRANSCRIPT"
    texts = [
        wording.MORE_HISTORY if seen else wording.HISTORY,
        f">>> {mark} START",
        *(lines or [wording.NO_ENTRIES]),
        f">>> {mark} END",
        wording.SESSION.format(id=thread_id),
        *([wording.OMITTED] if cut else []),
        ">>> APPROVAL REQUEST START",
        *([wording.REASON.format(reason=request.reason)] if request.reason else []),
        wording.ACTION,
        _action(request.planned),
        ">>> APPROVAL REQUEST END",
    ]
    return [TextInput(f"{text}\n") for text in texts]


def _action(planned: dict[str, Any]) -> str:
    exact = msgspec.json.encode(_bounded(planned), order="sorted")
    return msgspec.json.format(exact, indent=2).decode()


def _bounded(value: Any) -> Any:
    if isinstance(value, str):
        return shortened(value, STRING_TOKENS)
    if isinstance(value, list):
        return [_bounded(one) for one in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {name: _bounded(one) for name, one in cast("dict[str, Any]", value).items()}
    return value
