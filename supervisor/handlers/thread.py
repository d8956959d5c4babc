"""Threads as clients manage them: begin, load, fork, name, listen, stop listening.

`thread/start`, `thread/resume` and `thread/fork` end with a loaded thread, whose worker answers.
"""

from protocol import dynamic
from protocol.errors import check_thread_id, invalid, no_rollout, unknown_thread
from protocol.frames import StartThread, Update
from protocol.history import fault
from protocol.ids import new_id
from protocol.loading import ThreadForkParams, ThreadResumeParams, ThreadStartParams
from protocol.methods import (
    THREAD_FORK,
    THREAD_LOADED_LIST,
    THREAD_NAME_SET,
    THREAD_NAME_UPDATED,
    THREAD_RESUME,
    THREAD_START,
    THREAD_UNSUBSCRIBE,
)
from protocol.rollout import is_archived
from protocol.thread import (
    ThreadLoadedListParams,
    ThreadLoadedListResponse,
    ThreadNameUpdatedNotification,
    ThreadSetNameParams,
    ThreadSetNameResponse,
    ThreadUnsubscribeParams,
    ThreadUnsubscribeResponse,
)
from supervisor import settings
from supervisor.connection import Connection
from supervisor.handlers import serves
from supervisor.host import Host
from supervisor.loaded import Loaded


@serves(THREAD_START)
async def thread_start(host: Host, client: Connection, params: ThreadStartParams) -> Loaded:
    dynamic.check(params.dynamic_tools or [])
    return await host.threads.load(
        StartThread(
            thread_id=new_id(),
            settings=settings.for_start(host, client, params),
            ephemeral=bool(params.ephemeral),
            thread_source=params.thread_source,
            dynamic_tools=params.dynamic_tools or [],
            raw_events=params.experimental_raw_events,
        )
    )


@serves(THREAD_RESUME)
async def thread_resume(host: Host, client: Connection, params: ThreadResumeParams) -> Loaded:
    """By `history`, else by `path`, else by id; a loaded thread is joined as it is."""
    if params.history is not None:
        return await _from_history(host, client, params)
    if params.path is not None:
        stored = await host.store.by_path(params.path)
    else:
        check_thread_id(params.thread_id)
        stored = None
    thread_id = stored.id if stored else params.thread_id
    async with host.threads.door(thread_id):
        if (loaded := host.threads.get(thread_id)) is not None and not loaded.ending:
            if not loaded.stored:
                raise no_rollout(thread_id)
            return loaded
        stored = stored or await host.store.read(thread_id)
        if stored is None or stored.path is None:
            raise no_rollout(thread_id)
        return await host.threads.load(
            StartThread(
                thread_id=stored.id,
                settings=settings.for_resume(host, client, params, stored),
                rollout=stored.path,
                keep_model=settings.keeps_model(params),
                created_at=stored.created_at,
                updated_at=stored.updated_at,
                name=stored.name,
                source=stored.source,
                thread_source=stored.thread_source,
            )
        )


async def _from_history(host: Host, client: Connection, params: ThreadResumeParams) -> Loaded:
    if not params.history:
        raise invalid("history must not be empty")
    for place, item in enumerate(params.history):
        if problem := fault(item):
            raise invalid(f"Invalid request: history[{place}] is no response item: {problem}")
    return await host.threads.load(
        StartThread(
            thread_id=new_id(),
            settings=settings.for_resume(host, client, params, None),
            history=params.history,
        )
    )


@serves(THREAD_FORK)
async def thread_fork(host: Host, client: Connection, params: ThreadForkParams) -> Loaded:
    if params.path is not None:
        stored = await host.store.by_path(params.path)
    else:
        check_thread_id(params.thread_id)
        loaded = host.threads.get(params.thread_id)
        if loaded is not None and not loaded.stored:
            raise no_rollout(params.thread_id)
        stored = await host.store.read(params.thread_id)
    if stored is None or stored.path is None:
        raise no_rollout(params.thread_id)
    return await host.threads.load(
        StartThread(
            thread_id=new_id(),
            settings=settings.for_fork(host, client, params, stored),
            rollout=stored.path,
            forked_from=stored.id,
            ephemeral=params.ephemeral,
            thread_source=params.thread_source,
        )
    )


@serves(THREAD_UNSUBSCRIBE)
def thread_unsubscribe(
    host: Host, client: Connection, params: ThreadUnsubscribeParams
) -> ThreadUnsubscribeResponse:
    check_thread_id(params.thread_id)
    loaded = host.threads.get(params.thread_id)
    if loaded is None:
        return ThreadUnsubscribeResponse(status="notLoaded")
    listened = loaded.unsubscribe(client)
    return ThreadUnsubscribeResponse(status="unsubscribed" if listened else "notSubscribed")


@serves(THREAD_LOADED_LIST)
def thread_loaded_list(
    host: Host,
    client: Connection,  # noqa: ARG001
    params: ThreadLoadedListParams,
) -> ThreadLoadedListResponse:
    """In the order of their ids; the cursor is the last id of the page before."""
    ids = sorted(thread.id for thread in host.threads)
    if params.cursor is not None:
        if params.cursor not in ids:
            raise invalid(f"invalid cursor: {params.cursor}")
        ids = ids[ids.index(params.cursor) + 1 :]
    limit = max(params.limit, 1) if params.limit is not None else len(ids)
    page = ids[:limit]
    return ThreadLoadedListResponse(page, page[-1] if len(ids) > limit else None)


@serves(THREAD_NAME_SET)
async def thread_name_set(
    host: Host, client: Connection, params: ThreadSetNameParams
) -> ThreadSetNameResponse:
    check_thread_id(params.thread_id)
    name = params.name.strip()
    if not name:
        raise invalid("thread name must not be empty")
    async with host.threads.door(params.thread_id):  # who loads it meanwhile takes its name along
        await _check_nameable(host, params.thread_id)
        loaded = host.threads.get(params.thread_id)
        if loaded is not None:
            loaded.rename(name)
            loaded.send(Update(name=name))
        await host.store.set_name(params.thread_id, name)
    told = ThreadNameUpdatedNotification(thread_id=params.thread_id, thread_name=name)
    row = THREAD_NAME_UPDATED
    host.tell_all(row.name, row.encode(told), answering=client)
    return ThreadSetNameResponse()


async def _check_nameable(host: Host, thread_id: str) -> None:
    """Raises RpcError for what has no name, or keeps the one it was put away with (observed)."""
    loaded = host.threads.get(thread_id)
    path = await host.store.path(thread_id)
    if loaded.spec.ephemeral if loaded is not None else path is None:
        raise unknown_thread(thread_id)
    if path is not None and is_archived(path):
        raise invalid(f"thread {thread_id} is archived")
