"""What a reviewer concludes: read from its last message, kept, and told to the model.

The reviewer is asked for one JSON object.  Models put a sentence before it or a fence around it,
leave members out or say null; what can be understood is taken, and text without any such object is
the review itself.
"""

import json
import re
from math import isfinite
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from protocol.errors import DECODE_ERRORS
from protocol.event import ReviewOutput, review_text
from workers import wording

MAX_TRIES = 50  # objects in one text that might be the review
LEAST = 3  # priorities go from 0, the highest, to this, which is also that of a finding without one
_OPENING = re.compile(r'\{\s*"')

U32 = Annotated[int, Meta(ge=0, le=(1 << 32) - 1)]


class LineRange(Struct):
    start: U32
    end: U32


class Place(Struct):
    absolute_file_path: str
    line_range: LineRange


class Finding(Struct):
    title: str
    body: str
    code_location: Place
    confidence_score: float | None = None
    priority: int | None = None


class Review(Struct):
    findings: list[Finding]
    overall_explanation: str | None = None
    overall_correctness: str | None = None
    overall_confidence_score: float | None = None


def read(text: str) -> ReviewOutput:
    """The review that a reviewer's message holds.

    The reference server reads every member of what is kept, so none of them is missing or null.
    """
    for opening in list(_OPENING.finditer(text))[:MAX_TRIES]:
        if (review := _review(text, opening.start())) is not None:
            return ReviewOutput(
                findings=[_kept(finding) for finding in review.findings],
                overall_correctness=review.overall_correctness or "",
                overall_explanation=review.overall_explanation or "",
                overall_confidence_score=_score(review.overall_confidence_score),
            )
    return ReviewOutput(overall_explanation=text)


def _review(text: str, at: int) -> Review | None:
    try:
        found, _ = json.JSONDecoder().raw_decode(text, at)
        return msgspec.convert(found, Review, strict=False)
    except (ValueError, *DECODE_ERRORS):
        return None


def _kept(finding: Finding) -> dict[str, Any]:
    """In the order of the reference server's members."""
    return {
        "title": finding.title,
        "body": finding.body,
        "confidence_score": _score(finding.confidence_score),
        "priority": LEAST if finding.priority is None else min(max(finding.priority, 0), LEAST),
        "code_location": msgspec.to_builtins(finding.code_location),
    }


def _score(score: float | None) -> float:
    """JSON has no infinity, and nobody is surer than sure."""
    return min(max(score, 0.0), 1.0) if score is not None and isfinite(score) else 0.0


def told(verdict: ReviewOutput | None) -> str:
    """What the thread's model reads of a review; the tags are those of the reference server."""
    context = wording.REVIEW_CUT if verdict is None else wording.REVIEW_DONE
    results = "None." if verdict is None else review_text(verdict)
    return (
        f"<user_action>\n<context>{context}</context>\n<action>review</action>\n"
        f"<results>\n{results}\n</results>\n</user_action>"
    )
