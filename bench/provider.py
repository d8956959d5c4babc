"""The scripted provider as a real HTTP Responses API on loopback, for benches and tests.

    python -m bench.provider [--script FILE] [--deltas N] [--rate N] [--port N] [--chunk-per-event]

It prints its base_url and serves until it is ended.  `--deltas` plays one message of N words per
request instead of a script; `--rate` sends them one by one, N in a second.  A response without
pauses is encoded once and sent in one piece, so that what is measured is the client.
"""

import argparse
from collections.abc import Iterator
from functools import partial
from typing import Any

import h11
import msgspec
import trio

from workers.scripted import DEMO, Message, Played, Script, choose, load, play

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
PIECE_BYTES = 16 << 10  # of one HTTP chunk, unless each event has its own


class ScriptServer:
    """Answers every `POST .../responses`; `requests` keeps what was asked."""

    def __init__(
        self, script: Script, *, endless: bool = False, chunk_per_event: bool = False
    ) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self._script = script
        self._endless = endless  # the first response again and again
        self._chunk = 1 if chunk_per_event else PIECE_BYTES
        self._encoded: dict[int, list[bytes | float]] = {}

    async def serve(
        self, port: int = 0, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Listen on loopback; the started value is the base_url."""
        listeners = await trio.open_tcp_listeners(port, host="127.0.0.1")
        bound = listeners[0].socket.getsockname()[1]
        task_status.started(f"http://127.0.0.1:{bound}/v1")
        await trio.serve_listeners(self._connection, listeners)

    async def _connection(self, stream: trio.SocketStream) -> None:
        connection = h11.Connection(h11.SERVER)
        async with stream:
            while (asked := await _request(connection, stream)) is not None:
                request, body = asked
                await self._answer(stream, request, body)
                # the answer goes past h11, which is told of one so that it takes a next request
                connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                connection.send(h11.EndOfMessage())
                if connection.our_state is not h11.DONE:
                    return
                connection.start_next_cycle()

    async def _answer(self, stream: trio.SocketStream, request: h11.Request, body: bytes) -> None:
        path = request.target.split(b"?")[0]
        if request.method != b"POST" or not path.endswith(b"/responses"):
            await stream.send_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
            return
        asked = msgspec.json.decode(body)
        self.requests.append(asked)
        self.headers.append({name.decode(): value.decode() for name, value in request.headers})
        number, steps = choose(self._script, asked["input"])
        if self._endless:
            number, steps = 0, self._script[0]
        if number not in self._encoded:
            self._encoded[number] = list(_bytes(play(steps, number), self._chunk))
        for piece in self._encoded[number]:
            if isinstance(piece, bytes):
                await stream.send_all(piece)
            else:
                await trio.sleep(piece)


async def _request(
    connection: h11.Connection, stream: trio.SocketStream
) -> tuple[h11.Request, bytes] | None:
    """Return the next request and its body, None when the client has gone."""
    request, body = None, b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            try:
                connection.receive_data(await stream.receive_some())
            except trio.BrokenResourceError:
                return None
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            assert request is not None
            return request, body
        else:
            return None


def _bytes(played: Iterator[Played], chunk_bytes: int) -> Iterator[bytes | float]:
    """Encode a response: chunks of about `chunk_bytes`, one piece between two pauses."""
    piece, events = bytearray(HEAD), bytearray()
    for part in played:
        if isinstance(part, dict):
            events += (
                f"event: {part['type']}\ndata: ".encode() + msgspec.json.encode(part) + b"\n\n"
            )
        if events and (len(events) >= chunk_bytes or not isinstance(part, dict)):
            piece += _chunk(events)
            events.clear()
        if not isinstance(part, dict):
            yield bytes(piece)
            yield part
            piece.clear()
    yield bytes(piece + (_chunk(events) if events else b"") + _chunk(b""))


def _chunk(data: bytes | bytearray) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def many(deltas: int, *, rate: float = 0) -> Script:
    """A script of one message with this many words, all at once or `rate` in a second."""
    return [[Message("word ", pause=1 / rate if rate else 0, repeat=deltas)]]


async def main(options: argparse.Namespace) -> None:
    script = many(options.deltas, rate=options.rate) if options.deltas else load(options.script)
    server = ScriptServer(
        script, endless=bool(options.deltas), chunk_per_event=options.chunk_per_event
    )
    async with trio.open_nursery() as nursery:
        print(await nursery.start(server.serve, options.port), flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.provider")
    parser.add_argument("--script", default=DEMO)
    parser.add_argument("--deltas", type=int, default=0)
    parser.add_argument("--rate", type=float, default=0)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--chunk-per-event", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    trio.run(partial(main, arguments()))
