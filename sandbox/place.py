"""A place that was resolved, opened as what it was: a link in its path is newer than the plan."""

import contextlib
import os
import stat

from sandbox.refusal import Unenforceable


def opened(path: str, policy: str) -> int:
    """A descriptor that only names it.  Raises Unenforceable."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise Unenforceable(policy, f"{path}: {error.strerror}") from None
    with contextlib.suppress(OSError):
        same = os.readlink(f"/proc/self/fd/{descriptor}") == path  # noqa: PTH115
        if same and not stat.S_ISLNK(os.fstat(descriptor).st_mode):  # O_PATH opens links, too
            return descriptor
    os.close(descriptor)
    raise Unenforceable(policy, f"{path} has been replaced by a link since it was resolved")
