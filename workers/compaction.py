"""Make room in the model's context: the history gives way to a summary of it.

The model itself writes the summary.  What the user said last stays as it was said, since a summary
of the user's own words is what a task goes astray by.
"""

from functools import partial
from typing import TYPE_CHECKING, Any

from protocol import catalogue
from protocol.ids import new_id
from protocol.item import ContextCompaction
from protocol.methods import WARNING
from protocol.thread import WarningNotification
from workers import context, request, tokens, wording
from workers.history import History, message, message_text, parts
from workers.provider import Completed, ItemDone, ProviderError, RateLimits, Usage
from workers.retry import retrying

if TYPE_CHECKING:
    from workers.running import RunningTurn
    from workers.thread import LoadedThread

Item = dict[str, Any]

KEPT_TOKENS = 20_000  # of what the user said, the latest; the reference server's figure
STEP = 8  # when even the request for a summary is too long, an eighth of it is left out
CUT = "[…]"
# What user messages begin with that are not the user's own words.
CONTEXT = (
    "<environment_context>",
    "# AGENTS.md instructions",
    "<user_instructions>",
    "<INSTRUCTIONS>",
    "<skill>",
    "<turn_aborted>",
    "<user_shell_command>",
    "<user_action>",
    "<subagent_notification>",
    "<hook_prompt ",
    "Warning: ",
    "A patch has come through ",
    "Atrio blocked ",
    wording.COMPACTED,
)


def due(thread: "LoadedThread") -> bool:
    """Whether the context is so full that the next request should begin with a compaction."""
    if thread.usage is None:
        return False
    settings = thread.settings
    limit = catalogue.describe(settings.model).compact_limit(
        settings.context_window, settings.auto_compact_token_limit
    )
    return thread.usage.last.total_tokens >= limit


async def compact(turn: "RunningTurn", *, midway: bool = False, manual: bool = False) -> None:
    """Replace the thread's history.  Raises ProviderError, and then nothing has changed, and
    Halted when a hook wants the turn to end, before it or behind it.

    `midway` is a turn that goes on behind it: the model is told its context again at once.
    Otherwise the next turn does that (observed).
    """
    await turn.hooks.compacting(turn, "preCompact", manual=manual)
    item = ContextCompaction(new_id())
    turn.started(item)
    summary = await _summary(turn)
    _replace(turn, f"{wording.COMPACTED}\n\n{summary}", midway=midway)
    turn.completed(item)
    turn.tell(WARNING, WarningNotification(wording.COMPACTION_WARNING, turn.thread_id))
    await turn.hooks.compacting(turn, "postCompact", manual=manual)


def _replace(turn: "RunningTurn", summary: str, *, midway: bool) -> None:
    thread = turn.thread
    said = [message("user", text) for text in spoken(thread.history.items)]
    around: list[Item] = []
    thread.told = None
    if midway:
        around, thread.told = context.items(None, turn.settings, thread.docs)
    history = [*said[:-1], *around, *said[-1:], message("user", summary)]
    thread.history = History(history)
    thread.window += 1
    if thread.rollout is not None:
        thread.rollout.compacted(summary, history)
        if midway:
            thread.rollout.turn_context(turn.settings, turn.id)
    recount(thread)
    thread.tell_usage(turn.id)


def recount(thread: "LoadedThread") -> None:
    """Count the history anew, now that it is another."""
    settings = thread.settings
    size = tokens.estimate(thread.history.items, context.base_instructions(settings))
    window = catalogue.describe(settings.model).window(settings.context_window)
    thread.usage = tokens.recounted(thread.usage, size, window)
    if thread.rollout is not None:
        thread.rollout.token_count(thread.usage)


# ---- what stays


def spoken(items: list[Item]) -> list[str]:
    """The user's own words, oldest first, as many of the latest as there is room for."""
    kept: list[str] = []
    room = KEPT_TOKENS * tokens.BYTES_PER_TOKEN
    for item in reversed(items):
        text = own_words(item)
        if not text:
            continue
        data = text.encode()
        if len(data) > room:
            kept.append(data[:room].decode(errors="ignore") + CUT)
            break
        kept.append(text)
        room -= len(data)
    return kept[::-1]


def own_words(item: Item) -> str:
    if item.get("role") != "user" or message_text(item).startswith(CONTEXT):
        return ""
    texts = [part.get("text", "") for part in parts(item)]
    return "".join(t for t in texts if t and not t.startswith(("<image", "</image")))


# ---- the summary


async def _summary(turn: "RunningTurn") -> str:
    """Ask for it with less and less of the oldest, until it fits."""
    items = turn.thread.history.for_request()
    while True:
        try:
            return await retrying(turn, partial(_ask, turn, items))
        except ProviderError as error:
            if error.info != "contextWindowExceeded" or len(items) < 2:
                raise
            items = shortened(items)


def shortened(items: list[Item]) -> list[Item]:
    """Without the oldest; the output of a call that is gone goes with it."""
    count = max(len(items) // STEP, 1)
    calls = {item["call_id"] for item in items[:count] if "call_id" in item}
    return [item for item in items[count:] if item.get("call_id") not in calls]


async def _ask(turn: "RunningTurn", items: list[Item]) -> str:
    thread, settings = turn.thread, turn.settings
    prompt = settings.compact_prompt or wording.COMPACT
    asked = request.build(
        settings,
        **request.speaker(thread.thread),
        turn_id=turn.id,
        items=[*items, message("user", prompt)],
        tools=[],
        instructions=context.base_instructions(settings),
        window=thread.window,
        started_at_ms=turn.started_at_ms,
    )
    thread.tell_usage(turn.id)
    assert thread.provider is not None, "a stillborn thread runs no turns"
    said, usage = "", None
    async with thread.provider.stream(asked) as batches:
        async for batch in batches:
            for event in batch:
                match event:
                    case ItemDone({"type": "message"} as item):
                        said = message_text(item)
                    case RateLimits(snapshot):
                        turn.rate_limits(snapshot)
                    case Completed(usage):
                        pass
                    case _:
                        pass
    _count(turn, usage)
    return said or wording.NO_SUMMARY


def _count(turn: "RunningTurn", usage: Usage | None) -> None:
    thread, settings = turn.thread, turn.settings
    if usage is not None:
        window = catalogue.describe(settings.model).window(settings.context_window)
        thread.count(turn.id, usage, window)
    if thread.rollout is not None:
        thread.rollout.token_count(thread.usage)
    thread.tell_usage(turn.id)
