"""One command in the sandbox of a policy, on the standard streams of whoever asked for it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from protocol.policy import Minimum, PermissionProfile, SandboxPolicy
from sandbox import Unenforceable, plan, report, settle, shortfall
from workers import cgroups

REFUSED, NOT_FOUND, SIGNALLED = 125, 127, 128  # as timeout(1) and shells say it


def run(minimum: Minimum, policy: str, profile: str, argv: list[str]) -> int:
    """Return its exit code: 128 plus the signal that ended it, 125 when it cannot be confined.

    `policy` and `profile` are JSON; the profile counts unless it is null.
    """
    settle(minimum)
    here = str(Path.cwd())
    try:
        asked = msgspec.json.decode(policy, type=SandboxPolicy)
        instead = msgspec.json.decode(profile, type=PermissionProfile | None)
        if less := shortfall(asked, instead, here):
            sys.stderr.write(f"atrio: {' '.join(less)}\n")
        launch = plan(asked, argv, here, dict(os.environ), instead, project=here)
        prepared = launch.prepare()
    except Unenforceable as error:
        return _failed(REFUSED, error.reason)
    try:
        child = subprocess.Popen(
            prepared.argv, cwd=prepared.cwd, env=prepared.env, pass_fds=prepared.pass_fds
        )
        prepared.started()
        code = _wait(child)
        if prepared.gone is not None:
            os.read(prepared.gone, 1)
    except OSError as error:
        return _failed(NOT_FOUND, f"cannot start {argv[0]}: {error.strerror}")
    finally:
        prepared.close()
    return code if code >= 0 else SIGNALLED - code


def tell_host(minimum: Minimum) -> int:
    """Print what this host can enforce."""
    settle(minimum)
    lines = [*report(), f"cgroups: {cgroups.survey()}"]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def _wait(child: "subprocess.Popen[bytes]") -> int:
    """An interrupt is for the command; what it leaves behind is cleared away all the same."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return child.wait()
    finally:
        signal.signal(signal.SIGINT, before)


def _failed(code: int, reason: str) -> int:
    sys.stderr.write(f"atrio: {reason}\n")
    return code
