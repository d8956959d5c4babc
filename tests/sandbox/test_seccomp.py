"""The filter of system calls, run by a machine that does what the kernel's does."""

import errno
import struct

import pytest

from sandbox.seccomp import MACHINES, program

EPERM, ENOSYS = 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS
ALLOW, KILL = 0x7FFF0000, 0x80000000
UNIX, INET, INET6, NETLINK, PACKET, VSOCK = 1, 2, 10, 16, 17, 40
BOTH = pytest.mark.parametrize("name", MACHINES)


def verdict(code, arch, number, *arguments):
    """What the program answers to a call; a jump out of it, or no answer, is an error."""
    data = struct.pack("<IIQ6Q", number, arch, 0, *(*arguments, *[0] * (6 - len(arguments))))
    ops = list(struct.iter_unpack("<HBBI", code))
    at = value = 0
    while True:
        op, if_true, if_false, k = ops[at]
        at += 1
        match op:
            case 0x20:
                [value] = struct.unpack_from("<I", data, k)
            case 0x54:
                value &= k
            case 0x15:
                at += if_true if value == k else if_false
            case 0x35:
                at += if_true if value >= k else if_false
            case 0x45:
                at += if_true if value & k else if_false
            case 0x06:
                return k
            case _:
                raise AssertionError(f"no such operation: {op:#x}")


def judge(name, number, *arguments, sockets="inet", shared=False):
    code = program(sockets, name, shared=shared)
    return verdict(code, MACHINES[name].arch, number, *arguments)


@BOTH
@pytest.mark.parametrize("sockets", ["none", "inet", "inet+unix"])
def test_the_kernel_takes_the_program(name, sockets):
    """Kernel: at most 4096 instructions, and every path ends with an answer."""
    code = program(sockets, name)
    assert len(code) % 8 == 0
    assert len(code) // 8 <= 4096


@BOTH
def test_ordinary_calls_are_allowed(name):
    """Ours: a list of what is refused, so that new calls of new programs work."""
    ours = {*MACHINES[name].denied.values(), *MACHINES[name].extra.values(), 435}
    special = {getattr(MACHINES[name], n) for n in ("socket", "socketpair")}
    free = set(range(500)) - ours - special
    assert {judge(name, number) for number in free} == {ALLOW}


@BOTH
def test_each_named_call_is_refused(name):
    """Ours: SANDBOX.md, kernel surface."""
    machine = MACHINES[name]
    assert {judge(name, n) for n in (machine.denied | machine.extra).values()} == {EPERM}
    assert judge(name, machine.clone3) == ENOSYS


@BOTH
def test_other_architectures_are_killed(name):
    """Ours: their numbers mean other calls."""
    assert verdict(program("inet", name), 0x40000003, 20) == KILL


def test_the_other_numbering_of_x86_64_is_refused():
    """Ours: x32."""
    assert judge("x86_64", 0x40000000) == EPERM
    assert judge("aarch64", 0x40000000) == ALLOW


@BOTH
@pytest.mark.parametrize("bit", range(17, 31))
def test_namespaces_can_be_neither_cloned_nor_unshared(name, bit):
    """Ours: each of the seven, and no other flag but CLONE_NEWTIME, which clone does not have."""
    flag, machine = 1 << bit, MACHINES[name]
    expected = EPERM if flag & 0x7E020000 else ALLOW
    assert judge(name, machine.clone, flag) == expected
    assert judge(name, machine.unshare, flag) == expected
    assert judge(name, machine.unshare, 0x80) == EPERM
    assert judge(name, machine.clone, 0x11) == ALLOW


@BOTH
def test_nothing_is_typed_into_terminals(name):
    """Ours: TIOCSTI and TIOCLINUX; the kernel looks at the low half only."""
    ioctl = MACHINES[name].ioctl
    assert judge(name, ioctl, 0, 0x5412) == EPERM
    assert judge(name, ioctl, 0, 0x541C) == EPERM
    assert judge(name, ioctl, 0, 0x1_0000_5412) == EPERM
    assert judge(name, ioctl, 0, 0x5413) == ALLOW


@BOTH
def test_sockets_are_allowed_by_family(name):
    """Ours: Unix sockets only with an open network, the others never."""
    make = MACHINES[name].socket
    for sockets, unix in (("inet", EPERM), ("inet+unix", ALLOW)):
        assert judge(name, make, UNIX, 1, sockets=sockets) == unix
        assert {judge(name, make, f, 1, sockets=sockets) for f in (INET, INET6)} == {ALLOW}
        assert {judge(name, make, f, 1, sockets=sockets) for f in (PACKET, VSOCK, 38)} == {EPERM}
        assert judge(name, make, NETLINK, 3, 0, sockets=sockets) == ALLOW
        assert judge(name, make, NETLINK, 3, 9, sockets=sockets) == EPERM


@BOTH
def test_pairs_reach_nobody_else(name):
    """Ours: a datagram socket of a pair can send to any path."""
    pair = MACHINES[name].socketpair
    close_on_exec = 0o2000000
    assert judge(name, pair, UNIX, 1 | close_on_exec) == ALLOW
    assert judge(name, pair, UNIX, 5) == ALLOW
    assert judge(name, pair, UNIX, 2) == EPERM
    assert judge(name, pair, INET, 1) == EPERM
    assert judge(name, pair, UNIX, 2, sockets="inet+unix") == ALLOW


@BOTH
def test_without_a_network_of_its_own_there_are_no_sockets(name):
    """Ours: even its own address would be the host's; pairs lead nowhere, so they may be had."""
    make, pair = MACHINES[name].socket, MACHINES[name].socketpair
    assert {judge(name, make, f, 1, sockets="none") for f in range(50)} == {EPERM}
    assert judge(name, pair, UNIX, 1, sockets="none") == ALLOW
    assert judge(name, pair, UNIX, 2, sockets="none") == EPERM


@BOTH
def test_among_the_hosts_processes_nothing_is_shared_with_them(name):
    """Ours: what namespaces would have made private; a limit could kill the server."""
    machine = MACHINES[name]
    assert {judge(name, n, shared=True) for n in machine.ipc.values()} == {EPERM}
    assert {judge(name, n) for n in machine.ipc.values()} == {ALLOW}
    assert judge(name, machine.prlimit, 0, shared=True) == ALLOW
    assert judge(name, machine.prlimit, 7, shared=True) == EPERM
    assert judge(name, machine.prlimit, 7) == ALLOW
    assert judge(name, machine.setpriority, 0, 0, 5, shared=True) == ALLOW
    assert judge(name, machine.setpriority, 0, 7, 5, shared=True) == EPERM
    assert judge(name, machine.setpriority, 2, 0, 5, shared=True) == EPERM
