"""Questions to clients: first answer wins, the rest are told.

A question goes to every subscriber of its thread, under one id of ours.  It stays open while
nobody is there, and whoever subscribes meanwhile is asked too.
"""

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import msgspec

from protocol import envelope
from protocol.approval import ServerRequestResolvedNotification
from protocol.envelope import Answer
from protocol.errors import DECODE_ERRORS
from protocol.frames import Answered, Ask, Refused
from protocol.methods import QUESTIONS, SERVER_REQUEST_RESOLVED
from supervisor.connection import Connection

if TYPE_CHECKING:
    from supervisor.loaded import Loaded


class Complaint(msgspec.Struct):
    message: str = "refused"


@dataclass(frozen=True)
class Question:
    thread: "Loaded"
    ask: Ask
    message: bytes


class Asks:
    """All open questions, by the id that clients answer to."""

    def __init__(self) -> None:
        self._ids = count()
        self._open: dict[int, Question] = {}

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
