"""`thread/inject_items`: a client puts items of its own into what the model is told.

They stand behind the thread's context, which is told first if it has not been, and count from the
next request on.  Clients are shown nothing of them.
"""

from typing import TYPE_CHECKING, Any

from protocol.errors import invalid
from protocol.maintenance import ThreadInjectItemsParams, ThreadInjectItemsResponse
from protocol.methods import THREAD_INJECT_ITEMS
from workers import context
from workers.history import Item, kept
from workers.mailbox import serves

if TYPE_CHECKING:
    from workers.thread import LoadedThread

# What the provider would refuse the whole request for, were it missing.
_NEEDED: dict[str, tuple[str, ...]] = {
    "message": ("role", "content"),
    "reasoning": ("summary",),
    "function_call": ("name", "arguments", "call_id"),
    "function_call_output": ("call_id", "output"),
    "custom_tool_call": ("call_id", "name", "input"),
    "custom_tool_call_output": ("call_id", "output"),
    "local_shell_call": ("status", "action"),
}
_OUTPUTS = ("function_call_output", "custom_tool_call_output")


@serves(THREAD_INJECT_ITEMS)
def thread_inject_items(
    thread: "LoadedThread", params: ThreadInjectItemsParams
) -> ThreadInjectItemsResponse:
    if not params.items:
        raise invalid("items must not be empty")
    items = [_checked(place, item) for place, item in enumerate(params.items)]
    told, thread.told = context.items(thread.told, thread.settings, thread.docs)
    for item in [*told, *filter(None, items)]:
        thread.history.add(item)
        if thread.rollout is not None:
            thread.rollout.item(item)
    return ThreadInjectItemsResponse()


def _checked(place: int, item: Any) -> Item | None:
    """The item as requests carry it; None for a kind that no request takes."""
    wrong = f"items[{place}] is not a valid response item: "
    match item:
        case {"type": str(kind)}:
            known: Item = item
        case {}:
            raise invalid(wrong + "missing field `type`")
        case _:
            raise invalid(wrong + "it is no object")
    for member in _NEEDED.get(kind, ()):
        if known.get(member) is None:
            raise invalid(f"{wrong}missing field `{member}`")
    return known if kind in _OUTPUTS else kept(known)
