"""What a thread is to reach: set, shown and taken away.

The worker of a loaded thread is its file's only writer and answers itself, since it may go to work
at once; for a thread that is only stored the store writes, and the goal waits for `thread/resume`.
"""

import time
from functools import partial

from protocol import goal
from protocol.errors import check_thread_id
from protocol.goal import (
    Change,
    ThreadGoal,
    ThreadGoalClearedNotification,
    ThreadGoalClearParams,
    ThreadGoalClearResponse,
    ThreadGoalGetParams,
    ThreadGoalGetResponse,
    ThreadGoalSetParams,
    ThreadGoalSetResponse,
    ThreadGoalUpdatedNotification,
)
from protocol.methods import (
    THREAD_GOAL_CLEAR,
    THREAD_GOAL_CLEARED,
    THREAD_GOAL_GET,
    THREAD_GOAL_SET,
    THREAD_GOAL_UPDATED,
)
from supervisor.connection import Connection
from supervisor.handlers import serves
from supervisor.host import Host
from supervisor.loaded import Loaded


async def _change(host: Host, thread_id: str, change: Change) -> Loaded | ThreadGoal | None:
    """The goal as changed, or the thread as loaded: then its worker makes the change."""
    check_thread_id(thread_id)
    async with host.threads.door(thread_id):
        loaded = host.threads.get(thread_id)
        if loaded is not None and not loaded.ending:
            return loaded
        if not host.config.feature("goals"):
            raise goal.disabled()
        return await host.store.set_goal(thread_id, change)


@serves(THREAD_GOAL_SET)
async def thread_goal_set(
    host: Host, client: Connection, params: ThreadGoalSetParams
) -> Loaded | ThreadGoalSetResponse:
    change = partial(goal.changed, params=params, now=int(time.time()))
    found = await _change(host, params.thread_id, change)
    if isinstance(found, Loaded):
        return found
    assert found is not None, "a goal that was set is there"
    told = ThreadGoalUpdatedNotification(goal=found, thread_id=params.thread_id)
    row = THREAD_GOAL_UPDATED
    host.tell_all(row.name, row.encode(told), answering=client)
    return ThreadGoalSetResponse(found)


@serves(THREAD_GOAL_GET)
async def thread_goal_get(
    host: Host,
    client: Connection,  # noqa: ARG001
    params: ThreadGoalGetParams,
) -> Loaded | ThreadGoalGetResponse:
    found = await _change(host, params.thread_id, lambda found: found)
    return found if isinstance(found, Loaded) else ThreadGoalGetResponse(found)


@serves(THREAD_GOAL_CLEAR)
async def thread_goal_clear(
    host: Host, client: Connection, params: ThreadGoalClearParams
) -> Loaded | ThreadGoalClearResponse:
    before: list[ThreadGoal] = []

    def clear(found: ThreadGoal | None) -> None:
        before.extend([found] if found else [])

    loaded = await _change(host, params.thread_id, clear)
    if isinstance(loaded, Loaded):
        return loaded
    if before:
        told = ThreadGoalClearedNotification(thread_id=params.thread_id)
        row = THREAD_GOAL_CLEARED
        host.tell_all(row.name, row.encode(told), answering=client)
    return ThreadGoalClearResponse(cleared=bool(before))
