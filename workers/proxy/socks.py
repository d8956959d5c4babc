"""SOCKS5, RFC 1928: a client names a host and a port, and gets a tunnel.

Names are resolved here, not by the client, which has no resolver.  There are no datagrams.
"""

import socket
import struct
from collections.abc import Callable

import trio

from workers.proxy.gate import Gate
from workers.proxy.refusal import Blocked, Unreachable
from workers.proxy.relay import part, relay
from workers.proxy.target import BadTarget, Target

_VERSION, _NO_AUTHENTICATION, _NONE_ACCEPTABLE = 5, 0, 0xFF
_CONNECT = 1
_IPV4, _NAME, _IPV6 = 1, 3, 4
_SUCCEEDED, _NOT_ALLOWED, _UNREACHABLE = 0, 2, 4
_COMMAND_UNKNOWN, _ADDRESS_UNKNOWN = 7, 8


class _Refused(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


async def serve_socks(stream: trio.SocketStream, gate: Gate, waiting: Callable[[], None]) -> None:
    """`waiting` is called when the client has said what it wants, and time is ours to take.

    Raises trio.BrokenResourceError when the client goes.
    """
    try:
        if (target := await _wanted(stream)) is None:
            return
        waiting()
        upstream = await gate.open(target)
    except _Refused as refusal:
        await _refuse(stream, refusal.code)
    except BadTarget:
        await _refuse(stream, _ADDRESS_UNKNOWN)
    except Blocked:
        await _refuse(stream, _NOT_ALLOWED)
    except Unreachable:
        await _refuse(stream, _UNREACHABLE)
    else:
        async with upstream:
            await _answer(stream, _SUCCEEDED)
            await relay(stream, upstream)


async def _wanted(stream: trio.SocketStream) -> Target | None:
    """None when the client speaks something else, and can be told nothing."""
    version, count = await _exactly(stream, 2)
    methods = await _exactly(stream, count)
    if version != _VERSION:
        return None
    if _NO_AUTHENTICATION not in methods:
        await stream.send_all(bytes([_VERSION, _NONE_ACCEPTABLE]))
        return None
    await stream.send_all(bytes([_VERSION, _NO_AUTHENTICATION]))
    _, command, _, kind = await _exactly(stream, 4)
    host = await _host(stream, kind)
    (port,) = struct.unpack(">H", await _exactly(stream, 2))
    if command != _CONNECT:
        raise _Refused(_COMMAND_UNKNOWN)
    return Target.of("socks5Tcp", host, port)


async def _host(stream: trio.SocketStream, kind: int) -> str:
    if kind == _IPV4:
        return socket.inet_ntop(socket.AF_INET, await _exactly(stream, 4))
    if kind == _IPV6:
        return socket.inet_ntop(socket.AF_INET6, await _exactly(stream, 16))
    if kind != _NAME:
        raise _Refused(_ADDRESS_UNKNOWN)
    (length,) = await _exactly(stream, 1)
    return (await _exactly(stream, length)).decode("ascii", "replace")


async def _exactly(stream: trio.SocketStream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = await stream.receive_some(size - len(data))
        if not piece:
            raise trio.BrokenResourceError
        data += piece
    return data


async def _refuse(stream: trio.SocketStream, code: int) -> None:
    await _answer(stream, code)
    await part(stream)


async def _answer(stream: trio.SocketStream, code: int) -> None:
    await stream.send_all(bytes([_VERSION, code, 0, _IPV4]) + bytes(6))
