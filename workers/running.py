"""One turn: the model and its tools in one cancel scope.

`turn/start` begins it, `turn/steer` gives it more to read, `turn/interrupt` cancels the scope.  A
turn is over only when nothing of it is left: `turn/completed` is the last thing that is said of it.
"""

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import trio
from msgspec import Struct

from protocol import catalogue
from protocol.account import RateLimitSnapshot
from protocol.errors import RpcError
from protocol.ids import new_id
from protocol.item import (
    AgentMessage,
    ItemCompletedNotification,
    ItemStartedNotification,
    TextInput,
    ThreadItem,
    UserInput,
    UserMessage,
)
from protocol.methods import (
    ERROR,
    ITEM_COMPLETED,
    ITEM_STARTED,
    RAW_RESPONSE_ITEM_COMPLETED,
    TURN_COMPLETED,
    TURN_STARTED,
)
from protocol.overrides import placed
from protocol.row import Method, Notification
from protocol.settings import Settings
from protocol.thread import SystemErrorStatus
from protocol.turn import (
    ErrorNotification,
    NonSteerableTurnKind,
    RawResponseItemCompletedNotification,
    Turn,
    TurnCompletedNotification,
    TurnError,
    TurnStartedNotification,
    TurnStartParams,
    TurnStatus,
)
from workers.company import Company
from workers.conversation import Conversation
from workers.history import OUTPUTS, kept
from workers.notify import notify
from workers.provider import ProviderError
from workers.tools.diff import TurnDiff

if TYPE_CHECKING:
    from workers.agents import Agents
    from workers.approval import Approvals
    from workers.approval.review import ReviewRequest
    from workers.approval.verdict import Verdict
    from workers.elicitation import Elicitations
    from workers.goal import Pursuit
    from workers.hooks.runs import Hooks
    from workers.mcp.servers import Servers
    from workers.network import ThreadNetwork
    from workers.thread import LoadedThread
    from workers.tools.sessions import Sessions

P = TypeVar("P", bound=Struct)
R = TypeVar("R", bound=Struct)


def _ms() -> int:
    return time.time_ns() // 1_000_000


class RunningTurn:
    """What its tools and its conversation may do; see `workers.tools.Turn`."""

    kind: NonSteerableTurnKind | None = None  # what it is when it takes no input of the user
    strict_schema = True  # whether the model may leave nothing out of what is asked for

    def __init__(self, thread: "LoadedThread", params: TurnStartParams) -> None:
        self.id = new_id()
        self.thread = thread
        self.thread_id = thread.thread.id
        self.params = params
        self.scope = trio.CancelScope()
        self.ended = trio.Event()
        self.diff = TurnDiff(self.settings.cwd)
        self.started_at_ms = _ms()
        self.opening: list[dict[str, Any]] = []  # for the model, ahead of the input
        self.steered: list[list[UserInput]] = []
        self.advice: list[tuple[str, str]] = []  # role, text; ahead of the outputs of calls
        self.noticed: set[Notification[Any]] = set()  # what is told once in a turn
        self.heard: list[str] = []  # what the user has said
        self.said: str | None = None  # the last message of the assistant
        self.first_token_ms: int | None = None
        self.called: Callable[[dict[str, Any]], None]  # set by the conversation
        self.reports = thread.guardian.take_overruled()  # on what the user has done, for the model
        self.gives_way = False  # to something else, so its end is nobody's wish
        self._nursery: trio.Nursery | None = None
        self._early: list[Callable[[], Awaitable[None]]] = []
        self._company = Company()
        self._status: TurnStatus = "interrupted"  # until something better is known
        self._error: TurnError | None = None

    # ---- what tools see

    @property
    def settings(self) -> Settings:
        return placed(self.thread.settings, self.params.environments)

    @property
    def approvals(self) -> "Approvals":
        return self.thread.approvals

    @property
    def sessions(self) -> "Sessions":
        return self.thread.sessions

    @property
    def elicitations(self) -> "Elicitations":
        return self.thread.elicitations

    @property
    def pursuit(self) -> "Pursuit":
        return self.thread.pursuit

    @property
    def agents(self) -> "Agents":
        return self.thread.agents

    @property
    def servers(self) -> "Servers":
        return self.thread.servers

    @property
    def hooks(self) -> "Hooks":
        return self.thread.hooks

    @property
    def network(self) -> "ThreadNetwork":
        return self.thread.network

    def started(self, item: ThreadItem) -> None:
        said = ItemStartedNotification(
            item=item, started_at_ms=_ms(), thread_id=self.thread_id, turn_id=self.id
        )
        self.tell(ITEM_STARTED, said)

    def completed(self, item: ThreadItem) -> None:
        if self.thread.rollout is not None:
            self.thread.rollout.item_completed(item, self.id)
        if isinstance(item, AgentMessage):
            self.thread.realtime.answered(item.text)
        said = ItemCompletedNotification(
            completed_at_ms=_ms(), item=item, thread_id=self.thread_id, turn_id=self.id
        )
        self.tell(ITEM_COMPLETED, said)

    def tell(self, row: Notification[P], params: P) -> None:
        self.thread.tell(row, params)

    def tell_encoded(self, method: str, body: bytes) -> None:
        self.thread.link.event(method, body)

    async def ask(self, row: Method[P, R], params: P) -> R:
        return await self.thread.questions.ask(row, params)

    async def review(self, request: "ReviewRequest") -> "Verdict":
        return await self.thread.guardian.review(self, request)

    def advise(self, text: str, role: Literal["user", "developer"] = "user") -> None:
        self.advice.append((role, text))

    def record(self, event: dict[str, Any]) -> None:
        if self.thread.rollout is not None:
            self.thread.rollout.event(event)

    # ---- what its conversation does

    def answered(self, item: dict[str, Any]) -> None:
        """An item of a response is whole: the model will see it again, and a call is served."""
        if (again := kept(item)) is not None:
            self.remember(again)
        if item.get("type") in OUTPUTS:
            self.called(item)

    def rate_limits(self, snapshot: RateLimitSnapshot) -> None:
        self.thread.tell_rate_limits(snapshot)

    def remember(self, item: dict[str, Any]) -> None:
        """Add an item to what the model knows, on disk too."""
        self.thread.history.add(item)
        if self.thread.rollout is not None:
            self.thread.rollout.item(item)
        if self.thread.spec.raw_events:
            raw = RawResponseItemCompletedNotification(
                item=item, thread_id=self.thread_id, turn_id=self.id
            )
            self.tell(RAW_RESPONSE_ITEM_COMPLETED, raw)

    def hear(self, inputs: list[UserInput]) -> None:
        """Show what the user said as an item of the turn."""
        item, text = UserMessage(content=inputs, id=new_id()), _text(inputs)
        if self.thread.rollout is not None:
            self.thread.rollout.user_message(inputs)
            self.thread.stored_as(text)
        self.started(item)
        self.completed(item)
        self.heard.append(text)
        self.thread.realtime.typed(text)

    def warn_retry(self, error: ProviderError, attempt: int, limit: int) -> None:
        notice = TurnError(
            message=f"Reconnecting... {attempt}/{limit}",
            additional_details=error.message,
            codex_error_info=error.retry_info,
        )
        self._tell_error(notice, will_retry=True)

    def _tell_error(self, error: TurnError, *, will_retry: bool) -> None:
        said = ErrorNotification(
            error=error, thread_id=self.thread_id, turn_id=self.id, will_retry=will_retry
        )
        self.tell(ERROR, said)

    def report(self, item: dict[str, Any]) -> None:
        """Have the model told at the next chance, in this turn or the next."""
        self.reports.append(item)

    def take_reports(self) -> None:
        waiting, self.reports = self.reports, []
        for item in waiting:
            self.remember(item)

    def record_start(self) -> None:
        rollout, settings = self.thread.rollout, self.settings
        window = catalogue.describe(settings.model).window(settings.context_window)
        if rollout is not None:
            rollout.turn_started(
                self.id, settings, context_window=window, started_at_ms=self.started_at_ms
            )

    # ---- its life

    async def run(self) -> None:
        """Begin, converse, end; whatever happens, say how it ended."""
        try:
            if self.is_empty:
                self._fail(TurnError("input must not be empty", codex_error_info="badRequest"))
                return
            self._begin()
            with self.scope:
                async with trio.open_nursery() as self._nursery:
                    for task in self._early:
                        self._nursery.start_soon(task)
                    await self._converse()
                    self._company.close()
        except Exception as error:  # noqa: BLE001 - a fault that met an interrupt, or in `beside`
            self._fault(error)
        finally:
            self._end()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to be done in it."""
        return not self.params.input and self.kind is None

    def beside(self, task: Callable[[], Awaitable[None]]) -> None:
        """Run something else within the turn, which then ends no sooner.  It may not fail."""
        if self._nursery is None:
            self._early.append(task)
        else:
            self._nursery.start_soon(task)

    def steer(self, inputs: list[UserInput]) -> None:
        """Take more to read."""
        self.steered.append(inputs)
        self.thread.agents.steered()

    def accompany(self, task: Callable[[], Awaitable[None]]) -> bool:
        """Run something else for as long as the turn has work; False when it has no more.

        It may not fail, and it is cancelled when nothing else is left to be done.
        """
        if self._nursery is None or self._company.closed:
            return False
        self._nursery.start_soon(self._company.keep, task)
        return True

    def _begin(self) -> None:
        self.pursuit.turn_started()
        self.thread.active()
        if self.thread.duty is not None:
            self.thread.duty.fares("running")
        started = self.snapshot()
        started.started_at = self.started_at_ms // 1000
        self.tell(TURN_STARTED, TurnStartedNotification(thread_id=self.thread_id, turn=started))

    def give_way(self) -> None:
        """End it for something else that is about to happen."""
        self.gives_way = True
        self.scope.cancel()

    async def _converse(self) -> None:
        try:
            await self.work()
            self._status = "completed"
        except ProviderError as error:
            self._fail(TurnError(message=error.message, codex_error_info=error.info))
        except RpcError as error:  # it turned out that nothing can be done about the request
            self._fail(TurnError(message=error.message, codex_error_info="badRequest"))
        except OSError as error:
            self._fail(TurnError(message=f"the turn could not go on: {error}"))
        except Exception as error:  # noqa: BLE001 - the other place that catches broadly
            self._fault(error)

    async def work(self) -> None:
        """Raises ProviderError, OSError."""
        await Conversation(self).run()
        notify(self)

    def _fault(self, error: Exception) -> None:
        self.thread.report(error)
        self._fail(TurnError(message=f"Atrio failed: {error!r}"))

    def _fail(self, error: TurnError) -> None:
        self._status, self._error = "failed", error
        self.thread.broken()
        self._tell_error(error, will_retry=False)

    def _end(self) -> None:
        with suppress(OSError):  # what could not be written is in memory, and tried again below
            self.take_reports()
        if self._status != "interrupted":
            self.pursuit.turn_ending(self.id)
        completed_ms = _ms()
        done = self.snapshot()
        done.status = self._status
        done.error = self._error
        done.started_at = self.started_at_ms // 1000
        done.completed_at = completed_ms // 1000
        done.duration_ms = completed_ms - self.started_at_ms
        self.thread.keep(done, self.said, self.first_token_ms)
        self.thread.turn = None
        self.thread.thread.updated_at = done.completed_at
        if isinstance(self.thread.thread.status, SystemErrorStatus):
            self.thread.show()  # a failed turn or rollback shows until the next turn (observed)
        else:
            self.thread.idle()
        self.tell(TURN_COMPLETED, TurnCompletedNotification(thread_id=self.thread_id, turn=done))
        self.thread.questions.withdraw()
        if self.thread.duty is not None:
            self.thread.duty.ended(done, self.said)
        self.thread.realtime.turn_ended(self.said, self._problem)
        self.ended.set()
        self.pursuit.turn_ended(self, self._status)

    @property
    def _problem(self) -> str | None:
        """Why it has not come to its end, in words."""
        if self._error is not None:
            return f"The task failed: {self._error.message}"
        return "The user interrupted the task." if self._status == "interrupted" else None

    def snapshot(self) -> Turn:
        """The turn as an answer shows it: nothing of it is known to be over."""
        return Turn(id=self.id, items=[], status="inProgress", items_view="notLoaded")


def _text(inputs: list[UserInput]) -> str:
    return "".join(part.text for part in inputs if isinstance(part, TextInput))
