"""Is an address out on the internet, or near: this host, its networks, or its cloud's metadata?"""

from ipaddress import IPv4Address, IPv6Address, ip_network

from workers.proxy.target import Address

# What `is_global` takes for public and is not: assignments of the IETF, and multicast is global.
_NEAR = [ip_network("192.0.0.0/24"), ip_network("192.88.99.0/24"), ip_network("fec0::/10")]
_NAT64 = ip_network("64:ff9b::/96")  # an IPv4 address in its last bytes, behind a translator


def is_public(address: Address) -> bool:
    """Loopback, private, link-local (and with it metadata services), shared, reserved and
    multicast addresses are not."""
    if inner := _carried(address):
        return is_public(inner)
    if address.is_multicast or any(address in near for near in _NEAR):
        return False
    return address.is_global


def _carried(address: Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for, or leads to through a tunnel."""
    if not isinstance(address, IPv6Address):
        return None
    if address in _NAT64 or (int(address) >> 32 == 0 and int(address) > 1):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
