"""How a folder looks that only stands for a protected name while a sandbox runs.

Who makes them is the sandbox's business, but whoever looks for `.git` must know one when it sees
it: a folder must not be taken for a repository, and trusted as one, because of a running command.
"""

import os
import stat
from pathlib import Path

MODE = 0o1555  # sticky, and not writable: nobody makes such folders by hand
_WRITABLE = 0o222


def is_placeholder(path: str | Path) -> bool:
    """Also False when there is nothing."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return False
    telling = mode & (stat.S_ISVTX | _WRITABLE)  # the umask may have taken other bits
    return stat.S_ISDIR(mode) and telling == stat.S_ISVTX
