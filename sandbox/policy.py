"""What the policy of a thread lets be written, for who tells the model and who judges a patch.

The answer is about names as they are now.  It decides whether a patch needs an approval; it does
not confine a process, which could swap a folder for a link a moment later.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from protocol.policy import PermissionProfile, SandboxPolicy, WorkspaceWrite
from sandbox.reach import Places, reach
from sandbox.refusal import Unenforceable


def writable_roots(
    policy: WorkspaceWrite, cwd: str, env: Mapping[str, str] = os.environ
) -> list[str]:
    """Absolute folders, links resolved: the cwd, the named roots, /tmp and $TMPDIR."""
    roots = [cwd, *(os.path.join(cwd, root) for root in policy.writable_roots)]  # noqa: PTH118
    if not policy.exclude_slash_tmp:
        roots.append("/tmp")  # noqa: S108 - the policy's own name for it
    tmpdir = env.get("TMPDIR", "")
    if not policy.exclude_tmpdir_env_var and os.path.isabs(tmpdir):  # noqa: PTH117
        roots.append(tmpdir)
    return list(dict.fromkeys(os.path.realpath(root) for root in roots))


def may_write(
    policy: SandboxPolicy,
    path: str,
    cwd: str,
    env: Mapping[str, str] = os.environ,
    profile: PermissionProfile | None = None,
) -> bool:
    """Whether a command of a thread in `cwd` may write `path`, which may not exist yet.

    What the sandbox would have to refuse, nobody may write.
    """
    try:
        found = reach(policy, profile, Places.here(cwd, env))
    except Unenforceable:
        return False
    return found is None or found.access(os.path.realpath(Path(cwd, path))) == "write"
