"""Empty folders that stand for protected names while a sandbox runs, and are gone afterwards.

A name that does not exist cannot be covered by a mount, so it is made first: otherwise a command
could make `.git` with hooks in it, and somebody would run them later.  Several sandboxes may share
a placeholder, in several processes: each holds a lock on it, and the last one removes it.  It is
known by its mode, which nobody else gives to a folder; so one that a killed server has left behind
is taken for what it is, and removed by the next command there.  Those of a killed worker are swept
up by the process that has forked it, from notes that all of them write to.
"""

import contextlib
import fcntl
import os
import threading
import time

from protocol.placeholder import MODE, is_placeholder

_notes: int | None = None  # a file without a name, for those that are forked from here
_noted: set[str] = set()

CLOSING = "placeholders"  # the thread that closes them
_ATTEMPTS = 50
_PAUSE_SECONDS = 0.001


def stands_for_nothing(path: str) -> bool:
    """Whether `path` is missing, or a placeholder."""
    return not os.path.lexists(path) or is_placeholder(path)


def hold(path: str) -> int:
    """Make it if need be; the descriptor keeps others from removing it.  Raises OSError.

    Removing takes microseconds, so a placeholder that is being removed is waited for; one that
    somebody keeps locked on purpose is an error.
    """
    _note(path)
    for _ in range(_ATTEMPTS):
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, MODE)  # noqa: PTH102
        try:
            return _locked(path)
        except (BlockingIOError, FileNotFoundError):
            time.sleep(_PAUSE_SECONDS)
    raise BlockingIOError(f"{path} is locked by another program")


def _locked(path: str) -> int:
    """Raises BlockingIOError, and FileNotFoundError when it is not the one that was opened."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with contextlib.ExitStack() as undo:
        undo.callback(os.close, descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(descriptor), os.lstat(path)):
            raise FileNotFoundError(path)
        undo.pop_all()
    return descriptor


def release(*held: tuple[str, int]) -> None:
    """Remove each, unless another sandbox needs it or somebody has put something into it."""
    gone: list[int] = []
    for path, descriptor in held:
        if _removed(path, descriptor):
            gone.append(descriptor)
        else:
            os.close(descriptor)
    if gone:  # it is here that the disk gives up the folder: 4 ms each, where its journal is busy
        try:
            threading.Thread(target=_close, args=(gone,), name=CLOSING, daemon=True).start()
        except RuntimeError:  # out of threads
            _close(gone)


def _removed(path: str, descriptor: int) -> bool:
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if stands_for_nothing(path):
            os.rmdir(path)  # noqa: PTH106
            return True
    return False


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def keep_notes() -> None:
    """From now on this process can sweep up after those that it forks."""
    global _notes  # noqa: PLW0603 - of the process, and of its children
    if not hasattr(os, "memfd_create"):
        return
    _notes = os.memfd_create("placeholders", os.MFD_CLOEXEC)
    fcntl.fcntl(_notes, fcntl.F_SETFL, os.O_APPEND)


def _note(path: str) -> None:
    """Once each: there are as many as there are protected names in writable roots."""
    if _notes is not None and path not in _noted:
        _noted.add(path)
        os.write(_notes, os.fsencode(path) + b"\0")


def sweep() -> None:
    """Remove what nobody holds any more.  Only when no sandbox of a dead process is left: it would
    lose the cover with the folder."""
    if _notes is None:
        return
    said = os.pread(_notes, os.fstat(_notes).st_size, 0).split(b"\0")
    for path in {os.fsdecode(name) for name in said if name}:
        if is_placeholder(path):
            with contextlib.suppress(OSError):  # it has just gone, or somebody is at it
                descriptor = _locked(path)
                _removed(path, descriptor)
                os.close(descriptor)  # here, because who forks must have one thread only
