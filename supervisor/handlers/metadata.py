"""What a thread's file says of it besides its turns: git info and memory mode.

The worker of a loaded thread is its file's only writer and answers itself; for a thread that is
only stored the store writes, while nobody can load it.
"""

from collections.abc import Callable

from protocol import meta
from protocol.errors import METHOD_NOT_FOUND, RpcError, check_thread_id, unknown_thread
from protocol.maintenance import (
    ThreadMemoryModeSetParams,
    ThreadMemoryModeSetResponse,
    ThreadMetadataUpdateParams,
    ThreadMetadataUpdateResponse,
    ThreadTurnsItemsListParams,
    ThreadTurnsItemsListResponse,
)
from protocol.methods import (
    THREAD_MEMORY_MODE_SET,
    THREAD_METADATA_UPDATE,
    THREAD_TURNS_ITEMS_LIST,
)
from protocol.rollout import SessionMeta
from protocol.thread import Thread
from supervisor.connection import Connection
from supervisor.handlers import serves
from supervisor.host import Host
from supervisor.loaded import Loaded


async def _amend(
    host: Host, thread_id: str, change: Callable[[SessionMeta], None]
) -> Loaded | Thread:
    """The thread as changed, or as loaded: then its worker makes the change."""
    check_thread_id(thread_id)
    async with host.threads.door(thread_id):
        loaded = host.threads.get(thread_id)
        if loaded is None or loaded.ending:
            thread = await host.store.amend(thread_id, change)
            if thread is None:
                raise unknown_thread(thread_id)
            return thread
        return loaded


@serves(THREAD_METADATA_UPDATE)
async def thread_metadata_update(
    host: Host,
    client: Connection,  # noqa: ARG001
    params: ThreadMetadataUpdateParams,
) -> Loaded | ThreadMetadataUpdateResponse:
    def change(found: SessionMeta) -> None:
        meta.set_git(found, params.git_info)

    amended = await _amend(host, params.thread_id, change)
    return amended if isinstance(amended, Loaded) else ThreadMetadataUpdateResponse(amended)


@serves(THREAD_MEMORY_MODE_SET)
async def thread_memory_mode_set(
    host: Host,
    client: Connection,  # noqa: ARG001
    params: ThreadMemoryModeSetParams,
) -> Loaded | ThreadMemoryModeSetResponse:
    def change(found: SessionMeta) -> None:
        found.memory_mode = params.mode

    amended = await _amend(host, params.thread_id, change)
    return amended if isinstance(amended, Loaded) else ThreadMemoryModeSetResponse()


@serves(THREAD_TURNS_ITEMS_LIST)
def thread_turns_items_list(
    host: Host,  # noqa: ARG001
    client: Connection,  # noqa: ARG001
    params: ThreadTurnsItemsListParams,  # noqa: ARG001
) -> ThreadTurnsItemsListResponse:
    """Observed; `thread/turns/list` shows a turn's items."""
    raise RpcError(METHOD_NOT_FOUND, f"{THREAD_TURNS_ITEMS_LIST.name} is not supported yet")
