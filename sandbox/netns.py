"""A network of its own for the commands of a thread: loopback, and nothing that leads out of it.

The sockets of the thread's proxy are made inside and handed out, so the proxy runs outside and its
clients inside without a bridge between them.  Nothing runs in the namespace to keep it alive: two
descriptors do, and it goes with them.
"""

import os
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from sandbox.refusal import Unenforceable

_PROGRAM = Path(__file__).with_name("unshared.py")
_PLACES = "/usr/bin:/bin:/usr/sbin:/sbin"
_SECONDS = 10
_POLICY = "of the permission profile, whose network is managed,"
_CURE = (
    "It needs user and network namespaces: in a container allow them, elsewhere see sysctl "
    "user.max_net_namespaces."
)


@dataclass(slots=True)
class Namespace:
    """`user` and `net` are the descriptors that keep it; `nsenter` is the program that joins it."""

    user: int
    net: int
    nsenter: str

    def entry(self) -> tuple[str, ...]:
        """The words to run a program through, so that it runs in there.

        They name this process's descriptors, which must not be passed on: a command that held one
        would hold a way to the namespace's owner.
        """
        ours = f"/proc/{os.getpid()}/fd"
        return (
            *(self.nsenter, "--preserve-credentials"),
            *(f"--user={ours}/{self.user}", f"--net={ours}/{self.net}", "--"),
        )

    def close(self) -> None:
        os.close(self.user)
        os.close(self.net)


def unshare(ports: list[int]) -> tuple[Namespace, list[socket.socket]]:
    """A new namespace, and sockets that listen on its loopback: one for each port, 0 for any.

    Takes some 12 ms, most of them Python's start.  Raises Unenforceable.
    """
    nsenter = shutil.which("nsenter", path=_PLACES)
    if nsenter is None:
        why = "nsenter, which joins a network, is not installed"
        raise Unenforceable(_POLICY, why, "Install it; the package is called util-linux.")
    descriptors = _made(ports)
    if len(descriptors) != 2 + len(ports):
        for descriptor in descriptors:
            os.close(descriptor)
        raise Unenforceable(_POLICY, "too few descriptors are left", "See ulimit -n.")
    user, net, *listeners = descriptors
    return Namespace(user, net, nsenter), [socket.socket(fileno=fd) for fd in listeners]


def _made(ports: list[int]) -> list[int]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(_SECONDS)
        argv = [sys.executable, "-I", "-S", str(_PROGRAM), str(theirs.fileno()), *map(str, ports)]
        try:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                cwd="/",
                env={},
                pass_fds=[theirs.fileno()],
                timeout=_SECONDS,
                check=False,
                text=True,
                errors="replace",
            )
            if done.returncode:
                raise Unenforceable(_POLICY, done.stderr.strip()[-500:], _CURE)
            return socket.recv_fds(ours, 1, 2 + len(ports))[1]
        except (OSError, subprocess.SubprocessError) as error:
            raise Unenforceable(_POLICY, f"its namespace was not made: {error}", _CURE) from None
