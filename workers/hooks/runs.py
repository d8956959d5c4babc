"""The hooks of one thread: run those that an event is for, and say what they have said.

All hooks of an event run at the same time; clients hear that each has begun, and how they have
ended in the order of the configuration (observed).
"""

import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import trio

from protocol.hook import (
    HookCompletedNotification,
    HookEventName,
    HookMetadata,
    HookRunSummary,
    HookStartedNotification,
)
from protocol.item import HookPromptFragment
from protocol.methods import HOOK_COMPLETED, HOOK_STARTED
from workers.hooks.output import TITLES, Effect, understood
from workers.hooks.program import run
from workers.hooks.subject import Subject
from workers.tools import Content, ToolFailure, Turn

if TYPE_CHECKING:
    from workers.thread import LoadedThread

_EXACT = re.compile(r"[A-Za-z0-9_|]+")
_encode = msgspec.json.Encoder().encode


class Halted(Exception):
    """A hook wants the turn to end, which then counts as completed."""


class Hooks:
    """What a thread does at each event.  `source` is how the thread came to be."""

    def __init__(self, thread: "LoadedThread") -> None:
        self._thread = thread
        self.source: Literal["startup", "resume", "clear"] | None = None
        """None once the hooks of its start have been run."""

    # ---- the events

    async def session_start(self, turn: Turn) -> list[str]:
        """In the first turn; what the model is to be told.  Raises Halted."""
        source, self.source = self.source, None
        if source is None:
            return []
        done = await self._run(turn, "sessionStart", {"source": source}, (source,))
        if done.stops:
            raise Halted
        return done.contexts

    async def prompted(self, turn: Turn, prompt: str) -> list[str]:
        """Before the model is told what the user says.  Raises Halted when it must not be."""
        done = await self._run(turn, "userPromptSubmit", {"prompt": prompt})
        if done.stops or done.objections:
            raise Halted
        return done.contexts

    async def before(self, turn: Turn, call: Subject) -> None:
        """Raises ToolFailure when the call must not be made."""
        facts = {"tool_name": call.names[0], "tool_input": call.input, "tool_use_id": call.call_id}
        done = await self._run(turn, "preToolUse", facts, call.names, call_id=call.call_id)
        _advise(turn, done)
        if done.objections:
            raise ToolFailure(call.blocked(done.objections[0]))

    async def permitted(self, turn: Turn, call: Subject) -> Effect:
        """Before the user is asked: `objections` refuse the call, `allows` answers with yes."""
        facts = {"tool_name": call.names[0], "tool_input": call.input}
        return await self._run(turn, "permissionRequest", facts, call.names, call_id=call.call_id)

    async def after(self, turn: Turn, call: Subject, response: Any, told: Content) -> Content:
        """What the model is told of a call that was made, instead of `told` if a hook objects."""
        facts = {
            "tool_name": call.names[0],
            "tool_input": call.input,
            "tool_response": response,
            "tool_use_id": call.call_id,
        }
        done = await self._run(turn, "postToolUse", facts, call.names, call_id=call.call_id)
        _advise(turn, done)
        return "\n\n".join(done.objections) if done.objections else told

    async def compacting(
        self, turn: Turn, event: Literal["preCompact", "postCompact"], *, manual: bool
    ) -> None:
        """Raises Halted."""
        trigger = "manual" if manual else "auto"
        if (await self._run(turn, event, {"trigger": trigger}, (trigger,))).stops:
            raise Halted

    async def stopping(
        self, turn: Turn, said: str | None, *, again: bool
    ) -> list[HookPromptFragment]:
        """Before a turn ends: what the model is to go on with, none to end.

        `again` says that it goes on for the sake of a hook already.
        """
        facts = {"stop_hook_active": again, "last_assistant_message": said}
        runs = await self._runs(turn, "stop", facts)
        if any(one.effect.stops for one in runs):
            return []
        return [HookPromptFragment(one.id, text) for one in runs for text in one.effect.objections]

    # ---- the runs

    async def _run(
        self,
        turn: Turn,
        event: HookEventName,
        facts: dict[str, Any],
        names: Sequence[str] = (),
        *,
        call_id: str | None = None,
    ) -> Effect:
        """All hooks that are for the event, to their end; what they say, together."""
        runs = await self._runs(turn, event, facts, names, call_id=call_id)
        return _together([one.effect for one in runs])

    async def _runs(
        self,
        turn: Turn,
        event: HookEventName,
        facts: dict[str, Any],
        names: Sequence[str] = (),
        *,
        call_id: str | None = None,
    ) -> "list[_Run]":
        chosen = [hook for hook in turn.settings.hooks if _is_for(hook, event, names)]
        if not chosen:
            return []
        told = _encode({**self._facts(turn, event), **facts})
        runs = [_Run(turn, hook, call_id) for hook in chosen]
        try:
            async with trio.open_nursery() as nursery:
                for one in runs:
                    one.begin()
                    nursery.start_soon(one.work, told, self._thread.thread.id)
        finally:
            for one in runs:
                one.end()
        return runs

    def _facts(self, turn: Turn, event: HookEventName) -> dict[str, Any]:
        """What every hook is told; a session begins in no turn, a compaction needs no leave."""
        thread, settings = self._thread, turn.settings
        asks = settings.approval_policy != "never"
        facts = {
            "session_id": thread.thread.id,
            "turn_id": turn.id,
            "transcript_path": None if thread.rollout is None else thread.rollout.path,
            "cwd": settings.cwd,
            "hook_event_name": TITLES[event],
            "model": settings.model,
            "permission_mode": "default" if asks else "bypassPermissions",
        }
        if event == "sessionStart":
            del facts["turn_id"]
        if event in ("preCompact", "postCompact"):
            del facts["permission_mode"]
        return facts


class _Run:
    """One hook at one event, as clients see it."""

    def __init__(self, turn: Turn, hook: HookMetadata, call_id: str | None) -> None:
        kind = re.sub(r"(?=[A-Z])", "-", hook.event_name).lower()
        id = f"{kind}:{hook.display_order}:{hook.source_path}"
        self.id = id if call_id is None else f"{id}:{call_id}"
        self.effect = Effect().fail("the hook was interrupted")
        self._turn, self._hook = turn, hook
        self._begun = time.time()

    def begin(self) -> None:
        told = HookStartedNotification(self._turn.thread_id, self._summary(), self._turn.id)
        self._turn.tell(HOOK_STARTED, told)

    async def work(self, told: bytes, thread_id: str) -> None:
        settings = self._turn.settings
        ran = await run(self._hook, told, settings.cwd, thread_id, settings.limits)
        self.effect = understood(self._hook.event_name, ran)

    def end(self) -> None:
        summary, now = self._summary(), time.time()
        summary.status, summary.entries = self.effect.status, self.effect.entries
        summary.completed_at = int(now)
        summary.duration_ms = round((now - self._begun) * 1000)
        told = HookCompletedNotification(self._turn.thread_id, summary, self._turn.id)
        self._turn.tell(HOOK_COMPLETED, told)

    def _summary(self) -> HookRunSummary:
        hook = self._hook
        return HookRunSummary(
            id=self.id,
            event_name=hook.event_name,
            handler_type=hook.handler_type,
            execution_mode="sync",
            scope="thread" if hook.event_name == "sessionStart" else "turn",
            source_path=hook.source_path,
            display_order=hook.display_order,
            status="running",
            started_at=int(self._begun),
            entries=[],
            source=hook.source,
            status_message=hook.status_message,
        )


def _is_for(hook: HookMetadata, event: HookEventName, names: Sequence[str]) -> bool:
    """Words and `|` are names; anything else is a regular expression to be found in one."""
    if hook.event_name != event:
        return False
    matcher = hook.matcher
    if not matcher or matcher == "*" or not names:
        return True
    if _EXACT.fullmatch(matcher):
        return not {*matcher.split("|")}.isdisjoint(names)
    return any(re.search(matcher, name) for name in names)


def _together(effects: list[Effect]) -> Effect:
    """Any objection counts, however many agree."""
    whole = Effect(
        stops=any(effect.stops for effect in effects),
        allows=any(effect.allows for effect in effects),
    )
    for effect in effects:
        whole.contexts += effect.contexts
        whole.objections += effect.objections
    return whole


def _advise(turn: Turn, done: Effect) -> None:
    for text in done.contexts:
        turn.advise(text, "developer")
