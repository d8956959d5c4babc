"""The system calls that no command in a sandbox needs, as a filter program for the kernel.

Namespaces confine what a command reaches; the filter takes away the calls that could loosen them
(mounts, further namespaces, foreign file handles), those that reach the kernel itself, typing into
somebody else's terminal, and the sockets that a network namespace does not cover: Unix sockets lead
to any server of the host, AF_VSOCK to the hypervisor.  Where there are no namespaces, it also takes
away what they would have made private.  The list is SANDBOX.md's; refusals are EPERM, because that
is what programs and the reference server take for a sandbox.
"""

import errno
import functools
import platform
import struct
from dataclasses import dataclass, field
from typing import Literal

Sockets = Literal["none", "inet", "inet+unix"]

_ALLOW = 0x7FFF0000
_KILL = 0x80000000  # the whole process, by SIGSYS
_EPERM = 0x00050000 | errno.EPERM
_ENOSYS = 0x00050000 | errno.ENOSYS

_LOAD, _RETURN = 0x20, 0x06
_EQUAL, _AT_LEAST, _ANY_BIT = 0x15, 0x35, 0x45
_MASK = 0x54
_NUMBER, _ARCH = 0, 4  # offsets in struct seccomp_data, linux/seccomp.h
_X32 = 0x40000000  # the same calls under other numbers

_NEW_NAMESPACES = 0x7E020000  # CLONE_NEW*, linux/sched.h
_NEW_TIME = 0x80
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_UNIX, _INET, _INET6, _NETLINK = 1, 2, 10, 16
_ALL_OF_THE_USER = 2  # PRIO_USER
_STREAM, _SEQPACKET, _TYPE = 1, 5, 0xF

# The same on every architecture: calls newer than the common table of 2019.
_COMMON = {
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "pidfd_getfd": 438,
    "mount_setattr": 442,
    "quotactl_fd": 443,
    "open_tree_attr": 467,
}
_NAMES = (
    *("mount", "umount2", "pivot_root", "chroot", "setns", "open_by_handle_at"),
    *("keyctl", "add_key", "request_key"),
    *("bpf", "perf_event_open", "userfaultfd", "syslog", "lookup_dcookie"),
    *("ptrace", "process_vm_readv", "process_vm_writev", "kcmp"),
    *("init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load"),
    *("reboot", "swapon", "swapoff", "settimeofday", "clock_settime", "acct", "quotactl"),
    *("vhangup", "sethostname", "setdomainname"),
)
_X86_64 = (
    *(165, 166, 155, 161, 308, 304),
    *(250, 248, 249),
    *(321, 298, 323, 103, 212),
    *(101, 310, 311, 312),
    *(175, 313, 176, 246, 320),
    *(169, 167, 168, 164, 227, 163, 179),
    *(153, 170, 171),
)
_AARCH64 = (
    *(40, 39, 41, 51, 268, 265),
    *(219, 217, 218),
    *(280, 241, 282, 116, 18),
    *(117, 270, 271, 272),
    *(105, 273, 106, 104, 294),
    *(142, 224, 225, 170, 112, 89, 60),
    *(58, 161, 162),
)

# Shared memory, semaphores and messages have no place that a rule could name: the host's are had by
# their number.  Refused where they are not private.
_IPC = (
    *("shmget", "shmat", "shmctl", "shmdt", "semget", "semop", "semctl", "semtimedop"),
    *("msgget", "msgsnd", "msgrcv", "msgctl", "mq_open", "mq_unlink"),
)
_IPC_X86_64 = (29, 30, 31, 67, 64, 65, 66, 220, 68, 69, 70, 71, 240, 241)
_IPC_AARCH64 = (194, 196, 195, 197, 190, 193, 191, 192, 186, 189, 188, 187, 180, 181)


@dataclass(frozen=True)
class Machine:
    """An architecture: its AUDIT_ARCH_* number, and its numbers of the calls that are named."""

    arch: int
    denied: dict[str, int]
    clone: int
    unshare: int
    ioctl: int
    socket: int
    socketpair: int
    ipc: dict[str, int]
    setpriority: int
    prlimit: int
    clone3: int = 435
    x32: bool = False
    extra: dict[str, int] = field(default_factory=dict[str, int])


MACHINES = {
    "x86_64": Machine(
        arch=0xC000003E,
        denied=dict(zip(_NAMES, _X86_64, strict=True)) | _COMMON,
        clone=56,
        unshare=272,
        ioctl=16,
        socket=41,
        socketpair=53,
        ipc=dict(zip(_IPC, _IPC_X86_64, strict=True)),
        setpriority=141,
        prlimit=302,
        x32=True,
        extra={"iopl": 172, "ioperm": 173},
    ),
    "aarch64": Machine(
        arch=0xC00000B7,
        denied=dict(zip(_NAMES, _AARCH64, strict=True)) | _COMMON,
        clone=220,
        unshare=97,
        ioctl=29,
        socket=198,
        socketpair=199,
        ipc=dict(zip(_IPC, _IPC_AARCH64, strict=True)),
        setpriority=140,
        prlimit=261,
    ),
}


@functools.cache
def program(sockets: Sockets, machine: str | None = None, *, shared: bool = False) -> bytes:
    """An array of struct sock_filter; `shared` is for a command among the host's processes.

    Raises KeyError for an architecture without a table.
    """
    return b"".join(_instructions(sockets, MACHINES[machine or platform.machine()], shared))


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)


def _argument(index: int) -> bytes:
    """Load its low half: all that the kernel looks at in a flag word, a family or a command."""
    return _op(_LOAD, 16 + 8 * index)


def _answer(verdict: int) -> bytes:
    return _op(_RETURN, verdict)


def _refuse_if(test: int, value: int) -> list[bytes]:
    return [_op(test, value, 0, 1), _answer(_EPERM)]


def _allow_if(value: int) -> list[bytes]:
    return [_op(_EQUAL, value, 0, 1), _answer(_ALLOW)]


def _for_call(number: int, body: list[bytes]) -> list[bytes]:
    """The body ends with an answer: what comes behind it is for the other calls."""
    return [_op(_EQUAL, number, 0, len(body)), *body]


def _instructions(sockets: Sockets, machine: Machine, shared: bool) -> list[bytes]:
    code = [_op(_LOAD, _ARCH), _op(_EQUAL, machine.arch, 1, 0), _answer(_KILL)]
    code.append(_op(_LOAD, _NUMBER))
    if machine.x32:
        code += _refuse_if(_AT_LEAST, _X32)
    refused = {**machine.denied, **machine.extra, **(machine.ipc if shared else {})}
    for number in sorted(refused.values()):
        code += _refuse_if(_EQUAL, number)
    code += _for_call(machine.clone3, [_answer(_ENOSYS)])  # its flags are in memory; libc goes on
    code += _for_call(machine.clone, _without_flags(_NEW_NAMESPACES))
    code += _for_call(machine.unshare, _without_flags(_NEW_NAMESPACES | _NEW_TIME))
    code += _for_call(machine.ioctl, _no_typing())
    code += _for_call(machine.socket, _families(sockets))
    if shared:
        others = [_argument(0), *_refuse_if(_EQUAL, _ALL_OF_THE_USER)]
        code += _for_call(machine.setpriority, [*others, *_of_itself(1)])
        code += _for_call(machine.prlimit, _of_itself(0))
    if sockets != "inet+unix":
        code += _for_call(machine.socketpair, _pairs())
    return [*code, _answer(_ALLOW)]


def _without_flags(flags: int) -> list[bytes]:
    return [_argument(0), *_refuse_if(_ANY_BIT, flags), _answer(_ALLOW)]


def _no_typing() -> list[bytes]:
    refused = [op for request in (_TIOCSTI, _TIOCLINUX) for op in _refuse_if(_EQUAL, request)]
    return [_argument(1), *refused, _answer(_ALLOW)]


def _of_itself(index: int) -> list[bytes]:
    """Not of another process, which could be the server: by a limit it could be killed."""
    return [_argument(index), *_allow_if(0), _answer(_EPERM)]


def _families(sockets: Sockets) -> list[bytes]:
    if sockets == "none":  # without a network of its own even its own address is the host's
        return [_answer(_EPERM)]
    families = [_INET, _INET6] + ([_UNIX] if sockets == "inet+unix" else [])
    allowed = [op for family in families for op in _allow_if(family)]
    # Of netlink only the part that lists addresses and routes: resolvers ask it.
    route = [_op(_EQUAL, _NETLINK, 1, 0), _answer(_EPERM), _argument(2), *_allow_if(0)]
    return [_argument(0), *allowed, *route, _answer(_EPERM)]


def _pairs() -> list[bytes]:
    """Pairs that can reach nobody but their own ends; a datagram one could send to any path."""
    kinds = [op for kind in (_STREAM, _SEQPACKET) for op in _allow_if(kind)]
    unix = [_argument(0), _op(_EQUAL, _UNIX, 1, 0), _answer(_EPERM)]
    return [*unix, _argument(1), _op(_MASK, _TYPE), *kinds, _answer(_EPERM)]
