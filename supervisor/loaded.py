"""One loaded thread: its worker, its listeners, and what can be said of it without asking."""

import logging
import time
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, assert_never

import trio

from protocol.envelope import Request
from protocol.errors import INTERNAL_ERROR, RpcError
from protocol.frames import (
    Ask,
    Call,
    Down,
    Event,
    Failed,
    Hello,
    Log,
    Reply,
    StartThread,
    State,
    Up,
    Withdrawn,
)
from protocol.methods import BROADCAST, ERROR, THREAD_STATUS_CHANGED, TURN_COMPLETED
from protocol.thread import (
    SystemErrorStatus,
    Thread,
    ThreadStatus,
    ThreadStatusChangedNotification,
)
from protocol.turn import ErrorNotification, Turn, TurnCompletedNotification, TurnError
from supervisor.connection import Connection
from supervisor.fanout import spread
from supervisor.worker import Worker

if TYPE_CHECKING:
    from supervisor.host import Host

LOST = "the thread's worker process died; the next request loads the thread again"

log = logging.getLogger("atrio.threads")


@dataclass(frozen=True, slots=True)
class Pending:
    """A call that a worker has not answered yet."""

    client: Connection
    request: Request
    subscribe: bool


class Loaded:
    """One loaded thread.  `worker` is None after its worker died."""

    def __init__(self, host: "Host", spec: StartThread, worker: Worker) -> None:
        self.host = host
        self.id = spec.thread_id
        self.spec = spec
        self.worker: Worker | None = worker
        self.thread: Thread | None = None
        self.turn_id: str | None = None
        self.stored = spec.rollout is not None and spec.forked_from is None
        self.subscribers: dict[Connection, None] = {}
        self.next_seq = spec.next_seq
        self.ending = False
        self._pending: dict[int, Pending] = {}
        self._replied: tuple[int, Connection]
        self._calls = 0
        self.born = False  # once it has answered well what it was loaded for
        self._changed = trio.Event()

    # ---- towards the worker

    def send(self, frame: Down) -> None:
        if self.worker is not None:
            self.worker.send(frame)

    def call(self, client: Connection, request: Request, *, subscribe: bool = False) -> None:
        """Pass a request on; `subscribe` makes the client a listener when it is answered well."""
        self._calls += 1
        self._pending[self._calls] = Pending(client, request, subscribe)
        client.in_flight += 1
        self.touch()
        self.send(Call(self._calls, request.method, request.params))

    # ---- from the worker

    def hear(self, frames: list[Up]) -> None:
        """Deal with frames that came together, in their order; runs of events travel as one."""
        events: list[Event] = []
        for frame in frames:
            if isinstance(frame, Event) and frame.only is None and frame.method not in BROADCAST:
                events.append(frame)
                continue
            self._spread(events)
            events = []
            self._hear(frame)
        self._spread(events)

    def _spread(self, events: list[Event]) -> None:
        if events:
            self.next_seq = events[-1].seq + 1
            spread(events, self.subscribers)

    def _hear(self, frame: Up) -> None:
        match frame:
            case Event(seq, method, body, only):
                self.next_seq = seq + 1
                if only is None:
                    self.host.tell_all(method, body)
                elif only == self._replied[0]:
                    self._replied[1].tell(method, body)
            case Reply(n, body):
                self._reply(n, body)
            case Failed(n, code, message, data):
                self._failed(n, RpcError(code, message, data))
            case State():
                self._state(frame)
            case Ask():
                self.host.asks.ask(self, frame)
            case Withdrawn(k):
                self.host.asks.withdraw(self, k)
            case Log(level, message):
                log.log(logging.getLevelNamesMapping()[level.upper()], "%s: %s", self.id, message)
            case Hello():
                pass
            case _:
                assert_never(frame)

    def _reply(self, n: int, body: bytes) -> None:
        pending = self._settle(n)
        self.born = True
        client = pending.client
        client.reply(pending.request.id, body)
        self._replied = (n, client)
        if pending.subscribe and client in self.host.clients:
            fresh = client not in self.subscribers
            self.subscribe(client)
            if fresh:
                self.host.asks.joined(self, client)

    def _failed(self, n: int, error: RpcError) -> None:
        pending = self._settle(n)
        pending.client.refuse(pending.request.id, error)
        if not self.born:
            self.host.threads.dismiss(self)

    def _settle(self, n: int) -> Pending:
        pending = self._pending.pop(n)
        pending.client.in_flight -= 1
        self.touch()
        return pending

    def lose(self) -> None:
        """The worker has died: answer for it, and say so to everybody."""
        self.worker = None
        self.spec.next_seq = self.next_seq
        for n in list(self._pending):
            pending = self._settle(n)
            pending.client.refuse(pending.request.id, RpcError(INTERNAL_ERROR, LOST))
        self.host.asks.withdraw(self)
        if self.turn_id is not None:
            self._fail_turn(self.turn_id)
        self.set_status(SystemErrorStatus())

    def _fail_turn(self, turn_id: str) -> None:
        self.turn_id = None
        error = TurnError(message=LOST, codex_error_info="other")
        said = ErrorNotification(error=error, thread_id=self.id, turn_id=turn_id, will_retry=False)
        turn = Turn(
            id=turn_id,
            items=[],
            status="failed",
            error=error,
            items_view="notLoaded",
            completed_at=int(time.time()),
        )
        done = TurnCompletedNotification(thread_id=self.id, turn=turn)
        self.tell(ERROR.name, ERROR.encode(said))
        self.tell(TURN_COMPLETED.name, TURN_COMPLETED.encode(done))

    def set_status(self, status: ThreadStatus) -> None:
        """Tell everybody what the worker cannot tell any more."""
        if self.thread is not None:
            self.thread.status = status
        change = ThreadStatusChangedNotification(status=status, thread_id=self.id)
        self.host.tell_all(THREAD_STATUS_CHANGED.name, THREAD_STATUS_CHANGED.encode(change))

    def rename(self, name: str) -> None:
        self.spec.name = name
        if self.thread is not None:
            self.thread.name = name

    def _state(self, state: State) -> None:
        self.thread, self.turn_id = state.thread, state.turn_id
        self.thread.name = self.spec.name  # names are ours: a worker may not know the newest yet
        self.stored = state.stored
        self.touch()
        if state.stored:
            self.host.store.upsert(state.thread)

    # ---- who listens

    def subscribe(self, client: Connection) -> None:
        self.subscribers[client] = None
        self.touch()

    def unsubscribe(self, client: Connection) -> bool:
        """False when the client was not listening."""
        self.touch()
        return self.subscribers.pop(client, self) is None

    def tell(self, method: str, message: bytes) -> None:
        for client in self.subscribers:
            client.tell(method, message)

    # ---- its life

    def touch(self) -> None:
        """Something happened: the grace period starts again."""
        self._changed.set()
        self._changed = trio.Event()

    @property
    def busy(self) -> bool:
        return bool(self.subscribers or self._pending or self.turn_id is not None)

    async def wait_abandoned(self, grace_seconds: float) -> None:
        """Return once nobody has listened and nothing has happened for the grace period."""
        while True:
            with trio.move_on_after(inf if self.busy else grace_seconds) as grace:
                await self._changed.wait()
            if grace.cancelled_caught or self.ending:
                return

    async def wait_idle(self) -> None:
        """Return once no turn is running."""
        while self.turn_id is not None:
            await self._changed.wait()

    def rewind(self) -> None:
        """Prepare the spec for a worker that takes the place of a dead one."""
        self.spec.forked_from, self.spec.keep_model = None, True
        self.spec.rollout = self.thread.path if self.thread and self.stored else None
