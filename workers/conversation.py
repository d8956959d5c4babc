"""Model and tools take turns until the model has nothing more to do.

A request carries everything so far; the response's calls are served while it still streams; their
outputs go into the next request, in the order of the calls.
"""

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import trio

from protocol import catalogue
from protocol.ids import new_id
from protocol.item import HookPrompt
from workers import context, request, tokens
from workers.compaction import compact, due
from workers.history import ABORTED, hook_prompt, message, output
from workers.hooks.runs import Halted
from workers.input import skill_items, typed, user_item
from workers.item import Answer
from workers.provider import ProviderError
from workers.retry import retrying
from workers.tools import Call, Content, Tool, ToolFailure, TurnAborted
from workers.tools.goal import UPDATE_GOAL
from workers.tools.registry import offered, serving

if TYPE_CHECKING:
    from workers.running import RunningTurn


class Conversation:
    """The requests of one turn."""

    def __init__(self, turn: "RunningTurn") -> None:
        self._turn = turn
        self._thread = turn.thread
        self._calls: list[dict[str, Any]] = []
        self._outputs: dict[int, Content] = {}
        self._broken: OSError | None = None
        self._nursery: trio.Nursery
        self._serving: list[tuple[bool, trio.Event]] = []  # of each call: alone?, done
        self._over = trio.Event()  # the response has come to its end
        self._kept_going = False  # by a hook that did not want the turn to end
        self._model = catalogue.describe(turn.settings.model)

    async def run(self) -> None:
        """Raises ProviderError when the model cannot be had."""
        self._turn.record_start()
        try:
            await self._thread.servers.prepare()
            if due(self._thread):
                await compact(self._turn)
            await self._prepare()
            while await self._go_on():
                pass
        except Halted:
            self._settle()
            if self._thread.rollout is not None:
                self._thread.rollout.materialize()  # though the user may not have been heard
        except BaseException:
            self._abandon()
            raise

    async def _go_on(self) -> bool:
        """One response and what comes of it; whether there is to be another."""
        turn = self._turn
        await self._respond()
        if not self._calls and not turn.steered and not turn.reports:
            return await self._kept_from_ending()
        called = {item.get("name") for item in self._calls}
        self._settle()
        if called - {UPDATE_GOAL.name}:  # which accounts for itself
            turn.pursuit.account_calls(turn)
        if due(self._thread):
            await compact(turn, midway=True)
        return await self._hear_steered() or bool(called)

    async def _kept_from_ending(self) -> bool:
        """Whether hooks have more for the model to do; the client sees it as an item."""
        turn = self._turn
        fragments = await turn.hooks.stopping(turn, turn.said, again=self._kept_going)
        if not fragments:
            return bool(turn.steered)  # meanwhile
        self._kept_going = True
        turn.remember(hook_prompt(fragments))
        turn.completed(HookPrompt(fragments, new_id()))
        return True

    async def _prepare(self) -> None:
        """Tell the model where it is and what the user says."""
        turn, thread = self._turn, self._thread
        told, thread.told = context.items(thread.told, turn.settings, thread.docs)
        for item in told:
            turn.remember(item)
        if thread.rollout is not None:
            thread.rollout.turn_context(turn.settings, turn.id)
        for item in turn.opening:
            turn.remember(item)
        self._tell_context(await turn.hooks.session_start(turn))
        if turn.params.input:
            await self._hear(turn.params.input)

    def _tell_context(self, texts: list[str]) -> None:
        for text in texts:
            self._turn.remember(message("developer", text))

    async def _hear(self, inputs: list[Any]) -> None:
        """Raises Halted when a hook does not want the model to be told."""
        contexts = await self._turn.hooks.prompted(self._turn, typed(inputs))
        said = user_item(inputs)
        if said is not None:
            self._turn.remember(said)
        self._turn.hear(inputs)
        for item in skill_items(inputs, self._turn.settings):
            self._turn.remember(item)
        self._tell_context(contexts)

    async def _hear_steered(self) -> bool:
        """Whether there is something new for the model."""
        new = bool(self._turn.reports)
        self._turn.take_reports()
        waiting, self._turn.steered = self._turn.steered, []
        for inputs in waiting:
            with suppress(Halted):  # what was said before still holds
                await self._hear(inputs)
                new = True
        return new

    @property
    def _window(self) -> int:
        return self._model.window(self._turn.settings.context_window)

    # ---- one response

    async def _respond(self) -> None:
        """One response, tried again as often as the provider's settings allow."""
        try:
            await retrying(self._turn, self._try)
        except ProviderError as error:
            if error.info == "contextWindowExceeded":
                self._overflow()
            raise

    def _overflow(self) -> None:
        """The context is full; so the next turn begins with a compaction."""
        thread = self._thread
        thread.usage = tokens.overflowed(self._window)
        if thread.rollout is not None:
            thread.rollout.token_count(thread.usage)
        thread.tell_usage(self._turn.id)

    async def _try(self) -> None:
        self._settle()
        turn = self._turn
        mode = turn.settings.collaboration_mode
        plan = mode is not None and mode.mode == "plan"
        answer = Answer(turn, plan_mode=plan)
        failure: ProviderError | OSError | None = None
        self._calls, self._outputs, self._serving, self._broken = [], {}, [], None
        self._over = trio.Event()
        turn.called = self._called
        async with trio.open_nursery() as self._nursery:
            try:
                await self._stream(answer)
            except (ProviderError, OSError) as error:
                failure = error  # what was called meanwhile is still served, and its output kept
            self._over.set()
        turn.said = answer.said or turn.said
        if failure := failure or self._broken:
            raise failure

    async def _stream(self, answer: Answer) -> None:
        turn, thread = self._turn, self._thread
        asked = request.build(
            turn.settings,
            **request.speaker(thread.thread),
            turn_id=turn.id,
            items=thread.history.for_request(),
            tools=offered(turn.settings, self._model, thread.dynamic, thread.servers),
            instructions=context.base_instructions(turn.settings),
            window=thread.window,
            output_schema=turn.params.output_schema,
            strict_schema=turn.strict_schema,
            client_metadata=turn.params.responsesapi_client_metadata,
            started_at_ms=turn.started_at_ms,
        )
        thread.tell_usage(turn.id)
        assert thread.provider is not None, "a stillborn thread runs no turns"
        async with thread.provider.stream(asked) as batches:
            async for batch in batches:
                if turn.first_token_ms is None:
                    turn.first_token_ms = time.time_ns() // 1_000_000 - turn.started_at_ms
                with thread.link.together():
                    answer.take(batch)
                await thread.link.wait_room()
        if answer.usage is not None:
            thread.count(turn.id, answer.usage, self._window)
        if thread.rollout is not None:
            thread.rollout.token_count(thread.usage)
        thread.tell_usage(turn.id)

    # ---- the calls of one response

    def _called(self, item: dict[str, Any]) -> None:
        """The model has made a call: serve it while the response goes on."""
        call, place, thread = _call(item), len(self._calls), self._thread
        self._calls.append(item)
        tool = serving(call, self._turn.settings, self._model, thread.dynamic, thread.servers)
        self._serving.append((tool is not None and tool.alone, trio.Event()))
        if tool is None:
            self._outputs[place] = f"unsupported call: {call.namespace or ''}{call.name}"
            self._serving[place][1].set()
        else:
            self._nursery.start_soon(self._serve, place, tool, call)

    async def _serve(self, place: int, tool: Tool, call: Call) -> None:
        await self._wait_clear(place)
        if tool.late:
            await self._over.wait()
        try:
            self._outputs[place] = await tool.serve(self._turn, call)
        except ToolFailure as failure:
            self._outputs[place] = str(failure)
        except TurnAborted:
            self._turn.scope.cancel()
        except OSError as error:  # the thread's file cannot be written; the turn cannot go on
            self._broken = error
        finally:
            self._serving[place][1].set()

    async def _wait_clear(self, place: int) -> None:
        """Return once no earlier call is in the way: commands overlap, all else comes in order."""
        alone, _ = self._serving[place]
        for was_alone, done in self._serving[:place]:
            if alone or was_alone:
                await done.wait()

    def _settle(self) -> None:
        """Put advice and outputs into the history, these in the order of the calls."""
        advice, self._turn.advice = self._turn.advice, []
        for role, text in advice:
            self._turn.remember(message(role, text))
        for place, item in enumerate(self._calls):
            if place in self._outputs:
                self._turn.remember(output(item, self._outputs[place]))
        self._calls, self._outputs = [], {}

    def _abandon(self) -> None:
        """The turn was cut off: every call gets an output, and the model is told why."""
        seconds = time.time() - self._turn.started_at_ms / 1000
        interrupted = self._turn.scope.cancel_called
        for place, _ in enumerate(self._calls):
            self._outputs.setdefault(place, f"aborted by user after {seconds:.1f}s")
        self._settle()
        if interrupted:
            self._turn.remember(message("user", ABORTED))


def _call(item: dict[str, Any]) -> Call:
    match item["type"]:
        case "custom_tool_call":
            arguments = item.get("input") or ""
        case "local_shell_call":
            import msgspec  # noqa: PLC0415 - an old kind of call

            arguments = msgspec.json.encode(item.get("action")).decode()
            return Call(item.get("call_id") or item.get("id") or "", "local_shell", arguments)
        case _:
            arguments = item.get("arguments") or ""
    return Call(item.get("call_id") or "", item.get("name") or "", arguments, item.get("namespace"))
