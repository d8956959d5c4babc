"""HTTP/1.1 on a stream: h11 says what the bytes mean, and what may be said next."""

from collections.abc import Iterable
from typing import Literal
from urllib.parse import urlsplit

import h11
import trio

from workers.proxy.target import BadTarget, Target, split

HEAD_BYTES = (
    64 << 10
)  # of a request's or an answer's head; browsers and servers stop at 8 to 64 KiB
PIECE_BYTES = 64 << 10

# They are about one connection and not to be passed on, RFC 9110 section 7.6.1; how a body is
# framed is left to h11, which frames it anew.
_HOP_BY_HOP = {
    *(b"connection", b"proxy-connection", b"keep-alive", b"te", b"trailer", b"upgrade"),
    *(b"proxy-authorization", b"proxy-authenticate"),
}

Headers = list[tuple[bytes, bytes]]
Event = h11.Event | type[h11.PAUSED]


class Conversation:
    """One side of one connection: we are the server or the client in it."""

    def __init__(self, stream: trio.SocketStream, role: Literal["server", "client"]) -> None:
        self.stream = stream
        ours = h11.SERVER if role == "server" else h11.CLIENT
        self.h11 = h11.Connection(ours, max_incomplete_event_size=HEAD_BYTES)

    async def hear(self) -> Event:
        """Raises h11.RemoteProtocolError and trio.BrokenResourceError."""
        while (event := self.h11.next_event()) is h11.NEED_DATA:
            self.h11.receive_data(await self.stream.receive_some(PIECE_BYTES))
        assert not isinstance(event, type) or event is h11.PAUSED
        return event

    async def say(self, event: h11.Event) -> None:
        """Raises h11.LocalProtocolError and trio.BrokenResourceError."""
        if data := self.h11.send(event):
            await self.stream.send_all(data)

    @property
    def may_answer(self) -> bool:
        """Whether a request can still be answered, as a whole."""
        return self.h11.our_state in (h11.IDLE, h11.SEND_RESPONSE)


def passed_on(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The headers that are for the other end, without those that Connection names."""
    given = list(headers)
    named = {
        name.strip().lower() for key, value in given if key == b"connection"
        for name in value.split(b",")
    }  # fmt: skip
    dropped = _HOP_BY_HOP | (named - {b"content-length", b"transfer-encoding"})
    return [(name, value) for name, value in given if name not in dropped]


def absolute(target: bytes) -> tuple[Target, bytes]:
    """`http://host:port/path?query` as the host to go to and what to ask there for."""
    try:
        url = urlsplit(target.decode("ascii"))
    except ValueError:
        raise BadTarget("the request's target is not in ASCII, or is no URL") from None
    if url.scheme != "http" or not url.netloc:
        raise BadTarget(
            "this is a proxy: ask it with the whole URL (http://…), or with CONNECT for anything "
            "but plain http"
        )
    host, port = split(url.netloc, 80)
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    return Target.of("http", host, port), path.encode()
