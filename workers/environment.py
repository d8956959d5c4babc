"""Where the model works: folder, shell, date and time zone, in the form that it is told."""

import os
import pwd
import shutil
import time
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from protocol.settings import Settings

KNOWN_SHELLS = ("bash", "zsh", "sh", "fish", "pwsh")
ZONES = "/usr/share/zoneinfo/"


class Environment(Struct, frozen=True):
    """`current_date` is YYYY-MM-DD in `timezone`, an IANA name; both are written to the rollout.

    Without a place to work in there is no `cwd` and no `shell`.
    """

    cwd: str | None
    shell: str | None
    current_date: str
    timezone: str


def look(settings: Settings) -> Environment:
    """The environment as it is now."""
    today = time.strftime("%Y-%m-%d")
    here = (settings.cwd, shell_name()) if settings.has_environment else (None, None)
    return Environment(*here, today, timezone())


def environment_text(now: Environment) -> str:
    known = msgspec.structs.asdict(now).items()
    lines = "".join(f"  <{name}>{value}</{name}>\n" for name, value in known if value is not None)
    return f"<environment_context>\n{lines}</environment_context>"


def environment_item(now: Environment, was: Environment | None = None) -> dict[str, Any] | None:
    """The user message that tells it; None when `was` told the same.

    Observed: whatever has changed, the whole is told again.
    """
    if now == was:
        return None
    part = {"type": "input_text", "text": environment_text(now)}
    return {"type": "message", "role": "user", "content": [part]}


def shell_path() -> str:
    """The user's shell: from the password file, else `$SHELL`, else the best there is."""
    for path in (_login_shell(), os.environ.get("SHELL", "")):
        if Path(path).name in KNOWN_SHELLS and os.access(path, os.X_OK):
            return path
    return shutil.which("bash") or "/bin/sh"


def shell_name() -> str:
    """The bare name: `bash`, `zsh`, `sh`, ..."""
    return Path(shell_path()).name


def timezone() -> str:
    """The IANA name that `TZ` or the system sets; `Etc/UTC` when neither says one."""
    named = os.environ.get("TZ", "").lstrip(":")
    if named and Path(ZONES, named).is_file():
        return named
    if (linked := _link("/etc/localtime")).startswith(ZONES):
        return linked.removeprefix(ZONES)
    try:
        return Path("/etc/timezone").read_text("utf-8").strip() or "Etc/UTC"
    except (OSError, UnicodeDecodeError):
        return "Etc/UTC"


def _link(path: str) -> str:
    """Where it leads, one step: zones are links to each other, and the first has the usual name."""
    try:
        return os.path.normpath(Path(path).parent / Path(path).readlink())
    except OSError:  # no link
        return path


def _login_shell() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_shell
    except KeyError:  # a container's user often has no entry
        return ""
