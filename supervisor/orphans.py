"""What a nursery process leaves that was killed: its workers, and what their commands leave.

It adopts what its workers leave, and the supervisor adopts from it.  As long as there is a nursery
process, nothing of this is ever needed.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Collection
from contextlib import suppress

SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER, linux/prctl.h
PASSES = 100


def adopt() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)


def clear(sessions: Collection[int]) -> None:
    """Bury children that have ended, and kill what lives in none of these sessions.

    Every command leads a session of its own; workers stay in that of their nursery process.
    """
    for _ in range(PASSES):
        if not _any_child() or not _clear(sessions):
            return
        time.sleep(0.001)  # what a killed one leaves is ours then


def _clear(sessions: Collection[int]) -> bool:
    """Whether there was anything to kill."""
    import psutil  # noqa: PLC0415 - this is never needed, unless things go wrong

    killed = False
    for child in psutil.Process().children():
        with suppress(ProcessLookupError, ChildProcessError):
            if os.getsid(child.pid) not in sessions:
                os.kill(child.pid, signal.SIGKILL)
                killed = True
            if child.pid not in sessions:  # a nursery process is waited for
                os.waitpid(child.pid, os.WNOHANG)
    return killed


def _any_child() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True
