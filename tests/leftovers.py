"""What a whole run of the tests leaves behind on the machine, and how we know that it is ours.

The machine may be shared, so nothing counts because of its name alone: processes are ours by
descent, for the test process adopts orphans; mounts by lying below the tests' own folder; control
groups by the servers that we have started; terminals by being open in the test process.  The
folders that a sandbox puts into the temporary folder, which commands may write to, are somebody's
only while they are locked.
"""

import contextlib
import fcntl
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from protocol.placeholder import is_placeholder
from sandbox.protected import PROTECTED
from workers import cgroups, orphans

END_SECONDS = 10.0  # for what is on its way out, on a machine that is very busy
SERVERS: set[int] = {os.getpid()}  # tests of control groups make theirs in this very process


class Watch:
    """From the start of a run to its end."""

    def __init__(self) -> None:
        orphans.adopt()
        self._before = {*_children()}
        self._terminals = {*_terminals()}

    def left(self, folder: Path) -> list[str]:
        """What is left, in words; `folder` is that of all tests' files."""
        if tracker := sys.modules.get("multiprocessing.resource_tracker"):
            tracker._resource_tracker._stop()  # Python's own helper, which waits for our end
        deadline = time.monotonic() + END_SECONDS
        while (processes := self._processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return [
            *(f"process {p.pid}: {_words(p)}" for p in processes),
            *(f"terminal {name}" for name in sorted({*_terminals()} - self._terminals)),
            *(f"mount {point}" for point in _mounts(folder)),
            *(f"control group {path}" for path in _groups()),
            *(f"folder {path}" for path in _placeholders(Path(tempfile.gettempdir()))),
        ]

    def _processes(self) -> list[psutil.Process]:
        orphans.reap(())
        return [process for process in _children() if process not in self._before]


def _children() -> Iterator[psutil.Process]:
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                yield process


def _words(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline()) or process.name()
    return "it has just ended"


def _terminals() -> Iterator[str]:
    for descriptor in Path("/proc/self/fd").glob("*"):
        with contextlib.suppress(OSError):
            target = str(descriptor.readlink())
            if target.startswith(("/dev/pts/", "/dev/ptmx")):
                yield f"{target} as descriptor {descriptor.name}"


def _mounts(folder: Path) -> Iterator[str]:
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            point = line.split(" ")[4]
            if Path(point).is_relative_to(folder):
                yield point


def _groups() -> Iterator[str]:
    with contextlib.suppress(OSError):
        for tree in cgroups.trees():
            for path in Path(tree.home).glob(f"{cgroups.PREFIX}*-*-*"):
                if int(path.name.split("-")[2]) in SERVERS:
                    yield str(path)


def _placeholders(folder: Path) -> Iterator[Path]:
    for path in (folder / name for name in PROTECTED):
        with contextlib.suppress(FileNotFoundError):  # somebody's, and gone meanwhile
            if is_placeholder(path) and not _is_locked(path):
                yield path


def _is_locked(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
