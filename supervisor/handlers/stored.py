"""Threads as they are on disk: read, list, page through their turns, archive and bring back.

No worker is needed for any of this.  What a loaded thread knows better (its status, a turn that
is running) is laid over what is stored.
"""

import trio

from protocol import stored
from protocol.errors import (
    INTERNAL_ERROR,
    RpcError,
    check_thread_id,
    invalid,
    no_rollout,
    not_loaded,
)
from protocol.methods import (
    THREAD_ARCHIVE,
    THREAD_ARCHIVED,
    THREAD_LIST,
    THREAD_READ,
    THREAD_TURNS_LIST,
    THREAD_UNARCHIVE,
    THREAD_UNARCHIVED,
)
from protocol.rollout import is_archived
from protocol.thread import (
    Thread,
    ThreadArchivedNotification,
    ThreadArchiveParams,
    ThreadArchiveResponse,
    ThreadListParams,
    ThreadListResponse,
    ThreadReadParams,
    ThreadReadResponse,
    ThreadTurnsListParams,
    ThreadTurnsListResponse,
    ThreadUnarchivedNotification,
    ThreadUnarchiveParams,
    ThreadUnarchiveResponse,
)
from protocol.turn import Turn
from supervisor.connection import Connection
from supervisor.handlers import serves
from supervisor.host import Host

DEFAULT_TURNS = 25  # of a page of turns, when the client names no limit


async def known(host: Host, thread_id: str) -> Thread:
    """The thread, loaded or stored.  Raises RpcError when there is neither."""
    check_thread_id(thread_id)
    loaded = host.threads.get(thread_id)
    if loaded is not None and loaded.thread is not None:
        return loaded.thread
    found = await host.store.read(thread_id)
    if found is None:
        raise not_loaded(thread_id)
    return found


async def turns_of(host: Host, thread: Thread) -> list[Turn]:
    """The turns on disk, the running one marked as such.  Raises RpcError when unreadable."""
    loaded = host.threads.get(thread.id)
    if thread.ephemeral:
        raise invalid("ephemeral threads do not support includeTurns")
    if thread.path is None or (loaded is not None and not loaded.stored):
        raise invalid(
            f"thread {thread.id} is not materialized yet; "
            "includeTurns is unavailable before first user message"
        )
    try:
        turns = await trio.to_thread.run_sync(stored.read_turns, thread.path)
    except OSError as error:
        raise RpcError(INTERNAL_ERROR, f"cannot read {thread.path}: {error.strerror}") from None
    if loaded is not None and turns and turns[-1].id == loaded.turn_id:
        turns[-1].status, turns[-1].completed_at = "inProgress", None
    return turns


@serves(THREAD_READ)
async def thread_read(
    host: Host,
    client: Connection,  # noqa: ARG001
    params: ThreadReadParams,
) -> ThreadReadResponse:
    thread = await known(host, params.thread_id)
    if params.include_turns:
        thread = stored.with_turns(thread, await turns_of(host, thread))
    return ThreadReadResponse(thread=thread)


@serves(THREAD_LIST)
async def thread_list(
    host: Host,
    client: Connection,  # noqa: ARG001
    params: ThreadListParams,
) -> ThreadListResponse:
    page = await host.store.list(params, host.config.toml().model_provider or "openai")
    for place, thread in enumerate(page.data):
        loaded = host.threads.get(thread.id)
        if loaded is not None and loaded.thread is not None:
            page.data[place].status = loaded.thread.status
    return page


@serves(THREAD_TURNS_LIST)
async def thread_turns_list(
    host: Host,
    client: Connection,  # noqa: ARG001
    params: ThreadTurnsListParams,
) -> ThreadTurnsListResponse:
    thread = await known(host, params.thread_id)
    turns = await turns_of(host, thread)
    return stored.page(turns, params, DEFAULT_TURNS)


@serves(THREAD_ARCHIVE)
async def thread_archive(
    host: Host, client: Connection, params: ThreadArchiveParams
) -> ThreadArchiveResponse:
    """Its agents go with it (observed)."""
    check_thread_id(params.thread_id)
    if not await _archive(host, params.thread_id):
        raise no_rollout(params.thread_id)
    agents = await host.store.agents_of(params.thread_id)
    for id in [params.thread_id, *[agent for agent in agents if await _archive(host, agent)]]:
        told = ThreadArchivedNotification(thread_id=id)
        host.tell_all(THREAD_ARCHIVED.name, THREAD_ARCHIVED.encode(told), answering=client)
    return ThreadArchiveResponse()


async def _archive(host: Host, id: str) -> bool:
    """False when there is nothing to put away."""
    async with host.threads.door(id):
        path = await host.store.path(id)
        if path is None or is_archived(path):
            return False
        loaded = host.threads.get(id)
        if loaded is not None:
            await host.threads.unload(loaded, "archived", closed=False)
        return await host.store.archive(id)


@serves(THREAD_UNARCHIVE)
async def thread_unarchive(
    host: Host, client: Connection, params: ThreadUnarchiveParams
) -> ThreadUnarchiveResponse:
    check_thread_id(params.thread_id)
    async with host.threads.door(params.thread_id):
        thread = await host.store.unarchive(params.thread_id)
        if thread is None:
            raise invalid(f"no archived rollout found for thread id {params.thread_id}")
        loaded = host.threads.get(params.thread_id)
        if loaded is not None:
            loaded.moved(thread.path)
            thread.status = loaded.thread.status if loaded.thread else thread.status
    told = ThreadUnarchivedNotification(thread_id=params.thread_id)
    host.tell_all(THREAD_UNARCHIVED.name, THREAD_UNARCHIVED.encode(told), answering=client)
    return ThreadUnarchiveResponse(thread=thread)
