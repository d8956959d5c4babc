"""The actor of one loaded thread: its state and its mailbox.

Mailbox handlers are plain functions that start and cancel tasks and never do the work, so a busy
thread still answers: `turn/interrupt` always gets through.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
import trio
from msgspec import Struct
from msgspec.structs import replace

from protocol import stored
from protocol.account import AccountRateLimitsUpdatedNotification, RateLimitSnapshot
from protocol.agent import AGENT_CALLS
from protocol.errors import INTERNAL_ERROR, RpcError
from protocol.frames import (
    Agent,
    Answered,
    Call,
    Down,
    Equip,
    Failed,
    Log,
    Refused,
    Reply,
    Rest,
    StartThread,
    State,
    Token,
    Update,
)
from protocol.methods import (
    ACCOUNT_RATE_LIMITS_UPDATED,
    REQUESTS,
    THREAD_STATUS_CHANGED,
    THREAD_TOKEN_USAGE_UPDATED,
    WARNING,
)
from protocol.row import Notification
from protocol.thread import (
    ActiveStatus,
    GitInfo,
    IdleStatus,
    SystemErrorStatus,
    Thread,
    ThreadStatus,
    ThreadStatusChangedNotification,
    ThreadTokenUsage,
    ThreadTokenUsageUpdatedNotification,
    TokenUsageBreakdown,
    WarningNotification,
)
from protocol.turn import Turn
from workers import (
    agent,
    birth,
    elicitation,
    goal,
    injection,
    maintenance,
    review,
    turn,
    usershell,
)
from workers.agents import Agents
from workers.approval import Approvals
from workers.context import Told
from workers.docs import Docs
from workers.elicitation import Elicitations
from workers.goal import Pursuit
from workers.guardian import Guardian, denial
from workers.history import History
from workers.hooks.runs import Hooks
from workers.link import Link
from workers.mailbox import HANDLERS
from workers.mcp import servers
from workers.mcp.servers import Servers
from workers.network import ThreadNetwork
from workers.provider import Provider, Usage
from workers.questions import Questions
from workers.realtime import handlers as realtime
from workers.realtime.conversation import Conversation
from workers.renewal import Renewal
from workers.rollout import Rollout
from workers.running import RunningTurn
from workers.tools.dynamic import DynamicTools
from workers.tools.sessions import Sessions

P = TypeVar("P", bound=Struct)
R = TypeVar("R", bound=Struct)

# Importing a file enters its handlers.
SERVING = (
    agent,
    birth,
    denial,
    elicitation,
    goal,
    injection,
    maintenance,
    realtime,
    review,
    servers,
    turn,
    usershell,
)

_encode = msgspec.json.Encoder().encode


class LoadedThread:
    """One thread, loaded.  `turn` is the running turn, if any."""

    def __init__(self, spec: StartThread, link: Link, nursery: trio.Nursery) -> None:
        self.spec = spec
        self.settings = spec.settings
        self.link = link
        self.nursery = nursery
        self.thread: Thread  # set by `birth`, as are the five below
        self.rollout: Rollout | None = None
        self.history = History()
        self.approvals = Approvals(spec.settings)
        self.sessions = Sessions(nursery)
        self.network = ThreadNetwork(self)
        self.provider: Provider | None = None
        self.turn: RunningTurn | None = None
        self.usage: ThreadTokenUsage | None = None
        self.usage_turn_id = ""  # the turn that counted last
        self.git_info: GitInfo | None = None  # told once the thread is on disk (observed)
        self.turns: list[Turn] = []  # those that the file had when it was loaded
        self.stillborn: RpcError | None = None
        self.elicitations = Elicitations()
        self.pursuit = Pursuit(self)
        self.window = 0  # counts compactions; part of what the provider is told
        self.told: Told | None = None
        self.dynamic = DynamicTools([])
        self.servers = Servers(self)
        self.renewal = Renewal(link)
        self.docs = Docs("", ())
        self.questions = Questions(link, self.active)
        self.agents = Agents(self)
        self.duty = agent.duty(spec, link)
        self.guardian = Guardian(self)
        self.hooks = Hooks(self)
        self.realtime = Conversation(self)
        self._afterwards: list[Callable[[int], None]] = []

    # ---- the mailbox

    def take(self, frame: Down) -> None:
        match frame:
            case Call(n, method, params):
                self._call(n, method, params)
            case Answered() | Refused():
                self.questions.settle(frame)
            case Agent() | Reply() | Failed():
                self.agents.take(frame)
            case Update(name, path):
                self._update(name, path)
            case Token():
                self.renewal.take(frame)
            case Equip(servers, hooks):
                self.servers.replace(servers)
                self.settings = replace(self.settings, hooks=hooks)
            case Rest():
                self.pursuit.ends = True
            case _:
                pass  # the business of whoever reads the link

    def _call(self, n: int, method: str, params: bytes) -> None:
        try:
            result = self._answer(method, params)
        except RpcError as error:
            self.link.send(Failed(n, error.code, error.message, error.data))
        except Exception as error:  # noqa: BLE001 - one of the two places that catch broadly
            self.report(error)
            self.link.send(Failed(n, INTERNAL_ERROR, f"{method} failed: {error!r}"))
        else:
            if isinstance(result, Struct):
                self.link.send(Reply(n, _encode(result)))
            else:
                self.nursery.start_soon(self._answer_later, n, method, result)
            for tell in self._afterwards:
                tell(n)
        self._afterwards.clear()

    async def _answer_later(self, n: int, method: str, result: Awaitable[Struct]) -> None:
        try:
            self.link.send(Reply(n, _encode(await result)))
        except RpcError as error:
            self.link.send(Failed(n, error.code, error.message, error.data))
        except Exception as error:  # noqa: BLE001 - as above
            self.report(error)
            self.link.send(Failed(n, INTERNAL_ERROR, f"{method} failed: {error!r}"))

    def _answer(self, method: str, params: bytes) -> Struct | Awaitable[Struct]:
        if self.stillborn is not None:
            raise self.stillborn
        row = AGENT_CALLS.get(method) or REQUESTS[method]
        return HANDLERS[method](self, row.decode(params))

    def _update(self, name: str | None, path: str | None) -> None:
        if self.stillborn is not None:
            return
        self.thread.name = name or self.thread.name
        if path is not None and self.rollout is not None:
            self.rollout.path = self.thread.path = path
        self.show()

    def report(self, error: Exception) -> None:
        """Give the operator the traceback of what should not have happened."""
        import traceback  # noqa: PLC0415 - never needed, one hopes

        self.link.send(Log("error", "".join(traceback.format_exception(error))))

    def afterwards(self, tell: Callable[[int], None]) -> None:
        """Do this right behind the reply that is being made; it gets the call's number."""
        self._afterwards.append(tell)

    def stored_turns(self) -> list[Turn]:
        """The turns as the file has them now, the running one marked as such."""
        if self.rollout is None or not self.rollout.exists:
            return []
        turns = stored.read_turns(self.rollout.path)
        if self.turn is not None and turns and turns[-1].id == self.turn.id:
            turns[-1].status = "inProgress"
        return turns

    def stored_as(self, preview: str) -> None:
        """The thread is on disk, with what a list of threads shows of it."""
        shown = self.thread
        shown.preview = shown.preview or preview
        shown.git_info = shown.git_info or self.git_info
        self.show()

    def keep(self, done: Turn, said: str | None, first_token_ms: int | None) -> None:
        """Write that a turn has ended, and ask the disk to keep what was written."""
        if self.rollout is None:
            return
        problem = self.rollout.turn_ended(done, last_message=said, first_token_ms=first_token_ms)
        if problem is not None:
            self.warn(problem)
        self.nursery.start_soon(self._sync, self.rollout)

    async def _sync(self, rollout: Rollout) -> None:
        try:
            await rollout.sync()
        except OSError as error:
            self.warn(str(error))

    def note(self, item: dict[str, Any]) -> None:
        """Have the model told: by the turn that runs, else when the next one does."""
        if self.turn is not None:
            self.turn.report(item)
            return
        self.history.add(item)
        try:
            if self.rollout is not None:
                self.rollout.item(item)
        except OSError as error:
            self.warn(str(error))

    def warn(self, problem: str) -> None:
        """Tell the clients and the operator what they must look after themselves."""
        self.link.send(Log("warning", problem))
        self.tell(WARNING, WarningNotification(message=problem, thread_id=self.thread.id))

    # ---- what clients hear

    def tell(self, row: Notification[P], params: P, only: int | None = None) -> None:
        self.link.event(row.name, row.encode(params), only)

    def show(self) -> None:
        """Let the supervisor know what it must be able to say."""
        self.link.send(
            State(
                thread=self.thread,
                turn_id=self.turn.id if self.turn else None,
                stored=self.rollout is not None and self.rollout.exists,
            )
        )

    def set_status(self, status: ThreadStatus) -> None:
        self.thread.status = status
        self.show()
        change = ThreadStatusChangedNotification(status=status, thread_id=self.thread.id)
        self.tell(THREAD_STATUS_CHANGED, change)

    def idle(self) -> None:
        self.set_status(IdleStatus())

    def active(self) -> None:
        """Also without a turn, while a client is asked something."""
        flags = self.questions.flags
        if self.turn is None and not flags:
            self.idle()
        else:
            self.set_status(ActiveStatus(active_flags=flags))

    def broken(self) -> None:
        self.set_status(SystemErrorStatus())

    def count(self, turn_id: str, usage: Usage, context_window: int | None) -> None:
        """Add one response's tokens."""
        self.usage_turn_id = turn_id
        last = TokenUsageBreakdown(
            cached_input_tokens=usage.cached_input_tokens,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            reasoning_output_tokens=usage.reasoning_output_tokens,
            total_tokens=usage.total_tokens,
        )
        before = self.usage.total if self.usage else TokenUsageBreakdown(0, 0, 0, 0, 0)
        total = TokenUsageBreakdown(
            *(
                a + b
                for a, b in zip(
                    msgspec.structs.astuple(before), msgspec.structs.astuple(last), strict=True
                )
            )
        )
        self.usage = ThreadTokenUsage(last=last, total=total, model_context_window=context_window)

    def tell_usage(self, turn_id: str | None = None, only: int | None = None) -> None:
        """Also to one client alone, and then as of the turn that counted last."""
        if self.usage is not None:
            told = ThreadTokenUsageUpdatedNotification(
                thread_id=self.thread.id,
                token_usage=self.usage,
                turn_id=turn_id or self.usage_turn_id,
            )
            self.tell(THREAD_TOKEN_USAGE_UPDATED, told, only)

    def tell_rate_limits(self, snapshot: RateLimitSnapshot) -> None:
        told = AccountRateLimitsUpdatedNotification(rate_limits=snapshot)
        self.tell(ACCOUNT_RATE_LIMITS_UPDATED, told)

    # ---- the end

    async def end(self) -> None:
        """Stop the turn and the commands, and leave the rollout whole."""
        if self.turn is not None:
            self.turn.give_way()
            await self.turn.ended.wait()
        self.realtime.close()
        await self.sessions.aclose()
        await self.servers.aclose()
        self.network.close()
        self.guardian.close()
        if self.rollout is not None:
            self.rollout.close()
        if self.provider is not None:
            await self.provider.aclose()
