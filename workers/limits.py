"""What bounds a command where no control group does, and what every process of ours has.

Limits of a resource are inherited: the nursery process sets once what is for all, and a worker
bounds itself for the moment in which a command is born.  So no code of ours runs between fork and
exec, and no command runs before it is bound.
"""

import contextlib
import os
import resource
from collections.abc import Generator
from functools import cache
from pathlib import Path

from protocol.settings import Limits
from workers import cgroups
from workers.cgroups import Ground


def for_all() -> None:
    """A crash leaves no image of our memory, nor one of a command's (observed)."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@contextlib.contextmanager
def inherited(limits: Limits, ground: Ground | None) -> Generator[None]:
    """What is forked within has those bounds that its control group does not have."""
    with contextlib.ExitStack() as stack:
        if not (ground and ground.counts) and os.geteuid() != 0:  # root is not held by it
            most = limits.command_processes or limits.thread_processes
            stack.enter_context(_bounded(resource.RLIMIT_NPROC, running() + most))
        if limits.command_memory_bytes and not _weighs_commands(ground):
            stack.enter_context(_bounded(resource.RLIMIT_DATA, limits.command_memory_bytes))
        yield


def _weighs_commands(ground: Ground | None) -> bool:
    """v2 has no group of a command alone that memory could be counted in."""
    return ground is not None and ground.weighing is not None and not ground.weighing.v2


@contextlib.contextmanager
def _bounded(what: int, most: int) -> Generator[None]:
    soft, hard = resource.getrlimit(what)
    if soft == resource.RLIM_INFINITY or most < soft:
        resource.setrlimit(what, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(what, (soft, hard))


@cache
def running() -> int:
    """How many processes and threads our user has: the kernel counts them all.

    Once for each worker: a search through /proc is slower than most commands.
    """
    mine, count = os.geteuid(), 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                if entry.stat().st_uid == mine:
                    stat = cgroups.read(f"{entry}/stat").rpartition(")")[2].split()
                    count += int(stat[17])
    return count
