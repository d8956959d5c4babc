"""One loaded thread: its worker, its listeners, and what can be said of it without asking."""

import logging
import os
import time
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Literal, Protocol, assert_never

import trio

from protocol.envelope import Request, RequestId
from protocol.errors import INTERNAL_ERROR, RpcError, overloaded
from protocol.frames import (
    Agent,
    Allow,
    Apps,
    Ask,
    Call,
    CloseAgent,
    Down,
    Event,
    Failed,
    Hello,
    Log,
    NeedToken,
    Reply,
    ResumeAgent,
    StartAgent,
    StartThread,
    State,
    TellAgent,
    Up,
    Update,
    Withdrawn,
)
from protocol.methods import (
    BROADCAST,
    ERROR,
    MCP_RESOURCE_READ,
    MCP_TOOL_CALL,
    THREAD_STATUS_CHANGED,
    TURN_COMPLETED,
)
from protocol.thread import (
    SystemErrorStatus,
    Thread,
    ThreadStatus,
    ThreadStatusChangedNotification,
)
from protocol.turn import ErrorNotification, Turn, TurnCompletedNotification, TurnError
from supervisor import apps
from supervisor.connection import Connection
from supervisor.fanout import spread
from supervisor.layers import ConfigError
from supervisor.worker import Worker

if TYPE_CHECKING:
    from supervisor.host import Host

LOST = "the thread's worker process died; the next request loads the thread again"
HUNG = "the thread's worker process did not answer and was ended; the next request loads it again"
# What waits for others than the worker, who have deadlines of their own.
UNHURRIED = frozenset(row.name for row in (MCP_TOOL_CALL, MCP_RESOURCE_READ))
PATIENCE_SECONDS = 60.0  # handlers never do the work; loading a file of a gigabyte takes less
UNANSWERED_BYTES = 64 << 20  # of calls that wait for the worker; one alone may be larger

log = logging.getLogger("atrio.threads")


class Caller(Protocol):
    """Who makes a call: a client, or a thread that an agent works for."""

    in_flight: int

    def reply(self, id: RequestId, body: bytes) -> None: ...
    def refuse(self, id: RequestId, error: RpcError) -> None: ...
    def tell(self, method: str, message: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class Pending:
    """A call that a worker has not answered yet."""

    client: Caller
    request: Request
    subscribe: bool
    since: float


class Loaded:
    """One loaded thread.  `worker` is None until it has one, and after its worker died."""

    def __init__(self, host: "Host", spec: StartThread) -> None:
        self.host = host
        self.id = spec.thread_id
        self.spec = spec
        self.worker: Worker | None = None
        self.thread: Thread | None = None
        self.turn_id: str | None = None
        self.stored = spec.rollout is not None and spec.forked_from is None
        self.subscribers: dict[Connection, None] = {}
        self.next_seq = spec.next_seq
        self.ending = False
        self._pending: dict[int, Pending] = {}
        self._replied: tuple[int, Caller] | None = None
        self._calls = 0
        self._unanswered = 0  # bytes
        self.born = False  # once it has answered well what it was loaded for
        self._changed = trio.Event()

    # ---- towards the worker

    def begin(self, worker: Worker) -> None:
        """Have a worker be this thread, and pass on what has been waiting for one."""
        self.worker = worker
        worker.send(self.spec)
        self.host.agents.began(self)
        for n, waiting in self._pending.items():
            worker.send(Call(n, waiting.request.method, waiting.request.params))

    def send(self, frame: Down) -> None:
        if self.worker is not None:
            self.worker.send(frame)

    def call(self, client: Caller, request: Request, *, subscribe: bool = False) -> None:
        """Pass a request on, or keep it for the next worker.

        `subscribe` makes the client a listener when it is answered well.  Raises RpcError when too
        much waits already.
        """
        if self._unanswered > UNANSWERED_BYTES:
            raise overloaded()
        self._calls += 1
        self._pending[self._calls] = Pending(client, request, subscribe, trio.current_time())
        self._unanswered += len(request.params)
        client.in_flight += 1
        self.host.in_flight += 1
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
                elif self._replied is not None and only == self._replied[0]:
                    self._replied[1].tell(method, body)
            case Reply(n, body):
                self._reply(n, body)
            case Failed(n, code, message, data):
                self._failed(n, RpcError(code, message, data))
            case State():
                self._state(frame)
            case Agent(_, status, message):
                self.host.agents.fares(self, status, message)
            case StartAgent() | TellAgent() | ResumeAgent() | CloseAgent():
                self.host.agents.serve(self, frame)
            case Allow():
                self._allow(frame)
            case Apps(found):
                apps.reached(self.host, found)
            case NeedToken(n, refused):
                self.host.accounts.renew(self, n, refused)
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

    def _allow(self, given: Allow) -> None:
        """The user's yes holds for the session anyway, so nothing fails when it is not kept."""
        owner = ["mcp_servers", given.server] if given.app is None else ["apps", given.app]
        try:
            self.host.config.set([*owner, "tools", given.tool, "approval_mode"], "approve")
        except (ConfigError, OSError) as error:
            said = "%s: the approval of %s/%s was not kept: %s"
            log.warning(said, self.id, given.server, given.tool, error)

    def _reply(self, n: int, body: bytes) -> None:
        pending = self._settle(n)
        if pending is None:
            return
        self.born = True
        client = pending.client
        client.reply(pending.request.id, body)
        self._replied = (n, client)
        if pending.subscribe and isinstance(client, Connection) and client in self.host.clients:
            fresh = client not in self.subscribers
            self.subscribe(client)
            if fresh:
                self.host.asks.joined(self, client)
                self.host.agents.joined(self, client)

    def _failed(self, n: int, error: RpcError) -> None:
        if pending := self._settle(n):
            pending.client.refuse(pending.request.id, error)
        if not self.born and not self.ending:
            self.refuse_all(error)  # others have asked for the same thread meanwhile
            self.host.threads.dismiss(self)

    def _settle(self, n: int) -> Pending | None:
        """None when the caller has been answered already."""
        if pending := self._pending.pop(n, None):
            self._unanswered -= len(pending.request.params)
            pending.client.in_flight -= 1
            self.host.in_flight -= 1
            self.touch()
        return pending

    def refuse_all(self, error: RpcError) -> None:
        """Answer for the worker whatever it has not answered."""
        for n in list(self._pending):
            if pending := self._settle(n):
                pending.client.refuse(pending.request.id, error)

    def lose(self) -> None:
        """The worker has gone: answer for it, and say so to everybody."""
        self.worker = None
        self.stored = self.stored or self._is_on_disk()
        self.spec.next_seq = self.next_seq
        self.refuse_all(RpcError(INTERNAL_ERROR, LOST))
        self.host.asks.withdraw(self)
        if self.turn_id is not None:
            self._fail_turn(self.turn_id)
        if self.born and not self.ending:
            self.set_status(SystemErrorStatus())
        self.touch()

    def _is_on_disk(self) -> bool:
        """Whether the worker has made the thread's file, and died before it could say so."""
        path = self.thread.path if self.thread is not None else None
        return path is not None and os.path.exists(path)  # noqa: PTH110 - the names are texts

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
        self.host.agents.fares(self, "errored", LOST)
        self.tell(ERROR.name, ERROR.encode(said))
        self.tell(TURN_COMPLETED.name, TURN_COMPLETED.encode(done))

    def set_status(self, status: ThreadStatus) -> None:
        """Tell everybody what the worker cannot tell any more."""
        if self.thread is not None:
            self.thread.status = status
        change = ThreadStatusChangedNotification(status=status, thread_id=self.id)
        self.host.tell_all(THREAD_STATUS_CHANGED.name, THREAD_STATUS_CHANGED.encode(change))

    def moved(self, path: str | None) -> None:
        """The thread's file has another place."""
        if self.thread is not None:
            self.thread.path = path
        self.send(Update(path=path))

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
        listened = self.subscribers.pop(client, self) is None
        if listened:
            self.touch()
        return listened

    def left(self, client: Connection) -> None:
        """A client is gone; what it was told last must not keep it in memory."""
        self.unsubscribe(client)
        if self._replied is not None and self._replied[1] is client:
            self._replied = None

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
        """Somebody listens, or something happens."""
        at_work = self.turn_id is not None or self.host.agents.busy(self)
        return bool(self.subscribers or self._pending or at_work)

    async def wait_due(self, grace_seconds: float) -> Literal["abandoned", "hung", "ending"]:
        """Return once something has to be done about this thread.

        It is abandoned when nobody has listened and nothing has happened for the grace period, and
        hung when a call has waited for an answer longer than any should.
        """
        while not self.ending:
            with trio.move_on_at(self._due(grace_seconds)) as due:
                await self._changed.wait()
            if due.cancelled_caught:
                return "abandoned" if self._waiting_since() is None else "hung"
        return "ending"

    def _due(self, grace_seconds: float) -> float:
        if (since := self._waiting_since()) is not None:
            return since + PATIENCE_SECONDS
        return inf if self.busy else trio.current_time() + grace_seconds

    def _waiting_since(self) -> float | None:
        """When the oldest call was made that the worker should have answered at once."""
        hurried = (p.since for p in self._pending.values() if p.request.method not in UNHURRIED)
        return next(hurried, None)

    async def wait_idle(self) -> None:
        """Return once no turn is running."""
        while self.turn_id is not None:
            await self._changed.wait()

    def rewind(self) -> None:
        """Prepare the spec for a worker that takes the place of a dead one."""
        if self.thread is None:
            return  # nobody has been this thread yet, so it is loaded as it was to be at first
        self.spec.forked_from, self.spec.keep_model, self.spec.revived = None, True, True
        self.spec.created_at = self.thread.created_at
        self.spec.updated_at = self.thread.updated_at
        self.spec.rollout = None
        if self.stored:  # and then the file knows more than what the thread began with
            self.spec.rollout, self.spec.history = self.thread.path, None
