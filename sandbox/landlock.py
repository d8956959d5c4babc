"""Landlock: the kernel's own rules for a process that may not make namespaces.

Two of its three system calls, by their numbers, which are the same on every architecture.  A
ruleset is a descriptor: it is made here, where places can be opened and looked at, and applied by
`keeper` in the process that becomes the command.  What no rule allows is refused with EACCES.
"""

import ctypes
import functools
import os
import stat
import struct
import sys

_CREATE_RULESET, _ADD_RULE = 444, 445
_ASK_VERSION = 1
_PATH_BENEATH = 1

OLDEST = 3  # before it, files outside could be emptied
TCP = 4  # bind and connect
DEVICES = 5  # ioctl
SCOPES = 6  # abstract Unix sockets and signals

# LANDLOCK_ACCESS_FS_*, linux/landlock.h.
_EXECUTE, _WRITE_FILE, READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE = 1 << 4, 1 << 5
_MAKE_DIR, _MAKE_REG, _MAKE_SOCK, _MAKE_FIFO, _MAKE_SYM = (1 << n for n in (7, 8, 9, 10, 12))
_REFER, _TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | READ_FILE | _TRUNCATE | IOCTL_DEV  # the others are of folders

READ = _EXECUTE | READ_FILE | _READ_DIR
LIST = READ & ~READ_FILE
USE = READ_FILE | _WRITE_FILE | _TRUNCATE  # a device
WRITE = (
    READ
    | (_WRITE_FILE | _TRUNCATE | _REFER | _REMOVE_DIR | _REMOVE_FILE)
    | (_MAKE_DIR | _MAKE_REG | _MAKE_SOCK | _MAKE_FIFO | _MAKE_SYM)
)  # without MAKE_CHAR and MAKE_BLOCK: devices

_libc = ctypes.CDLL(None, use_errno=True)


@functools.cache
def abi() -> int:
    """The version that the kernel speaks; 0 where it has no Landlock, or it is switched off."""
    if sys.platform != "linux":
        return 0
    return max(0, _libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION))


def ruleset(*, files: bool, tcp: bool) -> int:
    """An empty one: it forbids all to do with files, or to use TCP; and always to signal others.

    Raises OSError.
    """
    version = abi()
    handled = ((1 << 16) - 1 if version >= DEVICES else (1 << 15) - 1) if files else 0
    words = [handled]
    if version >= TCP:
        words.append(0b11 if tcp else 0)
    if version >= SCOPES:
        words.append(0b11)
    data = struct.pack(f"={len(words)}Q", *words)
    return _checked(_libc.syscall(_CREATE_RULESET, data, ctypes.c_size_t(len(data)), 0))


def allow(ruleset: int, place: int, rights: int) -> None:
    """`place` is a descriptor of a file, or of a folder for all below it.  Raises OSError."""
    if abi() < DEVICES:
        rights &= ~IOCTL_DEV
    if not stat.S_ISDIR(os.fstat(place).st_mode):
        rights &= _OF_FILES
    data = struct.pack("=Qi", rights, place)
    _checked(_libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, data, 0))


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"landlock: {os.strerror(code)}")
    return result
