"""`[permissions.NAME.network]`: which profiles have a managed network, and what it lets through."""

import re
from urllib.parse import urlsplit

from protocol.network import ManagedNetwork
from supervisor.layers import ConfigError, dotted
from supervisor.toml import Network, Toml

_PATTERN = re.compile(r"[A-Za-z0-9_.\-:*?\[\]!]+")
EVERYTHING = ("*", "*.*", "**.*")


def managed_networks(toml: Toml) -> dict[str, ManagedNetwork]:
    """By the id of the profile.  Raises ConfigError."""
    return {
        name: _managed(["permissions", name, "network"], profile.network)
        for name, profile in (toml.permissions or {}).items()
        if profile.network is not None and is_managed(profile.network)
    }


def is_managed(network: Network) -> bool:
    """An `enabled` that stands alone opens the network wholly, without a proxy (observed)."""
    said = {name for name in network.__struct_fields__ if getattr(network, name) is not None}
    return network.enabled is True and bool(said - {"enabled"})


def _managed(key: list[str], network: Network) -> ManagedNetwork:
    domains = network.domains or {}
    for pattern, decision in domains.items():
        _check(pattern, decision, dotted([*key, "domains", pattern]))
    for path in network.unix_sockets or {}:
        if not path.startswith("/"):
            where = dotted([*key, "unix_sockets", path])
            raise ConfigError("a socket is named by an absolute path", key=where)
    socks = network.enable_socks5 is not False
    return ManagedNetwork(
        allowed=[pattern for pattern, decision in domains.items() if decision == "allow"],
        denied=[pattern for pattern, decision in domains.items() if decision == "deny"],
        mode=network.mode or "full",
        allow_local_binding=network.allow_local_binding is True,
        http_port=_port(network.proxy_url, dotted([*key, "proxy_url"])),
        socks_port=_port(network.socks_url, dotted([*key, "socks_url"])) if socks else None,
    )


def _check(pattern: str, decision: str, where: str) -> None:
    if not _PATTERN.fullmatch(pattern) or pattern.count(":") == 1:
        raise ConfigError(
            "a domain is a host or a pattern of hosts such as *.example.com, "
            "without scheme, port or path",
            key=where,
        )
    if decision == "deny" and pattern in EVERYTHING:
        raise ConfigError(
            "everything cannot be denied; leave `domains` empty, or name hosts or patterns such as "
            "*.example.com or **.example.com",
            key=where,
        )


def _port(url: str | None, where: str) -> int:
    """Of the proxy inside a thread's own network, where each port is free; 0 when none is named.

    The host does not matter there: it is loopback, and nobody from outside can connect.
    """
    if url is None:
        return 0
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port or 0
    except ValueError as error:
        raise ConfigError(f"{url} is no address of a proxy: {error}", key=where) from None
    if not parts.hostname:
        raise ConfigError(f"{url} is no address of a proxy", key=where)
    return port
