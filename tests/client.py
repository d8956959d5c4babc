"""A client of the server, for tests: typed by the rows of the table, over stdio or a WebSocket.

Every wait is bounded, and one that fails says what the server has said instead.
"""

from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import msgspec
import trio
from msgspec import Struct
from trio_websocket import ConnectionClosed, WebSocketConnection

from protocol.envelope import Envelope
from protocol.errors import RpcError
from protocol.framing import Lines, Overlong
from protocol.initialize import ClientInfo, InitializeCapabilities, InitializeParams
from protocol.item import TextInput
from protocol.loading import ThreadStartParams
from protocol.methods import INITIALIZE, NOTIFICATIONS, QUESTIONS, THREAD_START, TURN_START
from protocol.row import Method, Notification
from protocol.thread import Thread
from protocol.turn import Turn, TurnStartParams

P = TypeVar("P", bound=Struct)
R = TypeVar("R", bound=Struct)

WAIT_SECONDS = 10.0  # for anything that the server ought to do at once
MESSAGE_LIMIT = 1 << 28


class Gone(Exception):
    """The server has closed the connection."""


class Wire(Protocol):
    """Whole messages, on any transport."""

    async def send(self, message: bytes) -> None: ...
    async def receive(self) -> bytes:
        """Raises Gone."""
        ...


class Pipes:
    """JSON lines on a process's standard streams."""

    def __init__(self, process: trio.Process) -> None:
        assert process.stdin
        assert process.stdout
        self._stdin, self._stdout = process.stdin, process.stdout
        self._lines = Lines(MESSAGE_LIMIT)
        self._heard: deque[bytes | Overlong] = deque()

    async def send(self, message: bytes) -> None:
        await self._stdin.send_all(message + b"\n")

    async def receive(self) -> bytes:
        while not self._heard:
            data = await self._stdout.receive_some()
            if not data:
                raise Gone
            self._heard.extend(self._lines.feed(bytes(data)))
        line = self._heard.popleft()
        assert isinstance(line, bytes)
        return line


class Socket:
    """Text frames of a WebSocket."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self._socket = socket

    async def send(self, message: bytes) -> None:
        try:
            await self._socket.send_message(message.decode())
        except ConnectionClosed:
            raise Gone from None

    async def receive(self) -> bytes:
        try:
            message = await self._socket.get_message()
        except ConnectionClosed:
            raise Gone from None
        assert isinstance(message, str)
        return message.encode()


@dataclass(frozen=True)
class Heard:
    """A notification or a question; `id` is set for a question."""

    method: str
    params: Any
    id: int | str | None = None


class Answer(Struct):
    """`error` is None when it went well."""

    result: bytes
    error: RpcError | None = None


class Complaint(Struct):
    code: int
    message: str
    data: Any = None


class Client:
    """One connection.  `heard` is all that was said, in order; answers are not among it."""

    def __init__(self, wire: Wire) -> None:
        self.heard: list[Heard] = []
        self.asked: list[Heard] = []
        self._wire = wire
        self._calls = 0
        self._taken: dict[str, int] = {}
        self._answers: dict[int | str, deque[Answer]] = {}
        self._gone = False
        self._news = trio.Event()
        self._reading = trio.Event()
        self._reading.set()

    # ---- asking

    async def call(self, row: Method[P, R], params: P) -> R:
        """Raises RpcError."""
        return row.decode_result(await self.request(row.name, msgspec.json.encode(params)))

    async def request(self, method: str, params: bytes = b"{}") -> bytes:
        """The same with bytes, for what no Struct can say.  Raises RpcError."""
        answer = await self.answer_to(await self.ask(method, params))
        if answer.error is not None:
            raise answer.error
        return answer.result

    async def ask(self, method: str, params: bytes = b"{}") -> int:
        """Ask and do not wait; the answer will have this id."""
        self._calls += 1
        id = self._calls
        head = b'{"id":%d,"method":%b' % (id, msgspec.json.encode(method))
        await self.send(head + b',"params":' + params + b"}")
        return id

    async def send(self, message: bytes) -> None:
        """Send bytes as they are: for what is no good message."""
        with trio.fail_after(WAIT_SECONDS):
            await self._wire.send(message)

    async def answer_to(self, id: int | str) -> Answer:
        """The next answer with this id."""
        answers = self._answers.setdefault(id, deque())
        await self._until(lambda: bool(answers), f"an answer to {id}")
        return answers.popleft()

    # ---- hearing

    async def next(self, row: Notification[P], where: Callable[[P], bool] = lambda _: True) -> P:
        """The next notification of this row that has not been taken yet; earlier ones are left."""
        return (await self._take(row.name, where)).params

    async def question(self, row: Method[P, R]) -> tuple[int | str, P]:
        """The next question of this row, with the id to answer it by."""
        heard = await self._take(row.name, lambda _: True)
        assert heard.id is not None
        return heard.id, heard.params

    async def answer(self, id: int | str, result: Struct) -> None:
        body = msgspec.json.encode(result)
        await self.send(b'{"id":%b,"result":%b}' % (msgspec.json.encode(id), body))

    async def refuse(self, id: int | str, message: str) -> None:
        error = {"code": -32000, "message": message}
        await self.send(msgspec.json.encode({"id": id, "error": error}))

    async def gone(self) -> None:
        """Return once the server has closed the connection."""
        await self._until(lambda: self._gone, "the end of the connection")

    @property
    def methods(self) -> list[str]:
        return [heard.method for heard in self.heard]

    # ---- what most tests begin with

    async def initialize(self, *, experimental: bool = True, without: list[str] | None = None):
        capabilities = InitializeCapabilities(
            experimental_api=experimental, opt_out_notification_methods=without
        )
        return await self.call(
            INITIALIZE,
            InitializeParams(
                client_info=ClientInfo(name="test", version="1"), capabilities=capabilities
            ),
        )

    async def start(self, **params: Any) -> Thread:
        return (await self.call(THREAD_START, ThreadStartParams(**params))).thread

    async def begin(self, thread: Thread | str, text: str = "Hello", **params: Any) -> Turn:
        """Start a turn."""
        id = thread if isinstance(thread, str) else thread.id
        return (
            await self.call(
                TURN_START, TurnStartParams(thread_id=id, input=[TextInput(text)], **params)
            )
        ).turn

    # ---- the wire

    def hold(self) -> None:
        """Read no more, until `go_on`."""
        self._reading = trio.Event()

    def go_on(self) -> None:
        self._reading.set()

    async def listen(self) -> None:
        """Hear the server out, to its end."""
        try:
            while True:
                await self._reading.wait()
                self._hear(await self._wire.receive())
        except (Gone, trio.ClosedResourceError, trio.BrokenResourceError):
            self._gone = True
            self._news.set()

    def _hear(self, message: bytes) -> None:
        said = msgspec.json.decode(message, type=Envelope)
        id = None if isinstance(said.id, msgspec.UnsetType) else said.id
        if isinstance(said.method, msgspec.UnsetType):
            assert id is not None, f"neither method nor id: {message[:1000]}"
            self._answers.setdefault(id, deque()).append(_answer(said))
        else:
            assert not isinstance(said.params, msgspec.UnsetType)
            self._hear_method(said.method, bytes(said.params), id)
        self._news.set()
        self._news = trio.Event()

    def _hear_method(self, method: str, params: bytes, id: int | str | None) -> None:
        row = NOTIFICATIONS[method] if id is None else QUESTIONS[method]
        self.heard.append(Heard(method, msgspec.json.decode(params, type=row.params), id))

    async def _take(self, method: str, where: Callable[[Any], bool]) -> Heard:
        def place() -> int | None:
            start = self._taken.get(method, 0)
            return next(
                (
                    at
                    for at, heard in enumerate(self.heard[start:], start)
                    if heard.method == method and where(heard.params)
                ),
                None,
            )

        await self._until(lambda: place() is not None, method)
        at = place()
        assert at is not None
        self._taken[method] = at + 1
        return self.heard[at]

    async def _until(self, is_so: Callable[[], bool], what: str) -> None:
        with trio.move_on_after(WAIT_SECONDS):
            while not is_so():
                if self._gone:
                    raise Gone(f"waited for {what}; heard {self.methods}")
                await self._news.wait()
            return
        raise AssertionError(f"{what} did not come within {WAIT_SECONDS} s; heard {self.methods}")


def _answer(said: Envelope) -> Answer:
    if isinstance(said.error, msgspec.UnsetType):
        assert not isinstance(said.result, msgspec.UnsetType)
        return Answer(bytes(said.result))
    complaint = msgspec.json.decode(said.error, type=Complaint)
    return Answer(b"null", RpcError(complaint.code, complaint.message, complaint.data))


@asynccontextmanager
async def listening(wire: Wire) -> AsyncGenerator[Client]:
    """A client on this wire that has not said hello."""
    client = Client(wire)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.listen)
        yield client
        nursery.cancel_scope.cancel()
