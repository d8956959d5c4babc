"""The HTTP proxy: requests with a whole URL are passed on, CONNECT makes a tunnel.

One request, one connection: clients that want more open more, and nothing of one request can leak
into the next.
"""

from collections.abc import Callable
from http import HTTPStatus

import h11
import trio

from workers.proxy.gate import Gate
from workers.proxy.message import PIECE_BYTES, Conversation, Headers, absolute, passed_on
from workers.proxy.refusal import Blocked, Unreachable
from workers.proxy.relay import linger, part, relay
from workers.proxy.target import BadTarget, Target, split

_READING = {b"GET", b"HEAD", b"OPTIONS"}
_UNIX_SOCKET = b"x-unix-socket"  # the reference server's header, which works on macOS only
_NO_SOCKETS = "Atrio's proxy reaches no Unix sockets on Linux; use one of the network's."


async def serve_http(stream: trio.SocketStream, gate: Gate, waiting: Callable[[], None]) -> None:
    """`waiting` is called when the client has said what it wants, and time is ours to take.

    Raises trio.BrokenResourceError when the client goes.
    """
    client = Conversation(stream, "server")
    try:
        request = await client.hear()
        waiting()
        if isinstance(request, h11.Request):
            await _serve(client, request, gate)
    except Blocked as blocked:
        await _answer(client, 403, blocked.message, [(b"x-proxy-error", blocked.error.encode())])
    except Unreachable as error:
        await _answer(client, 502, str(error))
    except BadTarget as error:
        await _answer(client, 400, f"Atrio's proxy: {error}")
    except h11.RemoteProtocolError as error:
        await _answer(client, error.error_status_hint, f"Atrio's proxy: {error}")


async def _serve(client: Conversation, request: h11.Request, gate: Gate) -> None:
    if request.method == b"CONNECT":
        await _tunnel(client, request, gate)
    elif any(name == _UNIX_SOCKET for name, _ in request.headers):
        await _answer(client, 501, _NO_SOCKETS)
    else:
        await _forward(client, request, gate)


async def _tunnel(client: Conversation, request: h11.Request, gate: Gate) -> None:
    target = Target.of("https", *split(request.target.decode("ascii", "replace"), None))
    upstream = await gate.open(target)
    async with upstream:
        await client.say(
            h11.Response(status_code=200, headers=[], reason=b"Connection established")
        )
        early, _ = client.h11.trailing_data
        if early:
            await upstream.send_all(early)
        await relay(client.stream, upstream)


async def _forward(client: Conversation, request: h11.Request, gate: Gate) -> None:
    target, path = absolute(request.target)
    upstream = await gate.open(target, only_reads=request.method in _READING)
    async with upstream:
        server = Conversation(upstream, "client")
        asked = h11.Request(method=request.method, target=path, headers=_asked(request, target))
        if not await _exchange(client, server, asked) and client.may_answer:
            raise Unreachable(f"Atrio's proxy got no answer from {target} that is HTTP/1.1")


def _asked(request: h11.Request, target: Target) -> Headers:
    """Host is what the URL says: another one would lead past the allowed domains."""
    kept = [(name, value) for name, value in passed_on(request.headers) if name != b"host"]
    host = str(target).removesuffix(":80")
    return [(b"Host", host.encode()), *kept, (b"Connection", b"close")]


async def _exchange(client: Conversation, server: Conversation, asked: h11.Request) -> bool:
    """Whether the answer has come through whole."""
    whole = False
    async with trio.open_nursery() as nursery:
        try:
            await server.say(asked)
            nursery.start_soon(_pass_body, client, server, nursery.cancel_scope)
            whole = await _pass_answer(client, server)
        except (h11.ProtocolError, trio.BrokenResourceError):
            pass
        nursery.cancel_scope.cancel()
    return whole


async def _pass_body(client: Conversation, server: Conversation, scope: trio.CancelScope) -> None:
    """A request that breaks off takes the exchange with it; a server that has heard enough may
    answer nevertheless."""
    try:
        while isinstance(event := await client.hear(), h11.Data | h11.EndOfMessage):
            await _say_unless_gone(server, event)
            if isinstance(event, h11.EndOfMessage):
                while await client.stream.receive_some(PIECE_BYTES):
                    pass  # there is but one request on a connection
                linger(scope)
                return
    except (h11.ProtocolError, trio.BrokenResourceError):
        scope.cancel()


async def _say_unless_gone(server: Conversation, event: h11.Data | h11.EndOfMessage) -> None:
    try:
        await server.say(event)
    except trio.BrokenResourceError:
        return


async def _pass_answer(client: Conversation, server: Conversation) -> bool:
    while True:
        match await server.hear():
            case h11.InformationalResponse(status_code=code) as event if code != 101:
                await client.say(event)
            case h11.Response() as event:
                headers = [*passed_on(event.headers), (b"Connection", b"close")]
                await client.say(
                    h11.Response(
                        status_code=event.status_code, headers=headers, reason=event.reason
                    )
                )
            case h11.Data() as event:
                await client.say(event)
            case h11.EndOfMessage():
                await client.say(h11.EndOfMessage())
                return True
            case _:
                return False


async def _answer(client: Conversation, status: int, text: str, more: Headers = []) -> None:  # noqa: B006
    """Our own answer, when nothing of another has been sent."""
    if not client.may_answer:
        return
    body, phrase = text.encode() + b"\n", HTTPStatus(status).phrase.encode()
    headers = [
        (b"Content-Type", b"text/plain; charset=utf-8"),
        (b"Content-Length", str(len(body)).encode()),
        (b"Connection", b"close"),
        *more,
    ]
    await client.say(h11.Response(status_code=status, headers=headers, reason=phrase))
    await client.say(h11.Data(body))
    await client.say(h11.EndOfMessage())
    await part(client.stream)
