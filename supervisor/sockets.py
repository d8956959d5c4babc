"""Listening sockets: a TCP port, or a Unix socket that only its owner may use."""

import fcntl
import os
import socket
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import trio

from supervisor.options import Refused, Tcp

BACKLOG = 1024  # clients that come all at once after a restart; the kernel has a limit of its own
KEEP_ALIVE_SECONDS = 60


def _listener(plain: socket.socket) -> trio.SocketListener:
    plain.listen(BACKLOG)
    return trio.SocketListener(trio.socket.from_stdlib_socket(plain))


def listen_tcp(address: Tcp) -> tuple[trio.SocketListener, Tcp]:
    """Listen, and say where: the port is a real one.  Raises Refused when it cannot be had."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    plain = socket.socket(family)
    try:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        plain.bind((address.host, address.port))
        return _listener(plain), Tcp(address.host, plain.getsockname()[1])
    except OSError as error:
        plain.close()
        raise Refused(
            f"cannot listen on {address.url} ({error.strerror}); choose another address or port"
        ) from None


def listen_unix(path: Path, *, private_folder: bool = False) -> trio.SocketListener:
    """Listen with mode 0600, in place of a socket that nobody serves any more.

    A folder that is missing is made, for us alone; `private_folder` is ours alone in any case.

    Raises Refused when somebody serves it, when the path holds something else, or cannot be used.
    """
    plain = socket.socket(socket.AF_UNIX)
    try:
        with _alone_in(path.parent):
            if private_folder:
                path.parent.chmod(0o700)
            _make_way(path)
            before = os.umask(0o177)  # nobody else may connect in the moment before a chmod
            try:
                plain.bind(str(path))
            finally:
                os.umask(before)
            return _listener(plain)
    except OSError as error:
        plain.close()
        raise Refused(
            f"cannot listen on {path} ({error.strerror or error}); choose another path"
        ) from None
    except Refused:
        plain.close()
        raise


def keep_alive(stream: trio.SocketStream) -> None:
    """Notice within some minutes that a client's machine is gone: its threads must not wait."""
    with suppress(OSError):  # a Unix socket needs none of it
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):  # elsewhere the system's two hours hold
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEP_ALIVE_SECONDS)


@contextmanager
def _alone_in(folder: Path) -> Generator[None]:
    """Two servers that start at once must not both find the same socket to be stale."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _make_way(path: Path) -> None:
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise Refused(f"{path} is there and is no socket; remove it or choose another path")
    with socket.socket(socket.AF_UNIX) as knock, suppress(ConnectionRefusedError):
        knock.settimeout(1)
        knock.connect(str(path))
        raise Refused(f"a server listens on {path} already; stop it or choose another path")
    path.unlink()


@contextmanager
def removed_at_end(path: Path) -> Generator[None]:
    """Take the socket's file away, unless another server has put its own there meanwhile."""
    ours = path.stat()
    try:
        yield
    finally:
        with suppress(FileNotFoundError):
            if os.path.samestat(path.stat(), ours):
                path.unlink()
