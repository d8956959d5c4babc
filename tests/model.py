"""A model provider on loopback that says what a test tells it to, step by step.

The steps are those of a written script; an Event among them holds the stream until it is set, and
a function makes a step from the request that is being answered.
"""

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import Any

import h11
import msgspec
import trio

from workers.scripted import Message, Step, play

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
UNAUTHORIZED = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
Piece = bytes | trio.Event
Asked = dict[str, Any]  # the body of a request
Said = Step | trio.Event | str | Callable[[Asked], Step]


class Model:
    """Answers requests in the order of the replies it was given; `requests` are their bodies."""

    def __init__(self) -> None:
        self.base_url = ""
        self.requests: list[Asked] = []
        self.takes: Callable[[], str] | None = None  # the bearer token of now; others get a 401
        self._replies: deque[Callable[[Asked], Iterator[Piece]]] = deque()
        self._apart: list[tuple[str, Callable[[Asked], Iterator[Piece]]]] = []
        self._numbers = count()
        self._more = trio.Event()

    def says(self, *steps: Said, to: str | None = None) -> None:
        """Answer the next request in order; a text stands for a message.

        `to` is for tests of several threads: the next request in which the user has said this.
        """
        reply = partial(self._reply, steps)
        if to is None:
            self._replies.append(reply)
        else:
            self._apart.append((to, reply))

    def sends(self, *pieces: Piece) -> None:
        """Answer the next request with these bytes, HTTP head and all, then close."""
        self._replies.append(lambda _: iter(pieces))

    async def asked(self, times: int) -> None:
        """Wait until there were so many requests."""
        while len(self.requests) < times:
            await self._more.wait()

    async def serve(self, *, task_status=trio.TASK_STATUS_IGNORED) -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.base_url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}/v1"
        task_status.started()
        await trio.serve_listeners(self._answer, listeners)

    async def _answer(self, stream: trio.SocketStream) -> None:
        async with stream:
            try:
                request = await _request(stream)
                if request is None:
                    return
                token, body = request
                if self.takes is not None and token != f"Bearer {self.takes()}":
                    await stream.send_all(UNAUTHORIZED)
                    return
                asked: Asked = msgspec.json.decode(body)
                self.requests.append(asked)
                self._more.set()
                self._more = trio.Event()
                for piece in self._next_reply(asked):
                    if isinstance(piece, bytes):
                        await stream.send_all(piece)
                    else:
                        await piece.wait()
            except (trio.BrokenResourceError, h11.RemoteProtocolError):
                return  # the server has gone, as some tests want it to

    def _next_reply(self, asked: Asked) -> Iterator[Piece]:
        heard = words(asked)
        for place, (to, reply) in enumerate(self._apart):
            if to in heard:
                del self._apart[place]
                return reply(asked)
        if self._replies:
            return self._replies.popleft()(asked)
        return self._reply(("Nothing more was written.",), asked)

    def _reply(self, steps: tuple[Said, ...], asked: Asked) -> Iterator[Piece]:
        yield HEAD
        yield from self._encoded([step(asked) if callable(step) else step for step in steps])

    def _encoded(self, steps: list[Step | trio.Event | str]) -> Iterator[Piece]:
        """One response, cut where an Event stands."""
        parts: list[list[Step]] = [[]]
        gates: list[trio.Event] = []
        for step in steps:
            if isinstance(step, trio.Event):
                gates.append(step)
                parts.append([])
            else:
                parts[-1].append(Message(step, pause=0) if isinstance(step, str) else step)
        for place, part in enumerate(parts):
            events = [e for e in play(part, next(self._numbers)) if isinstance(e, dict)]
            first, last = place == 0, place == len(parts) - 1
            yield b"".join(map(_event, events[not first : None if last else -1]))
            if not last:
                yield gates[place]


def words(asked: Asked) -> list[str]:
    """What the user has said in the thread of a request, ours among it."""
    said = [item["content"] for item in asked["input"] if item.get("role") == "user"]
    return [part["text"] for content in said for part in content if "text" in part]


def _event(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: ".encode() + msgspec.json.encode(event) + b"\n\n"


async def _request(stream: trio.SocketStream) -> tuple[str, bytes] | None:
    """Authorization and body of the one request on this connection, None when there is none."""
    connection, body, token = h11.Connection(h11.SERVER), b"", ""
    while True:
        match connection.next_event():
            case h11.NEED_DATA:
                connection.receive_data(await stream.receive_some())
            case h11.Request(headers=headers):
                token = dict(headers).get(b"authorization", b"").decode()
            case h11.Data(data=data):
                body += data
            case h11.EndOfMessage():
                return token, body
            case h11.ConnectionClosed():
                return None
            case _:
                pass
