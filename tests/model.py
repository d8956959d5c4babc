"""A model provider on loopback that says what a test tells it to, step by step.

The steps are those of a written script; an Event among them holds the stream until it is set.
"""

from collections import deque
from collections.abc import Iterator
from itertools import count
from typing import Any

import h11
import msgspec
import trio

from workers.scripted import Message, Step, play

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
Piece = bytes | trio.Event


class Model:
    """Answers requests in the order of the replies it was given; `requests` are their bodies."""

    def __init__(self) -> None:
        self.base_url = ""
        self.requests: list[dict[str, Any]] = []
        self._replies: deque[list[Piece]] = deque()
        self._numbers = count()

    def says(self, *steps: Step | trio.Event | str) -> None:
        """Answer the next request in order; a text stands for a message."""
        self.sends(HEAD, *self._encoded(list(steps)))

    def sends(self, *pieces: Piece) -> None:
        """Answer the next request with these bytes, HTTP head and all, then close."""
        self._replies.append(list(pieces))

    async def serve(self, *, task_status=trio.TASK_STATUS_IGNORED) -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.base_url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}/v1"
        task_status.started()
        await trio.serve_listeners(self._answer, listeners)

    async def _answer(self, stream: trio.SocketStream) -> None:
        async with stream:
            try:
                body = await _body(stream)
                if body is None:
                    return
                self.requests.append(msgspec.json.decode(body))
                for piece in self._next_reply():
                    if isinstance(piece, bytes):
                        await stream.send_all(piece)
                    else:
                        await piece.wait()
            except trio.BrokenResourceError:
                return  # the server has gone, as some tests want it to

    def _next_reply(self) -> list[Piece]:
        if self._replies:
            return self._replies.popleft()
        return [HEAD, *self._encoded([Message("Nothing more was written.", pause=0)])]

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


def _event(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: ".encode() + msgspec.json.encode(event) + b"\n\n"


async def _body(stream: trio.SocketStream) -> bytes | None:
    """The body of the one request on this connection, None when there is none."""
    connection, body = h11.Connection(h11.SERVER), b""
    while True:
        match connection.next_event():
            case h11.NEED_DATA:
                connection.receive_data(await stream.receive_some())
            case h11.Data(data=data):
                body += data
            case h11.EndOfMessage():
                return body
            case h11.ConnectionClosed():
                return None
            case _:
                pass
