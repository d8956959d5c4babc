"""What is put around a command that may not reach everything, by what works on this host."""

import os
from pathlib import Path

from sandbox.cage import Cage, cage
from sandbox.launch import Fence
from sandbox.linux import SECRETS, fence
from sandbox.netns import Namespace
from sandbox.probe import Bubblewrap, Landlock
from sandbox.reach import Reach
from sandbox.refusal import Unenforceable


def enclosed(
    reach: Reach,
    found: Bubblewrap | Landlock,
    home: str,
    cwd: str,
    name: str,
    *,
    namespace: Namespace | None = None,
) -> Fence | Cage:
    """Raises Unenforceable when a place is not as the policy takes it to be."""
    if isinstance(found, Bubblewrap):
        return fence(reach, found, home, cwd, name, namespace=namespace)
    if namespace is not None:
        why = "its network is managed, which the reduced level of the sandbox cannot do"
        raise Unenforceable(name, why, f"{found.instead}. Mend that.")
    secrets = tuple(os.path.realpath(Path(home, secret)) for secret in SECRETS)
    return cage(reach, secrets, cwd, name)
