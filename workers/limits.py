"""What bounds a command where no control group does, and what every process of ours has.

Limits of a resource are inherited, so the nursery process sets once what is for all.  What is for a
command alone is set from outside as soon as it is started: no code of ours runs between fork and
exec, and a command has not come further than its loader by then.
"""

import contextlib
import os
import resource
from pathlib import Path

from protocol.settings import Limits
from workers import cgroups
from workers.cgroups import Ground


def for_all() -> None:
    """A crash leaves no image of our memory, nor one of a command's (observed)."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def restrict(pid: int, limits: Limits, ground: Ground | None) -> None:
    """Bound what the command's group does not."""
    with contextlib.suppress(OSError, ValueError):  # it has ended; the host's own bound is lower
        if not (ground and ground.counts) and os.geteuid() != 0:  # root is not held by it
            most = limits.command_processes or limits.thread_processes
            _lower(pid, resource.RLIMIT_NPROC, running() + most)
    with contextlib.suppress(OSError, ValueError):
        if limits.command_memory_bytes and not _weighs_commands(ground):
            _lower(pid, resource.RLIMIT_DATA, limits.command_memory_bytes)


def _weighs_commands(ground: Ground | None) -> bool:
    """v2 has no group of a command alone that memory could be counted in."""
    return ground is not None and ground.weighing is not None and not ground.weighing.v2


def _lower(pid: int, what: int, most: int) -> None:
    _, hard = resource.prlimit(pid, what)
    if hard == resource.RLIM_INFINITY or most < hard:
        resource.prlimit(pid, what, (most, most))


def running() -> int:
    """How many processes and threads our user has: the kernel counts them all."""
    mine, count = os.geteuid(), 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                if entry.stat().st_uid == mine:
                    stat = cgroups.read(f"{entry}/stat").rpartition(")")[2].split()
                    count += int(stat[17])
    return count
