"""What people are told of the sandbox here: which it is, why, and what it does not keep."""

import platform
import subprocess

from protocol.policy import PermissionProfile, SandboxPolicy
from sandbox import landlock, seccomp
from sandbox.cage import gaps
from sandbox.probe import Bubblewrap, Landlock, Missing, host
from sandbox.reach import Places, reach
from sandbox.refusal import Unenforceable


def shortfall(
    policy: SandboxPolicy, profile: PermissionProfile | None, project: str
) -> tuple[str, str] | None:
    """In what a thread's commands are confined less than its policy says: summary and details."""
    found = host()
    if isinstance(found, Bubblewrap):
        return None
    try:
        allowed = reach(policy, profile, Places.here(project))
    except Unenforceable as error:
        return "Commands of this thread cannot be confined.", error.reason
    if allowed is None:
        return None
    if isinstance(found, Missing):
        summary = "Commands cannot be confined on this host, so none is run."
        return summary, f"{found.reason}. {found.cure}"
    summary = "Commands are confined at the reduced level only (atrio.sandbox_minimum)."
    less = gaps(found.abi, writable="write" in allowed.rules.values())
    return summary, f"{found.instead}. {less}"


def report() -> list[str]:
    """Lines for who looks after the host."""
    abi = landlock.abi()
    filtered = "filter" if platform.machine() in seccomp.MACHINES else "no table for this machine"
    return [
        *_level(),
        f"landlock: {f'ABI {abi}' if abi else 'none'}",
        f"seccomp: {filtered}",
    ]


def _level() -> list[str]:
    match host():
        case Bubblewrap(path):
            return [f"sandbox: full, by {_version(path)} at {path}"]
        case Landlock(_, instead):
            return ["sandbox: reduced, by Landlock (atrio.sandbox_minimum)", f"  {instead}"]
        case Missing(reason, cure):
            return ["sandbox: none, so what needs one is refused", f"  {reason}", f"  {cure}"]


def _version(path: str) -> str:
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "bubblewrap"
