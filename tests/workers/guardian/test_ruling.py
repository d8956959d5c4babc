"""What a reviewer's last words come to."""

import pytest

from workers.guardian.ruling import TIMED_OUT, Unreviewed, failed, read


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"outcome": "allow"}', ("approved", "low", "unknown")),
        ('{"outcome": "deny"}', ("denied", "high", "unknown")),
        ('{"outcome": "allow", "risk_level": "critical"}', ("approved", "critical", "unknown")),
        ('{"outcome": "deny", "user_authorization": "high"}', ("denied", "high", "high")),
        ('Sure: {"outcome": "allow", "more": {}} - that is all.', ("approved", "low", "unknown")),
    ],
)
def test_only_the_outcome_has_to_be_said(text, found):
    """Observed: what the rest is taken for."""
    review = read(text).review
    assert (review.status, review.risk_level, review.user_authorization) == found
    assert review.rationale


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "allow",
        "{",
        "}{",
        "{}",
        '["allow"]',
        '{"outcome": null}',
        '{"outcome": "ALLOW"}',
        '{"outcome": "allow", "risk_level": "huge"}',
        '{"outcome": "deny"} or {"outcome": "allow"}',
        '{"outcome": "allow", "rationale": 5}',
        "{" * 10_000 + "}" * 10_000,
        '{"outcome": "\ud800"}',
    ],
)
def test_what_is_no_plain_answer_is_no_decision(text):
    """Observed: anything that cannot be read fails closed."""
    with pytest.raises(Unreviewed):
        read(text)


def test_blank_reasons_are_no_reasons():
    """Observed: the words that stand for none."""
    ruling = read('{"outcome": "deny", "rationale": "  "}')
    assert ruling.review.rationale == "Auto-review returned a deny decision without a rationale."


def test_only_a_denial_of_the_reviewers_own_counts():
    """Observed: a broken provider does not end a turn."""
    assert read('{"outcome": "deny"}').counts
    assert not read('{"outcome": "allow"}').counts
    assert not failed("no connection").counts
    assert not TIMED_OUT.counts


@pytest.mark.parametrize("ruling", [failed("x"), TIMED_OUT, read('{"outcome": "deny"}')])
def test_nothing_but_an_approval_allows(ruling):
    """DESIGN: fail closed."""
    assert not ruling.allowed
    assert ruling.refusal
