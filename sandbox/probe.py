"""What this host can enforce, found out by doing it once.

bubblewrap that starts is not enough: in a container its mounts may be refused, and an old one may
lack an option.  So the very options of the recipe are tried, around a small shell that looks
whether it is confined.  Where bubblewrap does not work, and only where the operator puts up with
it, the same is tried with Landlock.
"""

import functools
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace

from protocol.policy import Minimum
from sandbox import landlock as kernel
from sandbox import seccomp

NAME = "ATRIO_BWRAP"  # the path of bubblewrap, where PATH does not lead to it
_SECONDS = 10

# Builtins only; /proc and the exit code tell.  Four processes: bubblewrap's first and the shell,
# and as many that a shell may need.  A `shared` host is one whose processes it is among.
_LOOK = r"""
(: >> "$0") 2>/dev/null && { echo 'files outside of the sandbox can be written'; exit 3; }
while read -r name value; do
    case $name in
    Seccomp:) [ "$value" = 2 ] || { echo 'the filter of system calls is not in force'; exit 3; } ;;
    CapEff:) [ "$value" = 0000000000000000 ] || { echo 'privileges are kept'; exit 3; } ;;
    esac
done < /proc/self/status
[ "$1" = shared ] && { echo confined; exit; }
set -- /proc/[0-9]*
[ $# -le 4 ] || { echo 'processes of the host are visible'; exit 3; }
while read -r name rest; do
    case $name in Inter-*|face|lo:) ;; *) echo "the network $name is visible"; exit 3 ;; esac
done < /proc/net/dev
echo confined
"""


@dataclass(frozen=True, slots=True)
class Bubblewrap:
    """A bubblewrap that has been seen to work here."""

    path: str
    binds_descriptors: bool


@dataclass(frozen=True, slots=True)
class Missing:
    """Why there is no sandbox, and what to do about it; sentences for people."""

    reason: str
    cure: str


@dataclass(frozen=True, slots=True)
class Landlock:
    """A kernel whose Landlock has been seen to work; `instead` says why it is not bubblewrap."""

    abi: int
    instead: str = ""


Host = Bubblewrap | Landlock | Missing

_minimum: Minimum = "full"


def settle(minimum: Minimum) -> None:
    """What the operator puts up with, in this process and those that it forks."""
    global _minimum  # noqa: PLW0603 - it is about the process, as the caches below are
    _minimum = minimum


def host() -> Host:
    """The best that works here and is allowed; takes some 15 ms the first time."""
    found = bubblewrap()
    if isinstance(found, Bubblewrap):
        return found
    if _minimum == "full":
        offered = _REDUCED if kernel.abi() >= kernel.OLDEST else ""
        return Missing(found.reason, found.cure + offered)
    other = landlock()
    if isinstance(other, Missing):
        return Missing(f"{found.reason}, and {other.reason}", found.cure)
    return replace(other, instead=found.reason)


_REDUCED = (
    ' Or put up with less: `sandbox_minimum = "reduced"` under `[atrio]` lets Landlock confine '
    "commands; the README says what that does not keep."
)


@functools.cache
def bubblewrap() -> Bubblewrap | Missing:
    """Whether it works; by PATH, or by the variable that names it."""
    if sys.platform != "linux":
        return Missing(f"there is no sandbox for {sys.platform} yet", _OTHERWISE)
    if platform.machine() not in seccomp.MACHINES:
        why = f"the system calls of {platform.machine()} are not known, so none can be filtered"
        return Missing(why, _OTHERWISE)
    path = _found()
    if path is None:
        return Missing(
            "bubblewrap (bwrap) is not installed", f"Install it: {_how_to_install()}. " + _OTHERWISE
        )
    return _tried(path)


_OTHERWISE = (
    "Or choose danger-full-access, or externalSandbox if Atrio itself runs inside a container that "
    "confines it."
)


def _found() -> str | None:
    if configured := os.environ.get(NAME):
        return configured
    absolute = [folder for folder in os.get_exec_path() if folder.startswith("/")]
    return shutil.which("bwrap", path=os.pathsep.join(absolute))


def _how_to_install() -> str:
    for tool, command in (
        ("apt-get", "apt-get install"),
        ("dnf", "dnf install"),
        ("apk", "apk add"),
    ):
        if shutil.which(tool):
            return f"{command} bubblewrap"
    return "the package is called bubblewrap"


def _tried(path: str) -> Bubblewrap | Missing:
    try:
        offered = _output([path, "--help"])
    except (OSError, subprocess.SubprocessError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        cure = f"Have {NAME} name bubblewrap's program, or leave it unset. " + _OTHERWISE
        return Missing(f"{path} cannot be started: {reason}", cure)
    if lacking := [o for o in ("--disable-userns", "--clearenv", "--perms") if o not in offered]:
        why = f"{path} is too old, it lacks {', '.join(lacking)}"
        return Missing(why, "Install bubblewrap 0.8 or newer. " + _OTHERWISE)
    found = Bubblewrap(path, "--ro-bind-fd" in offered)
    said = _confinement(found)
    return found if said == "confined" else Missing(f"bubblewrap does not work here: {said}", _CURE)


_CURE = (
    "It needs user namespaces: in a container allow them (they are off in Docker's default "
    "seccomp profile), on Ubuntu give bwrap an AppArmor profile, elsewhere see sysctl "
    "user.max_user_namespaces. " + _OTHERWISE
)


@functools.cache
def landlock() -> Landlock | Missing:
    """Whether the kernel's rules and the filter hold together."""
    version = kernel.abi()
    if version == 0:
        return Missing("the kernel has no Landlock, or it is switched off", _OTHERWISE)
    if version < kernel.OLDEST:
        why = f"the kernel's Landlock is too old (ABI {version}, not {kernel.OLDEST})"
        return Missing(why, _OTHERWISE)
    found = Landlock(version)
    said = _confinement(found)
    return found if said == "confined" else Missing(f"Landlock does not work here: {said}", _CURE)


def _confinement(found: Bubblewrap | Landlock) -> str:
    """`confined`, or what is wrong."""
    # Imported here: the recipe is written for a host, and this finds out which host it is.
    from sandbox.enclosure import enclosed  # noqa: PLC0415
    from sandbox.launch import Launch  # noqa: PLC0415
    from sandbox.reach import Reach  # noqa: PLC0415

    tried = enclosed(Reach(False, {"/": "read"}), found, "/nowhere", "/", "read-only")
    whose = "shared" if isinstance(found, Landlock) else "own"
    with tempfile.NamedTemporaryFile() as ours:  # we may write it, so only a sandbox forbids it
        launch = Launch(["/bin/sh", "-c", _LOOK, ours.name, whose], "/", {}, tried)
        try:
            prepared = launch.prepare()
        except OSError as error:
            return str(error)
        try:
            return _output(prepared.argv, tuple(prepared.pass_fds)).strip()
        except (OSError, subprocess.SubprocessError) as error:
            return str(error)
        finally:
            prepared.close()


def _output(argv: list[str], pass_fds: tuple[int, ...] = ()) -> str:
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={"PATH": "/usr/bin:/bin"},
        cwd="/",
        pass_fds=pass_fds,
        timeout=_SECONDS,
        check=False,
        text=True,
        errors="replace",
    )
    return done.stdout
