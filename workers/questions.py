"""What a thread asks its clients, and waits for.

A question stays open for as long as the clients take.  One that is given up is withdrawn only
when its turn has said how it ended, so that approvals close behind the turn (observed order).
"""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
import trio
from msgspec import Struct

from protocol.frames import Answered, Ask, Refused, Withdrawn
from protocol.row import Method
from protocol.thread import ThreadActiveFlag
from workers.link import Link
from workers.tools import Unasked

P = TypeVar("P", bound=Struct)
R = TypeVar("R", bound=Struct)

_encode = msgspec.json.Encoder().encode


class Question:
    """One open question.  `refusal` says why there is no result."""

    def __init__(self, row: Method[Any, Any]) -> None:
        self.row = row
        self.settled = trio.Event()
        self.result: bytes | None = None
        self.refusal = "nobody is connected to answer"


class Questions:
    """Those of one thread; `changed` is called when what the thread waits for is another."""

    def __init__(self, link: Link, changed: Callable[[], None]) -> None:
        self._link = link
        self._changed = changed
        self._asked = 0
        self._open: dict[int, Question] = {}
        self._given_up: list[int] = []

    @property
    def flags(self) -> list[ThreadActiveFlag]:
        """What an active thread waits for."""
        return sorted({q.row.waiting for q in self._open.values() if q.row.waiting})

    async def ask(self, row: Method[P, R], params: P) -> R:
        """Ask and wait.  Raises Unasked, or one of DECODE_ERRORS for an answer of another shape."""
        self._asked += 1
        k, question = self._asked, Question(row)
        self._open[k] = question
        if row.waiting:
            self._changed()
        self._link.send(Ask(k, row.name, _encode(params)))
        try:
            await question.settled.wait()
        finally:
            del self._open[k]
            if not question.settled.is_set():
                self._given_up.append(k)
        if row.waiting:
            self._changed()
        if question.result is None:
            raise Unasked(question.refusal)
        return row.decode_result(question.result)

    def settle(self, answer: Answered | Refused) -> None:
        """Take an answer; one that comes too late is nobody's."""
        question = self._open.get(answer.k)
        if question is None:
            return
        match answer:
            case Answered(_, result):
                question.result = result
            case Refused(_, message):
                question.refusal = message
        question.settled.set()

    def withdraw(self) -> None:
        """Tell the clients which questions need no answer any more."""
        for k in self._given_up:
            self._link.send(Withdrawn(k))
        self._given_up.clear()
