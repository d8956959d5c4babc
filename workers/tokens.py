"""How much of the model's context is full, as far as we can say without the model's tokenizer.

The provider counts each response.  Where nobody has counted, because the history was just cut
or the provider refused it as too long, the last count is an estimate.
"""

from typing import Any

import msgspec

from protocol.thread import ThreadTokenUsage, TokenUsageBreakdown
from workers.history import parts

BYTES_PER_TOKEN = 4  # of English and code; the rule of thumb that the reference uses too
IMAGE_TOKENS = 1000  # of a picture, whatever the length of its data URL

_encode = msgspec.json.Encoder().encode


def estimate(items: list[dict[str, Any]], instructions: str) -> int:
    """Tokens of a request that carries these items."""
    size = len(instructions.encode()) + sum(_size(item) for item in items)
    return size // BYTES_PER_TOKEN


def _size(item: dict[str, Any]) -> int:
    size = len(_encode(item))
    for member in ("content", "output"):
        if isinstance(item.get(member), list):
            pictures = [part["image_url"] for part in parts(item, member) if "image_url" in part]
            size += sum(IMAGE_TOKENS * BYTES_PER_TOKEN - len(url) for url in pictures)
    return size


def _nothing(total: int = 0) -> TokenUsageBreakdown:
    return TokenUsageBreakdown(0, 0, 0, 0, total)


def recounted(usage: ThreadTokenUsage | None, tokens: int, window: int) -> ThreadTokenUsage:
    """The history was replaced by one of `tokens`; what was spent before stays spent."""
    total = usage.total if usage is not None else _nothing()
    return ThreadTokenUsage(last=_nothing(tokens), total=total, model_context_window=window)


def overflowed(window: int) -> ThreadTokenUsage:
    """The provider found a request longer than the window: the window is full.

    Observed: the total is the window too, and is counted on from there.  Ours: the last count is
    the whole window and not what was missing to it, so that the next turn compacts for certain.
    """
    return ThreadTokenUsage(
        last=_nothing(window), total=_nothing(window), model_context_window=window
    )
