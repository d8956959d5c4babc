"""The escape table: what a command tries, and what has to come of it at each level.

Each row is tried without a sandbox as well, because an attack that fails anyway would prove
nothing.  `victim` is a process of the same user, `tcp`, `path` and `abstract` lead to its servers.
"""

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sandbox.seccomp import MACHINES

CALLS = MACHINES.get(platform.machine(), MACHINES["x86_64"])

Kept = Literal["both", "full", "writing"]


@dataclass(frozen=True)
class Row:
    """`kept` says by which level; `writing` is a gap of the reduced one where there is a writable
    root.  `proof` says as whom it works without a sandbox: nobody where that would do harm."""

    act: str
    kept: Kept = "both"
    proof: Literal["all", "root", "none"] = "all"


FILES = {
    "create outside": Row("attempt(put, outside + '/new')"),
    "truncate outside": Row("attempt(put, outside + '/there')"),
    "shorten outside": Row("attempt(os.truncate, outside + '/there', 0)"),
    "make a folder outside": Row("attempt(os.mkdir, outside + '/new')"),
    "make a link outside": Row("attempt(os.symlink, '/', outside + '/new')"),
    "through a link": Row("os.symlink(outside, 'way'); attempt(put, 'way/new')"),
    "hard link to the outside": Row("attempt(os.link, outside + '/there', 'mine')"),
    "move out": Row("put('a'); attempt(os.rename, 'a', outside + '/a')"),
    "move in": Row("attempt(os.rename, outside + '/there', 'there')"),
    "chmod outside": Row("attempt(os.chmod, outside + '/there', 0o777)", "full"),
    "utime outside": Row("attempt(os.utime, outside + '/there')", "full"),
    "setxattr outside": Row("attempt(os.setxattr, outside + '/there', 'user.x', b'x')", "full"),
    "rename outside": Row("attempt(os.rename, outside + '/there', outside + '/other')"),
    "unlink outside": Row("attempt(os.unlink, outside + '/there')"),
    "write .git/config": Row("attempt(put, '.git/config')", "writing"),
    "add a hook": Row("attempt(put, '.git/hook')", "writing"),
    "rename .git": Row("attempt(os.rename, '.git', 'git')", "writing"),
    "remove .git/config": Row("attempt(os.unlink, '.git/config')", "writing"),
    "hard link .git/config": Row("attempt(os.link, '.git/config', 'config')", "writing"),
    "make .codex": Row("attempt(os.mkdir, '.codex')", "writing"),
    "make .agents a file": Row("attempt(put, '.agents')", "writing"),
    "move something to .codex": Row("os.mkdir('x'); attempt(os.rename, 'x', '.codex')", "writing"),
    "write CODEX_HOME": Row("attempt(put, home + '/config.toml')"),
    "read the credentials": Row("attempt(lambda: open(home + '/auth.json').read())"),
    "link to the credentials": Row("attempt(os.link, home + '/auth.json', 'auth')"),
    "make a disk": Row("attempt(os.mknod, 'disk', 0o60600, os.makedev(254, 0))", proof="root"),
    "write kernel settings": Row(
        "attempt(os.open, '/proc/sys/kernel/core_pattern', os.O_WRONLY)", proof="root"
    ),
}
PROCESSES = {
    "see the server": Row("attempt(os.stat, f'/proc/{victim}/status')", "full"),
    "read the server's words": Row("attempt(open, f'/proc/{victim}/cmdline')", "full"),
    "read the server's environment": Row("attempt(open, f'/proc/{victim}/environ')"),
    "write the server's memory": Row("attempt(os.open, f'/proc/{victim}/mem', os.O_WRONLY)"),
    "go through the server's root": Row("attempt(os.listdir, f'/proc/{victim}/root')"),
    "signal the server": Row("attempt(os.kill, victim, 0)"),
    "change the server's priority": Row(
        "attempt(os.setpriority, os.PRIO_PROCESS, victim, 1)",
    ),
    "change the server's limits": Row(f"attempt(call, {CALLS.prlimit}, victim, 7, limit, 0)"),
    "the host's shared memory": Row(f"attempt(call, {CALLS.ipc['shmget']}, shared, 16, 0o600)"),
    "another terminal of the user": Row("attempt(os.open, terminal, os.O_RDWR)"),
    "tcp": Row("attempt(lambda: socket.create_connection(('127.0.0.1', tcp), 2))"),
    "unix": Row("attempt(lambda: socket.socket(socket.AF_UNIX).connect(path))"),
    "abstract": Row("attempt(lambda: socket.socket(socket.AF_UNIX).connect(abstract))"),
    "datagrams of a pair": Row(
        "attempt(lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))"
    ),
    "alg": Row("attempt(lambda: socket.socket(38, socket.SOCK_SEQPACKET))", proof="none"),
    "packet": Row("attempt(lambda: socket.socket(17, socket.SOCK_RAW))", proof="root"),
    "vsock": Row("attempt(lambda: socket.socket(40, socket.SOCK_STREAM))", proof="none"),
    "audit": Row("attempt(lambda: socket.socket(16, socket.SOCK_RAW, 9))"),
}

# The calls themselves; without a sandbox some of them would be heard by the whole machine.
KERNEL = {
    name: Row(f"attempt(call, {number}, 0, 0, 0, 0, 0)", proof="none")
    for name, number in CALLS.denied.items()
} | {
    "unshare user": Row(f"attempt(call, {CALLS.unshare}, 0x10000000)", proof="none"),
    "unshare mount": Row(f"attempt(call, {CALLS.unshare}, 0x20000)", proof="none"),
    "unshare time": Row(f"attempt(call, {CALLS.unshare}, 0x80)", proof="none"),
    "clone into a user namespace": Row(
        f"attempt(call, {CALLS.clone}, 0x10000011, 0, 0, 0, 0)", proof="none"
    ),
    "clone3": Row(f"attempt(call, {CALLS.clone3}, 0, 0)", proof="none"),
    "type": Row(f"attempt(call, {CALLS.ioctl}, 0, 0x5412, b'x')", proof="none"),
    "type into the console": Row(f"attempt(call, {CALLS.ioctl}, 0, 0x541C, b'x')", proof="none"),
}
if platform.machine() == "x86_64":  # x32: the same calls under numbers that no table has
    KERNEL["getpid by another number"] = Row("attempt(call, 0x40000000 + 39)", proof="none")

DEVICES = {
    f"open {device}": Row(f"attempt(os.open, {device!r}, os.O_RDONLY)", proof="none")
    for device in ("/dev/mem", "/dev/vda", "/dev/sda", "/dev/fuse")
    if Path(device).exists()
} | {"open /dev/kmsg": Row("attempt(os.open, '/dev/kmsg', os.O_RDONLY)", proof="root")}

ESCAPES = FILES | PROCESSES | KERNEL | DEVICES

# What programs need; `full` for what the reduced level has to forbid.
WORKS = {
    "write, rename and make folders": Row("put('a'); os.rename('a', 'b'); attempt(os.mkdir, 'c')"),
    "move between folders": Row("os.mkdir('d'); put('a'); attempt(os.rename, 'a', 'd/a')"),
    "a nested repository": Row("os.mkdir('sub'); attempt(os.mkdir, 'sub/.git')"),
    "run what was made": Row(
        "import subprocess; put('a', '#!/bin/sh\\n'); os.chmod('a', 0o755);"
        "attempt(subprocess.run, ['./a'])"
    ),
    "map and lock": Row(
        "import fcntl, mmap; put('a'); f = open('a', 'r+'); mmap.mmap(f.fileno(), 1);"
        "attempt(fcntl.flock, f, fcntl.LOCK_EX)"
    ),
    "write to /dev/null": Row("attempt(put, '/dev/null')"),
    "read /dev/urandom": Row("attempt(lambda: open('/dev/urandom', 'rb').read(1))"),
    "make a terminal": Row("attempt(os.openpty)", "full"),
    "use /dev/shm": Row("attempt(put, f'/dev/shm/atrio-{os.getpid()}')"),
    "read outside": Row("attempt(lambda: open(outside + '/there').read())"),
    "list a folder above": Row("attempt(os.listdir, '/')"),
    "a server on loopback": Row(
        "s = socket.create_server(('127.0.0.1', 0));"
        "attempt(socket.create_connection, s.getsockname(), 2)",
        "full",
    ),
    "a pair of sockets": Row("a, b = socket.socketpair(); attempt(a.send, b'x')"),
    "ask for routes": Row("attempt(lambda: socket.socket(16, socket.SOCK_RAW, 0))", "full"),
    "its own priority": Row("attempt(os.nice, 1)"),
    "its own limits": Row(
        "import resource; attempt(resource.setrlimit, resource.RLIMIT_CORE, (0, 0))"
    ),
    "threads": Row(
        "import threading; t = threading.Thread(target=print); attempt(t.start); t.join()"
    ),
    "a child": Row("import subprocess; attempt(subprocess.run, ['true'])"),
    "asyncio": Row(
        "import asyncio\n"
        "async def main():\n"
        "    await (await asyncio.create_subprocess_exec('true')).wait()\n"
        "attempt(asyncio.run, main())"
    ),
    "a queue between processes": Row(
        "import multiprocessing as m; c = m.get_context('fork'); q = c.Queue();"
        "p = c.Process(target=q.put, args=(1,)); attempt(p.start); q.get(); p.join()"
    ),
}
