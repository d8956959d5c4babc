"""What outlives its parents: whoever started a command adopts what it leaves, and ends it.

The nursery process and each worker are subreapers: a daemon becomes a child of the worker whose
command it was, and of the nursery process once that worker is dead.  A child's number is nobody
else's until it is reaped, and only we reap, so what is killed here is what was found.

Every command leads a session of its own while our own processes stay in ours; so a child of another
session is a command, or was left by one.
"""

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Collection

import trio

from workers import cgroups

SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER, linux/prctl.h
END_SECONDS = 5  # a killed process can hang in the kernel; nobody hangs with it

_ENDED = os.WEXITED | os.WNOHANG | os.WNOWAIT if hasattr(os, "waitid") else 0


def adopt() -> None:
    """From now on orphans among our descendants are our children."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)


def reap(own: Collection[int]) -> None:
    """Bury adopted children that have ended; `own` are for somebody else to wait for."""
    while (pid := _ended_child()) and pid not in own and _is_foreign(pid):
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _ended_child() -> int | None:
    try:
        found = os.waitid(os.P_ALL, 0, _ENDED)
    except ChildProcessError:
        return None
    return found and found.si_pid


def none_left() -> bool:
    """Whether there is no child at all, which is known without a search."""
    try:
        os.waitid(os.P_ALL, 0, _ENDED)
    except ChildProcessError:
        return True
    return False


def _is_foreign(pid: int) -> bool:
    return _session(pid) != os.getsid(0)


def _session(pid: int) -> int | None:
    with contextlib.suppress(ProcessLookupError):
        return os.getsid(pid)
    return None


def children() -> list[int]:
    """Those of the main thread, which forks all commands and is given all orphans."""
    if none_left():
        return []
    pid = os.getpid()
    try:
        return [int(child) for child in cgroups.read(f"/proc/{pid}/task/{pid}/children").split()]
    except OSError:  # few kernels are built without it
        import psutil  # noqa: PLC0415

        return [child.pid for child in psutil.Process().children()]


def adopted(own: Collection[int], session: int | None = None) -> list[int]:
    """Children that are not our `own`, of one session if that is given."""
    strays = [pid for pid in children() if pid not in own and _is_foreign(pid)]
    return strays if session is None else [pid for pid in strays if _session(pid) == session]


def kill(pids: Collection[int]) -> None:
    """Kill children, and bury those that are dead already."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, os.WNOHANG)


async def end(own: Callable[[], Collection[int]], session: int | None = None) -> None:
    """Return once no adopted child is left: what a killed one leaves is adopted too."""
    with trio.move_on_after(END_SECONDS, shield=True):
        while strays := adopted(own(), session):
            kill(strays)
            await trio.sleep(0.001)


def end_others(own: Collection[int]) -> None:
    """The same at once and whatever their session, for a process that runs no Trio."""
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        strays = [pid for pid in children() if pid not in own]
        if not strays:
            return
        kill(strays)
        time.sleep(0.001)


async def keep_reaping(reap: Callable[[], None]) -> None:
    with trio.open_signal_receiver(signal.SIGCHLD) as signals:
        async for _ in signals:
            reap()
