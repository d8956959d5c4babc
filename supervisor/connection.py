"""One client: its handshake, what it does not want to hear, and its outbox.

A transport hands in whole messages with `receive` and writes what `outbox.take` gives it.  Both
ends of a connection are plain functions, so a client's requests are begun in the order it sent
them and what it is told leaves in the order it was said.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

import trio

from protocol import envelope, framing
from protocol.envelope import Answer, Request, RequestId
from protocol.errors import RpcError
from protocol.initialize import ClientInfo
from supervisor.outbox import Outbox

Form = Literal["line", "frame"]  # how messages are laid out: JSON lines, or WebSocket text frames
LAY_OUT: dict[Form, Callable[[bytes], bytes]] = {"line": framing.line, "frame": framing.text_frame}


class Receiver(Protocol):
    """Who deals with a client's messages: the router."""

    def request(self, client: "Connection", request: Request) -> None: ...
    def answer(self, client: "Connection", answer: Answer) -> None: ...
    def gone(self, client: "Connection") -> None: ...


@dataclass(eq=False)
class Connection:
    """`info` is None until the client has sent `initialize`."""

    receiver: Receiver
    form: Form
    outbox: Outbox = field(default_factory=Outbox)
    info: ClientInfo | None = None
    experimental: bool = False
    opted_out: frozenset[str] = frozenset()
    in_flight: int = 0
    large: trio.Lock = field(default_factory=trio.Lock)
    """Held while an answer of many megabytes is made: one at a time, or they fill the memory."""
    _following: list[tuple[str, bytes]] = field(default_factory=list[tuple[str, bytes]])
    overrun: trio.Event = field(default_factory=trio.Event)
    """Set when the client has let its outbox fill up; a transport with other clients closes it."""

    def receive(self, message: bytes) -> None:
        match envelope.decode(message):
            case Request() as request:
                self.receiver.request(self, request)
            case Answer() as answer:
                self.receiver.answer(self, answer)
            case None:
                pass

    def send(self, message: bytes) -> None:
        self.put(LAY_OUT[self.form](message))

    def put(self, laid_out: bytes) -> None:
        """Queue bytes that are in this connection's form already."""
        self.outbox.put(laid_out)
        if self.outbox.full:
            self.overrun.set()

    def reply(self, id: RequestId, body: bytes) -> None:
        self.send(envelope.result(id, body))
        self._tell_following()

    def _tell_following(self) -> None:
        following, self._following = self._following, []
        for method, message in following:
            self.tell(method, message)

    def follow(self, method: str, message: bytes) -> None:
        """Send a notification right behind the answer that is being made."""
        self._following.append((method, message))

    def refuse(self, id: RequestId, error: RpcError) -> None:
        self.send(envelope.error(id, error))
        self._tell_following()  # it has happened, even if the request came to nothing then

    def tell(self, method: str, message: bytes) -> None:
        """Send a notification, unless the client has opted out of it or never said hello."""
        if self.info is not None and method not in self.opted_out:
            self.send(message)

    def close(self) -> None:
        self.outbox.close()
        self.receiver.gone(self)
