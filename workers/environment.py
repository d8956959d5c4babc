"""Where the model works: folder, shell, date and time zone, in the form that it is told."""

import os
import pwd
import shutil
import time
from pathlib import Path
from typing import Any

from msgspec import Struct

from protocol.settings import Settings

KNOWN_SHELLS = ("bash", "zsh", "sh", "fish", "pwsh")
ZONES = "/usr/share/zoneinfo/"


class Environment(Struct, frozen=True):
    """`current_date` is YYYY-MM-DD in `timezone`, an IANA name; both are written to the rollout."""

    cwd: str
    shell: str
    current_date: str
    timezone: str


def look(settings: Settings) -> Environment:
    """The environment as it is now."""
    today = time.strftime("%Y-%m-%d")
    return Environment(settings.cwd, shell_name(), today, timezone())


def environment_text(now: Environment) -> str:
    return (
        "<environment_context>\n"
        f"  <cwd>{now.cwd}</cwd>\n"
        f"  <shell>{now.shell}</shell>\n"
        f"  <current_date>{now.current_date}</current_date>\n"
        f"  <timezone>{now.timezone}</timezone>\n"
        "</environment_context>"
    )


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
    linked = os.path.realpath("/etc/localtime")
    if linked.startswith(ZONES):
        return linked.removeprefix(ZONES)
    try:
        return Path("/etc/timezone").read_text("utf-8").strip() or "Etc/UTC"
    except (OSError, UnicodeDecodeError):
        return "Etc/UTC"


def _login_shell() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_shell
    except KeyError:  # a container's user often has no entry
        return ""
