"""`atrio sandbox`: hand a command to a worker's side, which is where sandboxes are made."""

import os
import sys
from pathlib import Path

import msgspec

from protocol.policy import DangerFullAccess, ReadOnly, SandboxPolicy, WorkspaceWrite
from supervisor.options import Sandbox


def policy_of(asked: Sandbox) -> SandboxPolicy:
    """Folders are made absolute, since a policy is about places and not about where one stands."""
    match asked.policy:
        case "read-only":
            return ReadOnly(network_access=asked.network)
        case "workspace-write":
            roots = [str(Path(folder).absolute()) for folder in asked.writable]
            return WorkspaceWrite(network_access=asked.network, writable_roots=roots)
        case "danger-full-access":
            return DangerFullAccess()


def run(asked: Sandbox) -> int:
    """Become the process that runs it; this does not return."""
    policy = msgspec.json.encode(policy_of(asked)).decode()
    words = [sys.executable, "-I", "-m", "workers", "sandbox", policy, *asked.argv]
    os.execv(sys.executable, words)  # noqa: S606 - the interpreter that runs this
