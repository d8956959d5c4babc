"""Files and folders as clients ask for them.  It blocks: to be run in a thread.

Paths are bytes, so that the locale has no say.  Only regular files are opened, and never so that
the opening could wait: a FIFO or a device would keep a thread for ever.
"""

import errno
import os
import shutil
import stat
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import TracebackType

from protocol.errors import INTERNAL_ERROR, RpcError, invalid
from protocol.fs import FsGetMetadataResponse, FsReadDirectoryEntry

CHUNK_BYTES = 1 << 20
ENTRY_BYTES = 64  # what an entry of a folder adds to a message, beside its name
CAREFUL = os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

# The reference server is linked with musl, which has words of its own for these.
MUSL = {
    errno.ELOOP: "Symbolic link loop",
    errno.ENAMETOOLONG: "Filename too long",
    errno.EBUSY: "Resource busy",
    errno.EIO: "I/O error",
    errno.EMFILE: "No file descriptors available",
    errno.EXDEV: "Cross-device link",
    errno.EDQUOT: "Quota exceeded",
}


def failure(error: OSError) -> RpcError:
    """What the reference server says of an error of the system."""
    number = error.errno or 0
    return RpcError(
        INTERNAL_ERROR, f"{MUSL.get(number) or os.strerror(number)} (os error {number})"
    )


@contextmanager
def opened(path: bytes, method: str) -> Generator[tuple[int, os.stat_result]]:
    """A regular file to read from.  Raises RpcError when it is something else."""
    check_regular(os.stat(path), method)
    descriptor = os.open(path, os.O_RDONLY | CAREFUL)
    try:
        found = os.fstat(descriptor)
        check_regular(found, method)  # it may have been replaced meanwhile
        yield descriptor, found
    finally:
        os.close(descriptor)


def check_regular(found: os.stat_result, method: str) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, method)
    if not stat.S_ISREG(found.st_mode):
        raise invalid(f"{method} only supports regular files")


def read(path: bytes, most: int) -> bytes | None:
    """None when the file is larger.  One that grows meanwhile is read up to that, too."""
    with opened(path, "fs/readFile") as (descriptor, found):
        if found.st_size > most:
            return None
        pieces: list[bytes] = []
        left = most + 1
        while left and (piece := os.read(descriptor, min(left, CHUNK_BYTES))):
            pieces.append(piece)
            left -= len(piece)
    return b"".join(pieces) if left else None


def create_directory(path: bytes, recursive: bool) -> None:
    if recursive:
        os.makedirs(path, exist_ok=True)
    else:
        os.mkdir(path)


def metadata(path: bytes) -> FsGetMetadataResponse:
    """The reference server is built without the time of birth, and so says 0."""
    found = os.stat(path)
    return FsGetMetadataResponse(
        is_directory=stat.S_ISDIR(found.st_mode),
        is_file=stat.S_ISREG(found.st_mode),
        is_symlink=os.path.islink(path),
        created_at_ms=0,
        modified_at_ms=max(found.st_mtime_ns // 1_000_000, 0),
    )


def entries(path: bytes, most: int) -> list[FsReadDirectoryEntry]:
    """What is in a folder, by what links lead to.  Raises RpcError beyond `most` bytes of it."""
    listed: list[FsReadDirectoryEntry] = []
    with os.scandir(path) as found:
        for entry in found:
            if entry.is_symlink() and not os.path.exists(entry.path):
                continue
            most -= len(entry.name) + ENTRY_BYTES
            if most < 0:
                raise invalid("the directory has too many entries for one message")
            name = entry.name.decode(errors="replace")
            listed.append(
                FsReadDirectoryEntry(
                    file_name=name, is_directory=entry.is_dir(), is_file=entry.is_file()
                )
            )
    return listed


def remove(path: bytes, recursive: bool, force: bool) -> None:
    """Links are removed, never followed: also when one is put in a folder's place meanwhile."""
    try:
        is_folder = stat.S_ISDIR(os.lstat(path).st_mode)
    except FileNotFoundError:
        if force:
            return
        raise
    if not is_folder:
        os.unlink(path)
    elif not recursive:
        os.rmdir(path)
    else:
        _remove_tree(path)


def _remove_tree(path: bytes) -> None:
    try:
        shutil.rmtree(path, onerror=_unless_gone(path))  # pyright: ignore[reportArgumentType]
    except RecursionError:
        raise invalid("the directory is nested too deeply to be removed") from None


Fault = tuple[type[BaseException], BaseException, TracebackType]


def _unless_gone(top: bytes) -> Callable[[Callable[..., object], bytes, Fault], None]:
    """Somebody else may remove what is below, but for the top.  Typeshed knows no bytes here."""

    def complain(_what: Callable[..., object], path: bytes, fault: Fault) -> None:
        if path == top or not isinstance(fault[1], FileNotFoundError):
            raise fault[1]

    return complain
