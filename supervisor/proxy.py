"""`app-server proxy`: stdio joined to the Unix socket of a server that runs already.

Over ssh this is how a client elsewhere reaches it.  A client that opens with an HTTP request
speaks WebSocket itself, and its bytes pass as they are (observed); any other one sends JSON lines,
as it would to a server on stdio, and is spoken for.
"""

import trio

from supervisor.options import Refused, default_socket
from supervisor.stdio import READ_BYTES, Input, Output, Wire, claim, streams

HTTP = b"G"  # of GET; a line of JSON begins otherwise


def run(path: str) -> int:
    """Return the exit status.  Raises Refused when nobody listens."""
    trio.run(_bridge, path or str(default_socket()), claim())
    return 0


async def _bridge(path: str, wire: Wire) -> None:
    """End when the server ends the connection, or the client its input and has its answers."""
    server = await _connect(path)
    async with server, streams(wire) as (stdin, stdout):
        first = bytes(await stdin.receive_some(READ_BYTES))
        if first.startswith(HTTP):
            await _pass_on(first, stdin, stdout, server)
        else:
            from supervisor.websocket import speak_for  # noqa: PLC0415

            await speak_for(Resumed(first, stdin), stdout, server)


class Resumed:
    """Input of which some has been read already."""

    def __init__(self, first: bytes, rest: Input) -> None:
        self._first: bytes | None = first
        self._rest = rest

    async def receive_some(self, max_bytes: int) -> bytes | bytearray:
        if self._first is None:
            return await self._rest.receive_some(max_bytes)
        first, self._first = self._first, None
        await trio.lowlevel.checkpoint()
        return first


async def _connect(path: str) -> trio.SocketStream:
    try:
        return await trio.open_unix_socket(path)
    except (OSError, ValueError) as error:
        raise Refused(
            f"no server listens on {path} ({error}); start one with --listen unix://"
        ) from None


async def _pass_on(first: bytes, stdin: Input, stdout: Output, server: trio.SocketStream) -> None:
    async with trio.open_nursery() as nursery:

        async def upwards() -> None:
            data: bytes | bytearray = first
            while data:
                await server.send_all(bytes(data))
                data = await stdin.receive_some(READ_BYTES)
            await server.send_eof()

        nursery.start_soon(upwards)
        while data := await server.receive_some(READ_BYTES):
            await stdout.send_all(bytes(data))
        nursery.cancel_scope.cancel()
