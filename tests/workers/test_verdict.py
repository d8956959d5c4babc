"""A reviewer's last message becomes a review, whatever a model has made of the form."""

import json

import msgspec
import pytest

from protocol.event import NO_REVIEW, ReviewOutput, review_text
from workers.verdict import read, told

PLACE = {"absolute_file_path": "/x.py", "line_range": {"start": 3, "end": 4}}
FOUND = {"title": "Off by one", "body": "Ends\n\nearly.", "code_location": PLACE}
TEXT = "One bug.\n\nReview comment:\n\n- Off by one — /x.py:3-4\n  Ends\n  \n  early."


def review(**more) -> str:
    return json.dumps({"findings": [FOUND], "overall_explanation": "One bug.", **more})


@pytest.mark.parametrize(
    "text",
    [
        review(),
        f"Here it is:\n```json\n{review()}\n```\nThat is {{all}}.",
        f'Given {{"a": 1}} and {{braces}}: {review()} {review(overall_explanation="Second.")}',
        review(overall_correctness=None, overall_confidence_score=None),
        review(findings=[{**FOUND, "priority": None, "confidence_score": "0.5"}]),
        review(
            findings=[
                {**FOUND, "code_location": {**PLACE, "line_range": {"start": "3", "end": 4.0}}}
            ]
        ),
    ],
)
def test_a_review_is_found_wherever_it_stands(text):
    """Observed for the object alone and for one with text around it; ours, for what is missing."""
    assert review_text(read(text)) == TEXT


@pytest.mark.parametrize(
    "text",
    [
        "Just prose.",
        '{"findings": ',
        '{"finding": []}',
        "[1, 2]",
        '{"findings": 3}',
        review(findings=[{"title": "No place"}]),
        review(
            findings=[{**FOUND, "code_location": {**PLACE, "line_range": {"start": -1, "end": 1}}}]
        ),
        '{"findings": ' + "[" * 100_000,
        '{"' * 1000,
    ],
)
def test_any_other_text_is_the_review(text):
    """Observed."""
    assert read(text) == ReviewOutput(overall_explanation=text)


def test_several_findings_and_none():
    """Observed."""
    several = review_text(read(review(findings=[FOUND, FOUND])))
    assert several.startswith("One bug.\n\nFull review comments:\n\n- Off by one")
    assert several.count("- Off by one — /x.py:3-4") == 2
    assert review_text(read(review(findings=[]))) == "One bug."
    assert review_text(read(review(findings=[], overall_explanation=""))) == NO_REVIEW


def test_what_is_kept_is_what_the_reference_server_reads():
    """Observed: it passes over a line in which a number is null or too large for it."""
    odd = {**FOUND, "priority": 10**12, "confidence_score": 1e999}
    kept = msgspec.to_builtins(read(review(findings=[odd], overall_confidence_score=float("nan"))))
    assert kept == {
        "findings": [
            {
                "title": "Off by one",
                "body": "Ends\n\nearly.",
                "confidence_score": 0.0,
                "priority": 3,
                "code_location": PLACE,
            }
        ],
        "overall_correctness": "",
        "overall_explanation": "One bug.",
        "overall_confidence_score": 0.0,
    }


def test_the_model_is_told_in_a_user_action():
    """Observed: the tags, with a review and without one."""
    assert f"<results>\n{TEXT}\n</results>" in told(read(review()))
    cut = told(None)
    assert cut.startswith("<user_action>\n<context>")
    assert "<results>\nNone.\n</results>\n</user_action>" in cut
