"""The models we know, and what must be known to talk to one.

The facts stand in `models.json` and are read at first use.  They are what the reference server was
seen to send and report for each model (release 0.130.0); names and descriptions are ours.
"""

from functools import cache
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct, field

from protocol.model import InputModality, ReasoningEffort, ReasoningSummary

CONTEXT_WINDOW = 272_000  # tokens; of every model that we know, and of those that we do not
EFFECTIVE_PERCENT = 95  # the rest is kept for instructions and tools; 258,400 is what clients see
COMPACT_PERCENT = 90  # of the whole window; observed: 244,700 tokens do not compact, 244,900 do

Verbosity = Literal["low", "medium", "high"]


class Effort(Struct, frozen=True):
    effort: ReasoningEffort
    description: str


class ModelInfo(Struct, frozen=True):
    """One model.  Windows are in tokens; `default_verbosity` None means that it takes none.

    A model without `default_reasoning_effort` does not reason: its requests carry neither
    `reasoning` nor `include`.
    """

    slug: str
    display_name: str
    description: str = ""
    context_window: int = CONTEXT_WINDOW
    max_context_window: int = CONTEXT_WINDOW
    default_reasoning_effort: ReasoningEffort | None = None
    supported_reasoning_efforts: tuple[Effort, ...] = ()
    default_reasoning_summary: ReasoningSummary = "none"
    default_verbosity: Verbosity | None = "low"
    supports_personality: bool = False
    supports_parallel_tool_calls: bool = True
    apply_patch_tool: bool = True
    web_search_images: bool = False
    input_modalities: tuple[InputModality, ...] = ("text", "image")
    speed_tiers: tuple[str, ...] = field(default=())
    upgrade: str | None = None
    hidden: bool = False
    is_default: bool = False

    @property
    def supports_reasoning(self) -> bool:
        return self.default_reasoning_effort is not None

    def window(self, configured: int | None = None) -> int:
        """The effective window in tokens; `configured` is `model_context_window`."""
        return self._whole(configured) * EFFECTIVE_PERCENT // 100

    def compact_limit(self, configured: int | None = None, limit: int | None = None) -> int:
        """Tokens from which a turn begins with compaction.

        `limit` is `model_auto_compact_token_limit`; it can lower the model's own limit only.
        """
        own = self._whole(configured) * COMPACT_PERCENT // 100
        return own if limit is None else min(limit, own)

    def _whole(self, configured: int | None) -> int:
        return min(configured or self.context_window, self.max_context_window)


@cache
def models() -> tuple[ModelInfo, ...]:
    """All models, hidden ones too, in the order that clients show them."""
    data = Path(__file__).with_name("models.json").read_bytes()
    return msgspec.json.decode(data, type=tuple[ModelInfo, ...])


def find(model: str) -> ModelInfo | None:
    """The facts of the longest slug that `model` begins with; None for an unknown model.

    So dated releases and variants are found, and one `vendor/` before the name is passed over, as
    gateways write it (observed: `openai/gpt-5.4` is known, `a/b/gpt-5.4` is not).
    """
    vendor, _, name = model.rpartition("/")
    if "/" in vendor:
        return None
    known = [info for info in models() if name.startswith(info.slug)]
    return max(known, key=lambda info: len(info.slug), default=None)


def describe(model: str) -> ModelInfo:
    """Like `find`, with cautious facts for a model that nobody knows: no frills, default window."""
    return find(model) or ModelInfo(
        slug=model,
        display_name=model,
        default_verbosity=None,
        supports_parallel_tool_calls=False,
        apply_patch_tool=False,
    )


def default_model() -> str:
    """The model of a thread whose settings name none."""
    return next(info.slug for info in models() if info.is_default)
