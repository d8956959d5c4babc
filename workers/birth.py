"""How a worker becomes a thread: new, loaded from its rollout, or forked from another's.

The spawn spec says which; the client's request comes right behind it and is answered here, with
everything that the client should know of its thread.
"""

import time
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from msgspec import UNSET
from msgspec.structs import replace

from protocol.agent import spawn_of
from protocol.config import ConfigWarningNotification, TextPosition, TextRange
from protocol.errors import INTERNAL_ERROR, RpcError
from protocol.loading import (
    ThreadForkParams,
    ThreadForkResponse,
    ThreadResumeParams,
    ThreadResumeResponse,
    ThreadStartParams,
    ThreadStartResponse,
)
from protocol.meta import git_info
from protocol.methods import (
    CONFIG_WARNING,
    DEPRECATION_NOTICE,
    THREAD_FORK,
    THREAD_RESUME,
    THREAD_START,
    THREAD_STARTED,
)
from protocol.settings import Provider as ProviderSettings
from protocol.thread import (
    DynamicToolSpec,
    IdleStatus,
    NotLoadedStatus,
    Thread,
    ThreadStartedNotification,
)
from protocol.turn import Turn
from sandbox import shortfall
from workers import docs, git, record
from workers.context import Told, base_instructions
from workers.environment import Environment, look
from workers.history import History, message_text, words
from workers.mailbox import serves
from workers.provider import Provider, ProviderError, Renew
from workers.replay import Replay, keeps_words, replay
from workers.rollout import Rollout
from workers.tools.dynamic import DynamicTools

if TYPE_CHECKING:
    from workers.thread import LoadedThread

R = TypeVar("R", bound=ThreadStartResponse)


def begin(thread: "LoadedThread") -> None:
    """Take on the thread of the spawn spec.

    What goes wrong with its file is kept as `stillborn`, to be answered to every request.
    """
    thread.docs = docs.read(thread.settings)
    try:
        thread.provider = open_provider(thread.settings.provider, thread.renewal.renew)
        loaded = replay(thread.spec.rollout) if thread.spec.rollout is not None else Replay()
        _continue(thread, loaded)
        _open(thread, loaded)
        thread.hooks.source = "resume" if thread.spec.resumed else "startup"
        if thread.spec.revived:
            thread.idle()
    except OSError as error:
        problem = f"cannot load the thread's file {thread.spec.rollout}: {error.strerror or error}"
        thread.stillborn = RpcError(INTERNAL_ERROR, problem)
    except ProviderError as error:
        thread.stillborn = RpcError(INTERNAL_ERROR, error.message)


def _continue(thread: "LoadedThread", loaded: Replay) -> None:
    """Go on where the file ends."""
    spec, context = thread.spec, loaded.context
    if context is not None and spec.keep_model:
        thread.settings = replace(
            thread.settings, model=context.model, effort=context.effort or None
        )
    items = spec.history or loaded.items
    thread.history = History(words(items) if spec.words_only else items)
    thread.usage, thread.window, thread.turns = loaded.usage, loaded.compactions, loaded.turns
    thread.usage_turn_id = loaded.usage_turn_id
    thread.pursuit.goal = None if spec.forked_from else loaded.goal
    thread.dynamic = DynamicTools(_dynamic_tools(thread, loaded))
    thread.told = told(thread, loaded)
    thread.thread = _describe(thread, loaded)
    if not spec.resumed:
        thread.git_info = git.git_info(thread.settings.cwd)


def _dynamic_tools(thread: "LoadedThread", loaded: Replay) -> list[DynamicToolSpec]:
    """The client's, for as long as there is the thread, and for its forks too (observed)."""
    return thread.spec.dynamic_tools or (loaded.meta and loaded.meta.dynamic_tools) or []


def told(thread: "LoadedThread", loaded: Replay) -> Told | None:
    """What the model knows; None (tell it all again) when its rights are not what they were."""
    settings, was = thread.settings, loaded.context
    if was is None or not loaded.told:
        return None
    rights = (settings.approval_policy, record.sandbox_policy(settings.sandbox_policy))
    if rights != (was.approval_policy, was.sandbox_policy):
        return None
    now = look(settings)
    then = Environment(
        was.cwd, now.shell, was.current_date or now.current_date, was.timezone or now.timezone
    )
    return Told(replace(settings, model=was.model, cwd=was.cwd), then)


def _describe(thread: "LoadedThread", loaded: Replay) -> Thread:
    spec, meta, now = thread.spec, loaded.meta, int(time.time())
    forked, spawn = spec.forked_from is not None, spawn_of(spec.source)
    return Thread(
        id=spec.thread_id,
        session_id=spec.session_id or spec.thread_id,
        forked_from_id=spec.forked_from or (meta.forked_from_id or None if meta else None),
        preview=loaded.preview or _preview(thread),
        ephemeral=spec.ephemeral,
        model_provider=thread.settings.provider.id,
        created_at=spec.created_at or now,
        updated_at=now if forked or spec.created_at is None else spec.updated_at or now,
        status=NotLoadedStatus() if spec.resumed else IdleStatus(),
        path=None,
        cwd=thread.settings.cwd,
        cli_version=(meta.cli_version if meta and not forked else thread.settings.cli_version),
        source=spec.source,
        thread_source=spec.thread_source,
        agent_nickname=spawn.agent_nickname if spawn else None,
        agent_role=spawn.agent_role if spawn else None,
        git_info=git_info(meta) if meta and not forked else None,
        name=spec.name,
        turns=[],
    )


def _preview(thread: "LoadedThread") -> str:
    for item in thread.spec.history or ():
        if item.get("role") == "user":
            return message_text(item)
    return ""


def _open(thread: "LoadedThread", loaded: Replay) -> None:
    """Open the thread's file for what is to come."""
    spec, shown = thread.spec, thread.thread
    if spec.ephemeral:
        return
    if spec.rollout is not None and spec.forked_from is None:
        thread.rollout = Rollout.open(spec.rollout, spec.thread_id)
        if thread.rollout.warning:
            thread.warn(thread.rollout.warning)
    else:
        created_ms = time.time_ns() // 1_000_000
        meta = record.session_meta(
            replace(shown, git_info=thread.git_info),
            thread.settings,
            created_at_ms=created_ms,
            base_instructions=base_instructions(thread.settings),
            dynamic_tools=_dynamic_tools(thread, loaded),
        )
        thread.rollout = Rollout.create(thread.settings.home, meta, created_ms)
        if spec.rollout is not None:
            keep = keeps_words if spec.words_only else None
            thread.rollout.copy_from(spec.rollout, loaded.size, keep)
        elif spec.history:
            thread.rollout.item(*spec.history)
            thread.rollout.materialize()
    shown.path = thread.rollout.path


# ---- the answers


def _response(kind: type[R], thread: "LoadedThread", turns: list[Turn]) -> R:
    if thread.stillborn is not None:
        raise thread.stillborn
    settings = thread.settings
    thread.afterwards(partial(_tell_problems, thread))
    return kind(
        thread=replace(thread.thread, turns=turns),
        model=settings.model,
        model_provider=settings.provider.id,
        service_tier=settings.service_tier,
        cwd=settings.cwd,
        instruction_sources=list(thread.docs.sources),
        approval_policy=settings.approval_policy,
        approvals_reviewer=settings.approvals_reviewer,
        sandbox=settings.sandbox_policy,
        permission_profile=settings.permission_profile,
        active_permission_profile=settings.active_permission_profile,
        reasoning_effort=settings.effort,
    )


@serves(THREAD_START)
def thread_start(thread: "LoadedThread", params: ThreadStartParams) -> ThreadStartResponse:
    response = _response(ThreadStartResponse, thread, [])
    thread.hooks.source = params.session_start_source or "startup"
    thread.show()
    thread.afterwards(partial(tell_started, thread))
    thread.afterwards(lambda _: thread.servers.start())
    return response


@serves(THREAD_RESUME)
def thread_resume(thread: "LoadedThread", params: ThreadResumeParams) -> ThreadResumeResponse:
    """Also for a client that joins a thread which is loaded already."""
    if thread.stillborn is None and isinstance(thread.thread.status, NotLoadedStatus):
        thread.idle()
    response = _response(
        ThreadResumeResponse, thread, [] if params.exclude_turns else thread.stored_turns()
    )
    thread.show()
    if not params.exclude_turns:
        thread.afterwards(lambda n: thread.tell_usage(only=n))
    thread.afterwards(thread.pursuit.show)
    thread.afterwards(lambda _: thread.servers.start())
    thread.afterwards(lambda _: thread.pursuit.pursue())
    return response


@serves(THREAD_FORK)
def thread_fork(thread: "LoadedThread", params: ThreadForkParams) -> ThreadForkResponse:
    response = _response(ThreadForkResponse, thread, [] if params.exclude_turns else thread.turns)
    thread.show()
    if not params.exclude_turns:
        thread.afterwards(lambda n: thread.tell_usage(only=n))
    thread.afterwards(partial(tell_started, thread))
    thread.afterwards(lambda _: thread.servers.start())
    return response


def _tell_problems(thread: "LoadedThread", n: int) -> None:
    """Rules that could not be read do not hold, nor does what cannot be enforced, and old settings
    may: the user should know."""
    settings = thread.settings
    notices, settings.notices = settings.notices, []
    for notice in notices:
        thread.tell(DEPRECATION_NOTICE, notice, only=n)
    if less := shortfall(settings.sandbox_policy, settings.permission_profile, settings.cwd):
        told = ConfigWarningNotification(summary=less[0], details=less[1])
        thread.tell(CONFIG_WARNING, told, only=n)
    for problem in thread.approvals.problems:
        at = TextPosition(column=problem.column, line=problem.line) if problem.line else None
        told = ConfigWarningNotification(
            summary="Error parsing rules; custom rules not applied.",
            details=str(problem),
            path=problem.path or UNSET,
            range=TextRange(start=at, end=at) if at else UNSET,
        )
        thread.tell(CONFIG_WARNING, told, only=n)


def tell_started(thread: "LoadedThread", _n: int = 0) -> None:
    thread.tell(THREAD_STARTED, ThreadStartedNotification(thread=thread.thread))


def open_provider(provider: ProviderSettings, renew: Renew | None = None) -> Provider:
    """The provider that the settings name; `renew` gives another token of the host's login.

    Raises ProviderError for a script that is none.
    """
    match provider.wire_api:
        case "responses":
            from workers.responses import ResponsesProvider  # noqa: PLC0415 - one is enough

            return ResponsesProvider(provider, renew=renew)
        case "scripted":
            from workers.scripted import DEMO, ScriptedProvider, load  # noqa: PLC0415

            return ScriptedProvider(load(provider.script or DEMO))
