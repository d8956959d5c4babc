"""Where a command wants to go: a host, a port and the protocol that it asked by."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from protocol.approval import NetworkApprovalProtocol

Address = IPv4Address | IPv6Address

_NAME = re.compile(r"(?!-)[a-z0-9_.-]{1,253}", re.ASCII)


class BadTarget(ValueError):
    """What was asked for is no host and port; the text is for the client."""


@dataclass(frozen=True, slots=True)
class Target:
    """`host` is normal: lower case, no final dot, addresses in their usual form."""

    protocol: NetworkApprovalProtocol
    host: str
    port: int

    @classmethod
    def of(cls, protocol: NetworkApprovalProtocol, host: str, port: int) -> "Target":
        """Raises BadTarget."""
        return cls(protocol, normal(host), port)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def normal(host: str) -> str:
    """Raises BadTarget.

    A name that only looks like one, such as 127.1 or 0x7f000001, stays a name: it is judged by
    what it resolves to, like every other.
    """
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if (literal := address(bare)) is not None:
        return str(literal)
    name = bare.lower().rstrip(".")
    if not _NAME.fullmatch(name):
        raise BadTarget(f"{host[:100]!r} is no host")
    return name


def address(host: str) -> Address | None:
    """A literal address.  One with a zone belongs to an interface of this host: it is none."""
    try:
        return None if "%" in host else ip_address(host)
    except ValueError:
        return None


def split(authority: str, port: int | None) -> tuple[str, int]:
    """`host:port`, with a default for the port if there is one.  Raises BadTarget."""
    found = re.fullmatch(r"(?:[^@]*@)?(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?", authority, re.ASCII)
    number = int(found[2]) if found and found[2] else port
    if not found or not found[1] or number is None or not 0 < number < 65536:
        raise BadTarget(f"{authority[:100]!r} is no host with a port")
    return found[1], number
