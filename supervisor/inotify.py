"""Linux's own notice of changes, read without a thread.

It is watched through one descriptor for all, which costs nothing while nothing happens.  watchfiles
would need a thread for each change of what is watched, and inotify-simple starts `ldconfig`.
"""

import ctypes
import errno
import os
import struct
from dataclasses import dataclass

MODIFY, ATTRIB, MOVED_FROM, MOVED_TO = 0x2, 0x4, 0x40, 0x80
CREATE, DELETE, DELETE_SELF, MOVE_SELF = 0x100, 0x200, 0x400, 0x800
CHANGES = MODIFY | ATTRIB | MOVED_FROM | MOVED_TO | CREATE | DELETE | DELETE_SELF | MOVE_SELF
OVERFLOW, IGNORED = 0x4000, 0x8000
READ_BYTES = 1 << 16
_HEAD = struct.Struct("iIII")


@dataclass(frozen=True, slots=True)
class Change:
    """`name` is empty when it is about what is watched itself."""

    watch: int
    mask: int
    name: bytes


class Inotify:
    """Raises OSError where there is none, or the user has too many of them."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        if not hasattr(self._libc, "inotify_init1"):
            raise OSError(errno.ENOSYS, "this system has no inotify; Linux has")
        self.descriptor = self._check(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))

    def add(self, path: bytes) -> int:
        """The number of a watch; the same path has the same one, by whatever name."""
        return self._check(self._libc.inotify_add_watch(self.descriptor, path, CHANGES))

    def remove(self, watch: int) -> None:
        """A watch whose file is gone has ended by itself."""
        self._libc.inotify_rm_watch(self.descriptor, watch)

    def read(self) -> list[Change]:
        """What has happened, without waiting."""
        try:
            data = os.read(self.descriptor, READ_BYTES)
        except BlockingIOError:
            return []
        changes: list[Change] = []
        at = 0
        while at < len(data):
            watch, mask, _cookie, length = _HEAD.unpack_from(data, at)
            at += _HEAD.size + length
            changes.append(Change(watch, mask, data[at - length : at].rstrip(b"\0")))
        return changes

    def close(self) -> None:
        os.close(self.descriptor)

    def _check(self, result: int) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result
