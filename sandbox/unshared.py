"""A program: make a network namespace, and hand its descriptors and listening sockets over.

Run by its path, with nothing but the standard library: what it needs first is a process of its
own, because only one with a single thread may leave its user namespace.  It ends when it has sent
them; who holds the descriptors keeps the namespace alive.
"""

import ctypes
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

_NEWUSER, _NEWNET = 0x10000000, 0x40000000  # linux/sched.h
_SIOCSIFFLAGS, _UP = 0x8914, 0x1  # linux/sockios.h, linux/if.h
_BACKLOG = 128


def main(channel: int, ports: list[int]) -> None:
    leave()
    raise_loopback()
    listeners = [listener(port) for port in ports]
    with socket.socket(fileno=channel) as out:
        spaces = [os.open(f"/proc/self/ns/{kind}", os.O_RDONLY) for kind in ("user", "net")]
        socket.send_fds(out, [b"."], [*spaces, *(sock.fileno() for sock in listeners)])


def leave() -> None:
    """Into new namespaces, as the same user: bubblewrap maps it once more."""
    user, group = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEWUSER | _NEWNET) < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"cannot make a network namespace: {os.strerror(code)}")
    Path("/proc/self/setgroups").write_text("deny", "ascii")  # else no group may be mapped
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1", "ascii")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1", "ascii")


def raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _UP))


def listener(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.bind(("127.0.0.1", port))
    sock.listen(_BACKLOG)
    return sock


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]), [int(port) for port in sys.argv[2:]])
    except OSError as error:
        sys.exit(str(error.strerror or error))
