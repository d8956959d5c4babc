"""Targets of a review: what is said of them, and which say nothing."""

import pytest

from protocol.errors import INVALID_PARAMS, MAX_INPUT_CHARS, RpcError
from protocol.review import BaseBranch, Commit, Custom, UncommittedChanges, checked, hint

LONG = "x" * (MAX_INPUT_CHARS + 1)


def test_users_are_told_what_is_reviewed():
    """Observed."""
    told = [
        UncommittedChanges(),
        BaseBranch(" main "),
        Commit("0123456789ab", " The first "),
        Commit(" 0123456789ab", "  "),
        Custom("\n Look. "),
    ]
    assert [hint(checked(target)) for target in told] == [
        "current changes",
        "changes against 'main'",
        "commit 0123456: The first",
        "commit 0123456",
        "Look.",
    ]


@pytest.mark.parametrize(
    "target", [BaseBranch(LONG), Commit(LONG), Commit("a", LONG), Custom(LONG)]
)
def test_too_much_is_refused(target):
    """Ours: the bound of a turn's input holds for a review's."""
    with pytest.raises(RpcError) as refused:
        checked(target)
    assert refused.value.code == INVALID_PARAMS
