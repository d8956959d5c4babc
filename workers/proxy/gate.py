"""The way out: judge a target, ask if need be, look its name up once, connect to what was judged.

Whoever answers for a name may answer otherwise a moment later, so the addresses that were looked
at are those that are used.  A name that nobody has allowed is not looked up: the question alone
would carry out whatever is written into it.
"""

import os
import socket
from collections.abc import Awaitable, Callable
from ipaddress import ip_address

import trio

from workers.proxy.policy import Policy
from workers.proxy.refusal import Blocked, Unreachable
from workers.proxy.target import Address, Target, address

Resolve = Callable[[str, int], Awaitable[list[str]]]
Ask = Callable[[Target], Awaitable[bool]]

LOOKUP_SECONDS = 10
CONNECT_SECONDS = 15  # for each address
_KEEPALIVE = (  # a peer that is gone without a word must not hold its connection for ever
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, getattr(socket, "TCP_KEEPIDLE", 0), 60),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
)


async def look_up(host: str, port: int) -> list[str]:
    """The addresses of a name, by this host's own resolver.  Raises OSError."""
    found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Gate:
    """`policy` is asked anew for each connection: rules and profiles change.  `ask` is for what it
    does not list, `tell` hears what was not let through."""

    def __init__(
        self,
        policy: Callable[[], Policy],
        ask: Ask,
        tell: Callable[[Blocked], None] = lambda _: None,
        resolve: Resolve = look_up,
    ) -> None:
        self._policy = policy
        self._ask = ask
        self._tell = tell
        self._resolve = resolve

    async def open(self, target: Target, *, only_reads: bool = False) -> trio.SocketStream:
        """`only_reads` says that the request asks for nothing to be changed.

        Raises Blocked and Unreachable.
        """
        try:
            await self._admit(target, only_reads=only_reads)
            return await self._connect(target, await self._addresses(target))
        except Blocked as blocked:
            self._tell(blocked)
            raise

    async def _admit(self, target: Target, *, only_reads: bool) -> None:
        policy = self._policy()
        if policy.network.mode == "limited" and not only_reads:
            http = target.protocol == "http"
            raise Blocked("method_not_allowed" if http else "mitm_required", target)
        match policy.judge(target):
            case "denied":
                raise Blocked("denied", target)
            case "local":
                raise Blocked("not_allowed_local", target)
            case "unlisted":
                if not await self._ask(target):
                    raise Blocked("not_allowed", target)
            case "allowed":
                pass

    async def _addresses(self, target: Target) -> list[Address]:
        found = [literal] if (literal := address(target.host)) else await self._looked_up(target)
        match self._policy().judge_addresses(target, found):
            case "denied":
                raise Blocked("denied", target)
            case "local":
                raise Blocked("not_allowed_local", target)
            case _:
                return found

    async def _looked_up(self, target: Target) -> list[Address]:
        try:
            with trio.fail_after(LOOKUP_SECONDS):
                return [ip_address(a) for a in await self._resolve(target.host, target.port)]
        except (OSError, ValueError, trio.TooSlowError) as error:
            why = error.strerror if isinstance(error, OSError) else None
            raise Unreachable(
                f"Atrio's proxy cannot look up {target.host}: {why or 'no answer'}"
            ) from None

    async def _connect(self, target: Target, addresses: list[Address]) -> trio.SocketStream:
        why = "no address"
        for found in addresses:
            try:
                with trio.fail_after(CONNECT_SECONDS):
                    return await _connected(found, target.port)
            except trio.TooSlowError:
                why = "no answer"
            except OSError as error:
                why = os.strerror(error.errno) if error.errno else str(error)
        raise Unreachable(f"Atrio's proxy cannot connect to {target}: {why}")


async def _connected(found: Address, port: int) -> trio.SocketStream:
    family = socket.AF_INET if found.version == 4 else socket.AF_INET6
    sock = trio.socket.socket(family, socket.SOCK_STREAM)
    try:
        await sock.connect((str(found), port))
        for option in _KEEPALIVE:
            sock.setsockopt(*option)
    except BaseException:
        sock.close()
        raise
    return trio.SocketStream(sock)
