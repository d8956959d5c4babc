"""`thread/inject_items`: a client puts items of its own into what the model is told.

They stand behind the thread's context, which is told first if it has not been, and count from the
next request on.  Clients are shown nothing of them.
"""

from typing import TYPE_CHECKING, Any

from protocol.errors import invalid
from protocol.history import fault
from protocol.maintenance import ThreadInjectItemsParams, ThreadInjectItemsResponse
from protocol.methods import THREAD_INJECT_ITEMS
from workers import context
from workers.history import Item, kept
from workers.mailbox import serves

if TYPE_CHECKING:
    from workers.thread import LoadedThread

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
    if problem := fault(item):
        raise invalid(f"items[{place}] is not a valid response item: {problem}")
    return item if item["type"] in _OUTPUTS else kept(item)
