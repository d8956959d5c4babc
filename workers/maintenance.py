"""What clients do to a loaded thread besides talking to it: compact, roll back, label, clean up."""

from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from protocol import meta
from protocol.errors import INTERNAL_ERROR, RpcError, invalid
from protocol.ids import new_id
from protocol.maintenance import (
    ThreadBackgroundTerminalsCleanParams,
    ThreadBackgroundTerminalsCleanResponse,
    ThreadCompactStartParams,
    ThreadCompactStartResponse,
    ThreadMemoryModeSetParams,
    ThreadMemoryModeSetResponse,
    ThreadMetadataUpdateParams,
    ThreadMetadataUpdateResponse,
    ThreadRollbackParams,
    ThreadRollbackResponse,
)
from protocol.methods import (
    THREAD_BACKGROUND_TERMINALS_CLEAN,
    THREAD_COMPACT_START,
    THREAD_MEMORY_MODE_SET,
    THREAD_METADATA_UPDATE,
    THREAD_ROLLBACK,
)
from protocol.rollout import SessionMeta
from protocol.turn import NonSteerableTurnKind, TurnStartParams
from workers import birth
from workers.compaction import compact, recount
from workers.history import ABORTED, History, message
from workers.hooks.runs import Halted
from workers.mailbox import serves
from workers.replay import replay
from workers.rollout import Rollout
from workers.running import RunningTurn

if TYPE_CHECKING:
    from workers.thread import LoadedThread

# ---- compaction


class CompactTurn(RunningTurn):
    """A turn in which nothing is said."""

    kind: NonSteerableTurnKind | None = "compact"

    def __init__(self, thread: "LoadedThread") -> None:
        super().__init__(thread, TurnStartParams([], thread.thread.id))

    async def work(self) -> None:
        self.record_start()
        try:
            with suppress(Halted):
                await compact(self, manual=True)
        finally:
            if self.scope.cancel_called:
                self.remember(message("user", ABORTED))


@serves(THREAD_COMPACT_START)
def thread_compact_start(
    thread: "LoadedThread",
    params: ThreadCompactStartParams,  # noqa: ARG001
) -> ThreadCompactStartResponse:
    """A turn that is running is interrupted for it (observed)."""
    thread.afterwards(lambda _: thread.nursery.start_soon(_compact, thread))
    return ThreadCompactStartResponse()


async def _compact(thread: "LoadedThread") -> None:
    while thread.turn is not None:
        thread.turn.give_way()
        await thread.turn.ended.wait()
    thread.turn = CompactTurn(thread)
    await thread.turn.run()


# ---- rollback


@serves(THREAD_ROLLBACK)
def thread_rollback(thread: "LoadedThread", params: ThreadRollbackParams) -> ThreadRollbackResponse:
    """Take back the last turns; more than there are is all of them (observed)."""
    if params.num_turns < 1:
        raise invalid("numTurns must be >= 1")
    rollout = _rollout_to_cut(thread)
    rollout.rolled_back(params.num_turns)
    loaded = replay(rollout.path)
    thread.history = History(loaded.items)
    thread.turns, thread.window = loaded.turns, loaded.compactions
    thread.usage_turn_id = loaded.turns[-1].id if loaded.turns else ""
    thread.told = birth.told(thread, loaded)
    recount(thread)
    thread.tell_usage(new_id())
    thread.show()
    return ThreadRollbackResponse(replace(thread.thread, turns=loaded.turns))


def _rollout_to_cut(thread: "LoadedThread") -> Rollout:
    """Observed: a thread that cannot be rolled back counts as broken, until its next turn."""
    if thread.turn is not None:
        problem = "Cannot rollback while a turn is in progress."
    elif thread.rollout is None:
        problem = "thread rollback requires persisted thread history"
    elif not thread.rollout.exists:
        problem = (
            "failed to load thread history for rollback replay: "
            f"{thread.rollout.path} appears with the first user message"
        )
    else:
        return thread.rollout
    thread.broken()
    raise invalid(problem)


# ---- what the thread's file says of it


@serves(THREAD_METADATA_UPDATE)
def thread_metadata_update(
    thread: "LoadedThread", params: ThreadMetadataUpdateParams
) -> ThreadMetadataUpdateResponse:
    if thread.rollout is None:
        raise invalid(f"ephemeral thread does not support metadata updates: {thread.thread.id}")
    found = _meta(thread.rollout)
    meta.set_git(found, params.git_info)
    thread.rollout.append("session_meta", found)
    thread.git_info = thread.thread.git_info = meta.git_info(found)
    thread.show()
    return ThreadMetadataUpdateResponse(thread.thread)


@serves(THREAD_MEMORY_MODE_SET)
def thread_memory_mode_set(
    thread: "LoadedThread", params: ThreadMemoryModeSetParams
) -> ThreadMemoryModeSetResponse:
    if thread.rollout is None:
        raise invalid(f"ephemeral thread does not support memory mode updates: {thread.thread.id}")
    found = _meta(thread.rollout)
    found.memory_mode = params.mode
    thread.rollout.append("session_meta", found)
    thread.show()
    return ThreadMemoryModeSetResponse()


def _meta(rollout: Rollout) -> SessionMeta:
    """Observed: a thread that is labelled before it has said anything appears on disk."""
    rollout.materialize()
    found = meta.read(rollout.path)
    if found is None:
        raise RpcError(INTERNAL_ERROR, f"{rollout.path} has no session_meta line to change")
    return found


# ---- commands left behind


@serves(THREAD_BACKGROUND_TERMINALS_CLEAN)
def thread_background_terminals_clean(
    thread: "LoadedThread",
    params: ThreadBackgroundTerminalsCleanParams,  # noqa: ARG001
) -> ThreadBackgroundTerminalsCleanResponse:
    thread.sessions.clean()
    return ThreadBackgroundTerminalsCleanResponse()
