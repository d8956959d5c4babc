"""Reviews: inline in the thread itself, or detached in a new one that begins with its history.

The worker of either answers.  A detached review has a process of its own, so that the thread can
be worked in meanwhile.
"""

from collections.abc import Awaitable

from msgspec.structs import replace

from protocol.errors import INTERNAL_ERROR, RpcError
from protocol.frames import StartThread
from protocol.ids import new_id
from protocol.methods import REVIEW_START
from protocol.review import ReviewStartParams, checked
from supervisor.connection import Connection
from supervisor.handlers import serves
from supervisor.host import Host
from supervisor.loaded import Loaded


@serves(REVIEW_START)
def review_start(
    host: Host, client: Connection, params: ReviewStartParams
) -> Loaded | Awaitable[Loaded]:
    thread = host.threads.loaded(params.thread_id)
    checked(params.target)
    return _detached(host, client, thread) if params.delivery == "detached" else thread


async def _detached(host: Host, client: Connection, thread: Loaded) -> Loaded:
    """Also before the thread's first turn, unlike a fork (observed).

    The new thread goes on with the reviewer's model, and with the thread's settings; the reference
    server falls back to those of the configuration, which may allow more than the thread did.
    """
    if thread.spec.ephemeral:
        problem = "it is ephemeral, so no other thread can begin with its history; review it inline"
        raise RpcError(INTERNAL_ERROR, f"failed to load parent thread {thread.id}: {problem}")
    settings = thread.spec.settings
    made = await host.threads.load(
        StartThread(
            thread_id=new_id(),
            settings=replace(settings, model=settings.review_model or settings.model),
            rollout=thread.thread.path if thread.stored and thread.thread is not None else None,
            forked_from=thread.id,
            keep_model=settings.review_model is None,
            dynamic_tools=thread.spec.dynamic_tools,
        )
    )
    if client in host.clients:
        made.subscribe(client)
    return made
