"""How full the context is, where no provider has counted."""

from protocol.thread import ThreadTokenUsage, TokenUsageBreakdown
from workers import tokens
from workers.history import message

SPENT = TokenUsageBreakdown(1, 2, 3, 4, 5)


def test_an_estimate_grows_with_the_text():
    """Ours: four bytes to the token."""
    small, large = (tokens.estimate([message("user", "x" * n)], "") for n in (0, 4000))
    assert large - small == 1000
    assert tokens.estimate([], "x" * 400) == 100


def test_a_picture_costs_the_same_whatever_its_size():
    """Ours: a data URL of megabytes must not look like a full context."""
    sizes = [
        tokens.estimate([{"content": [{"type": "input_image", "image_url": "x" * n}]}], "")
        for n in (10, 1_000_000)
    ]
    assert sizes[0] == sizes[1] < 2 * tokens.IMAGE_TOKENS


def test_what_was_spent_stays_spent():
    """Observed: a new history changes the last count only."""
    usage = ThreadTokenUsage(last=SPENT, total=SPENT, model_context_window=1000)
    again = tokens.recounted(usage, 7, 2000)
    assert (again.total, again.last.total_tokens, again.model_context_window) == (SPENT, 7, 2000)
    assert tokens.recounted(None, 7, 2000).total.total_tokens == 0


def test_an_overflow_fills_the_window():
    """Observed: total and last are the whole window."""
    full = tokens.overflowed(1000)
    assert full.total == full.last == TokenUsageBreakdown(0, 0, 0, 0, 1000)
