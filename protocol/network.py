"""The managed network: which hosts commands may reach, through a proxy of their thread's own.

The supervisor reads it out of a permission profile, the worker keeps it.
"""

from typing import Literal

from msgspec import Struct, field

NetworkMode = Literal["full", "limited"]


class ManagedNetwork(Struct, kw_only=True, frozen=True):
    """`limited` lets requests through that only read.  A port of 0 is chosen by the kernel;
    without a `socks_port` there is no SOCKS."""

    allowed: list[str] = field(default_factory=list[str])
    denied: list[str] = field(default_factory=list[str])
    mode: NetworkMode = "full"
    allow_local_binding: bool = False
    http_port: int = 0
    socks_port: int | None = 0
