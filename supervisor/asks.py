"""Questions to clients: first answer wins, the rest are told.

A question goes to every subscriber of its thread, under one id of ours.  It stays open while
nobody is there, and whoever subscribes meanwhile is asked too.
"""

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, TypeVar

import msgspec
import trio
from msgspec import Struct

from protocol import envelope
from protocol.approval import ServerRequestResolvedNotification
from protocol.envelope import Answer
from protocol.errors import DECODE_ERRORS, INTERNAL_ERROR, RpcError
from protocol.frames import Answered, Ask, Refused
from protocol.methods import QUESTIONS, SERVER_REQUEST_RESOLVED
from protocol.row import Method
from supervisor.connection import Connection

if TYPE_CHECKING:
    from supervisor.loaded import Loaded


P = TypeVar("P", bound=Struct)
R = TypeVar("R", bound=Struct)


class Complaint(msgspec.Struct):
    message: str = "refused"


@dataclass(frozen=True)
class Question:
    thread: "Loaded"
    ask: Ask
    message: bytes


@dataclass
class Private:
    """A question to one client, about no thread."""

    client: Connection
    answer: Answer | None = None
    settled: trio.Event = field(default_factory=trio.Event)


class Asks:
    """All open questions, by the id that clients answer to."""

    def __init__(self) -> None:
        self._ids = count()
        self._open: dict[int, Question] = {}
        self._private: dict[int, Private] = {}

    async def ask_client(self, client: Connection, row: Method[P, R], params: P) -> R:
        """Ask one client and wait.  Raises RpcError for a refusal, and one of DECODE_ERRORS."""
        rid = next(self._ids)
        self._private[rid] = question = Private(client)
        client.send(envelope.question(rid, row.name, msgspec.json.encode(params)))
        try:
            await question.settled.wait()
        finally:
            del self._private[rid]
        answer = question.answer
        if answer is None or answer.result is None:
            said = _complaint((answer and answer.error) or b"{}")
            raise RpcError(INTERNAL_ERROR, f"the client did not answer {row.name}: {said}")
        return row.decode_result(answer.result)

    def left(self, client: Connection) -> None:
        for question in self._private.values():
            if question.client is client:
                question.settled.set()

    def ask(self, thread: "Loaded", ask: Ask) -> None:
        rid = next(self._ids)
        question = Question(thread, ask, envelope.question(rid, ask.method, ask.params))
        self._open[rid] = question
        for client in thread.subscribers:
            client.send(question.message)

    def joined(self, thread: "Loaded", client: Connection) -> None:
        """Ask a new subscriber what is still open."""
        for question in self._open.values():
            if question.thread is thread:
                client.send(question.message)

    def answer(self, client: Connection, answer: Answer) -> None:
        """Pass on the first answer; later ones, and those nobody asked for, are ignored."""
        private = self._private.get(answer.id) if isinstance(answer.id, int) else None
        if private is not None and private.client is client:
            private.answer = answer
            private.settled.set()
            return
        question = self._open.get(answer.id) if isinstance(answer.id, int) else None
        if question is None or client not in question.thread.subscribers:
            return
        self._resolve(answer.id, question)
        if answer.result is not None:
            question.thread.send(Answered(question.ask.k, answer.result))
        else:
            question.thread.send(Refused(question.ask.k, _complaint(answer.error or b"{}")))

    def withdraw(self, thread: "Loaded", k: int | None = None) -> None:
        """Close the thread's question `k`, or all of them."""
        for rid, question in list(self._open.items()):
            if question.thread is thread and k in (None, question.ask.k):
                self._resolve(rid, question)

    def _resolve(self, rid: int | str, question: Question) -> None:
        del self._open[rid]  # pyright: ignore[reportArgumentType] - looked up before
        if QUESTIONS[question.ask.method].waiting is None:
            return  # no person was asked, so nothing has to go from a screen (observed)
        thread = question.thread
        done = ServerRequestResolvedNotification(request_id=rid, thread_id=thread.id)
        thread.tell(SERVER_REQUEST_RESOLVED.name, SERVER_REQUEST_RESOLVED.encode(done))


def _complaint(error: bytes) -> str:
    try:
        return msgspec.json.decode(error, type=Complaint).message
    except DECODE_ERRORS:
        return Complaint().message
