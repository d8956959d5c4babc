"""A stranger at the door: until it may come in, and when it leaves."""

import trio

from supervisor.upgrade import HEAD_LIMIT, Rule, judge, parse, response

READ_BYTES = 64 << 10
HANDSHAKE_SECONDS = 10.0  # a client that says nothing holds a descriptor no longer
LINGER_SECONDS = 1.0  # for the client to read our last word while it is still sending
CLOSE_FRAME = b"\x88"  # its first byte


async def admit(rule: Rule, stream: trio.SocketStream) -> bytes:
    """What the client has sent so far, when it may come in; else it has had its answer."""
    with trio.move_on_after(HANDSHAKE_SECONDS):
        received = await _receive_head(stream)
        end = received.find(b"\r\n\r\n")
        head = parse(received[:end]) if end >= 0 else None
        status = judge(head, rule) if end >= 0 else 431
        if status == 101 or not received:
            return received
        await stream.send_all(response(status, body=head is None or head.method != "HEAD"))
        await linger(stream)
    return b""


async def _receive_head(stream: trio.SocketStream) -> bytes:
    """Bytes up to the empty line and perhaps beyond; without one if the head is too long."""
    received = b""
    while b"\r\n\r\n" not in received and len(received) < HEAD_LIMIT:
        data = await stream.receive_some(HEAD_LIMIT)
        if not data:
            return b""
        received += data
    return received


async def linger(stream: trio.SocketStream) -> None:
    """Let the client read our last word: closing over unread input would reset the connection."""
    with trio.move_on_after(LINGER_SECONDS):
        await stream.send_eof()
        while await stream.receive_some(READ_BYTES):
            pass


class Wire(trio.abc.Stream):
    """The stream under one conversation; the library's frames and ours are sent in turns.

    It begins with what has been read of it already.  Frames that came along with the head are held
    back until the handshake is over: the library would not look at them before the next ones come.
    When the library closes it, it stays open for a close frame, which the library omits if it was
    the client that broke the protocol.
    """

    def __init__(self, stream: trio.SocketStream, received: bytes) -> None:
        self.stream = stream
        self.turn = trio.StrictFIFOLock()
        self.upgraded = trio.Event()
        self.ending = False  # we have begun to close, and say nothing more
        self.closed = False  # the library has closed it
        self.goodbye = False  # a close frame has been sent
        head, end, rest = received.partition(b"\r\n\r\n")
        self._head = head + end
        self._rest = rest

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        if self._head:
            data, self._head = self._head, b""
            await trio.lowlevel.checkpoint()
            return data
        await self.upgraded.wait()
        if self.closed:
            raise trio.ClosedResourceError
        if self._rest:
            data, self._rest = self._rest, b""
            return data
        return await self.stream.receive_some(max_bytes)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        async with self.turn:
            if self.closed:
                raise trio.ClosedResourceError
            self.goodbye = data[:1] == CLOSE_FRAME
            await self.stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        async with self.turn:
            await self.stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        self.closed = True
        await trio.lowlevel.checkpoint()
