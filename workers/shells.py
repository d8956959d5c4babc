"""Which shell runs a script."""

import os
import pwd
import shutil
from pathlib import Path

_SHELLS = ("bash", "zsh", "sh")
_PLAIN_SHELL = "/bin/sh"


def shell(wanted: str | None) -> str:
    """The shell to use: the one asked for if it is one, else the plain one; by default the user's.

    Other programs would not understand `-lc`, so they are not run (observed).
    """
    if wanted is None:
        wanted = _login_shell()
    if Path(wanted).name not in _SHELLS:
        return _PLAIN_SHELL
    if Path(wanted).is_absolute() and os.access(wanted, os.X_OK):
        return wanted
    return shutil.which(Path(wanted).name) or _PLAIN_SHELL


def _login_shell() -> str:
    try:
        theirs = pwd.getpwuid(os.getuid()).pw_shell
    except KeyError:  # a container may run as a user that nobody has named
        return "bash"
    return theirs if Path(theirs).name in _SHELLS else "bash"
