"""New contents of files: whole or not at all, where that leaves all else of the file as it was.

They are written beside the file and then put in its place.  What that would lose (other names of
the file, its owner, its attributes) is written over in place instead, as the reference server
does with every file; so is a file in a folder where nothing can be made.
"""

import errno
import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from protocol.errors import invalid
from supervisor.disk import CAREFUL, CHUNK_BYTES, check_regular, opened

UNFINISHED = b".atrio-"  # what a file's name begins with until it is whole
ELSEWISE = (errno.EACCES, errno.EPERM, errno.EBUSY, errno.EROFS)  # a mount point is busy
COPY = "fs/copy"

Fill = Callable[[int], None]
Check = Callable[[], None]


def write(path: bytes, data: bytes) -> None:
    put(path, partial(_write_all, data=data), "fs/writeFile")


def _write_all(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left[:CHUNK_BYTES]) :]


def put(path: bytes, fill: Fill, method: str, mode: int | None = None) -> None:
    """Let `fill` write a file; without a mode it keeps its own, or gets that of new files."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        _anew(os.path.realpath(path), fill, mode)
        return
    check_regular(found, method)
    os.close(os.open(path, os.O_WRONLY | CAREFUL))  # whoever may not write to it hears so here
    if not _is_plain(path, found):
        _over(path, fill, mode)
        return
    try:
        _anew(os.path.realpath(path), fill, stat.S_IMODE(found.st_mode) if mode is None else mode)
    except OSError as error:
        if error.errno not in ELSEWISE:
            raise
        _over(path, fill, mode)


def _is_plain(path: bytes, found: os.stat_result) -> bool:
    ours = (found.st_uid, found.st_gid) == (os.geteuid(), os.getegid())
    return ours and found.st_nlink == 1 and not _attributes(path)


def _attributes(path: bytes) -> list[str]:
    """Access lists are among them.  A file system without any has none to lose."""
    with suppress(OSError, AttributeError):  # macOS has no such call
        return os.listxattr(path)
    return []


def _anew(target: bytes, fill: Fill, mode: int | None) -> None:
    beside = os.path.join(os.path.dirname(target), UNFINISHED + secrets.token_hex(8).encode())
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | CAREFUL, 0o666)
    try:
        try:
            if mode is not None:
                os.fchmod(descriptor, mode)
            fill(descriptor)
        finally:
            os.close(descriptor)
        os.rename(beside, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(beside)
        raise


def _over(path: bytes, fill: Fill, mode: int | None) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | CAREFUL)
    try:
        if mode is not None:
            os.fchmod(descriptor, mode)
        fill(descriptor)
    finally:
        os.close(descriptor)


# ---- copies


def copy(source: bytes, destination: bytes, recursive: bool, check: Check) -> None:
    """`check` is called on the way, and may raise to end it.

    A folder is looked through first, so that one that cannot be copied leaves nothing half done.
    """
    kind = os.lstat(source).st_mode
    if not stat.S_ISDIR(kind):
        if not (stat.S_ISLNK(kind) or stat.S_ISREG(kind)):
            raise invalid("fs/copy only supports regular files, directories, and symlinks")
        _copy_one(kind, source, destination, check)
        return
    if not recursive:
        raise invalid("fs/copy requires recursive: true when sourcePath is a directory")
    within = os.path.realpath(source)
    if (os.path.realpath(destination) + b"/").startswith(within.rstrip(b"/") + b"/"):
        raise invalid("fs/copy cannot copy a directory to itself or one of its descendants")
    _over_tree(source, destination, partial(_check_place, check))
    _over_tree(source, destination, partial(_copy_one, check=check))


def _over_tree(
    source: bytes, destination: bytes, visit: Callable[[int, bytes, bytes], None]
) -> None:
    """Visit a folder before what is in it.  FIFOs, sockets and devices are left out (observed)."""
    waiting = [(source, destination)]
    while waiting:
        here, there = waiting.pop()
        visit(stat.S_IFDIR, here, there)
        with os.scandir(here) as found:
            for entry in found:
                target = os.path.join(there, entry.name)
                if entry.is_symlink():
                    visit(stat.S_IFLNK, entry.path, target)
                elif entry.is_dir():
                    waiting.append((entry.path, target))
                elif entry.is_file():
                    visit(stat.S_IFREG, entry.path, target)


def _check_place(check: Check, kind: int, _source: bytes, target: bytes) -> None:
    check()
    if stat.S_ISLNK(kind) and os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, "a link is never written over")
    if stat.S_ISDIR(kind) and os.path.lexists(target) and not os.path.isdir(target):
        raise FileExistsError(errno.EEXIST, "no directory")
    if stat.S_ISREG(kind) and os.path.isdir(target):
        raise IsADirectoryError(errno.EISDIR, "no file")


def _copy_one(kind: int, source: bytes, target: bytes, check: Check) -> None:
    if stat.S_ISDIR(kind):
        os.makedirs(target, exist_ok=True)
    elif stat.S_ISLNK(kind):
        os.symlink(os.readlink(source), target)
    else:
        _copy_file(source, target, check)


def _copy_file(source: bytes, target: bytes, check: Check) -> None:
    """The reference server empties a file that is copied onto itself."""
    with opened(source, COPY) as (descriptor, found):
        if os.path.exists(target) and os.path.samestat(found, os.stat(target)):
            return
        pour = partial(_pour, descriptor, found.st_size, check)
        put(target, pour, COPY, stat.S_IMODE(found.st_mode))


def _pour(source: int, size: int, check: Check, target: int) -> None:
    """What was there at the start: a log that grows has no end.  Of size 0 is /proc, too."""
    left = size or CHUNK_BYTES
    while left and (piece := os.read(source, min(left, CHUNK_BYTES))):
        check()
        _write_all(target, piece)
        left -= len(piece)
