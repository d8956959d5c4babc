"""A policy resolved against a folder: which files may be written.

The answer is about names as they are now.  It decides whether a patch needs an approval; it does
not confine a process, which could swap a folder for a link a moment later.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from protocol.policy import (
    DangerFullAccess,
    ExternalSandbox,
    ReadOnly,
    SandboxPolicy,
    WorkspaceWrite,
)

# Whoever may write these runs code later, outside of any sandbox: hooks, configuration, skills.
PROTECTED = (".git", ".codex", ".agents")

_GITDIR = "gitdir:"


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


def protected_paths(root: str) -> list[str]:
    """What stays read-only below a writable root, and where a `.git` file points to."""
    names = [os.path.join(root, name) for name in PROTECTED]  # noqa: PTH118
    places = [*names, *(os.path.realpath(name) for name in names)]
    if target := _gitdir(root):
        places.append(target)
    return list(dict.fromkeys(places))


def _gitdir(root: str) -> str | None:
    """Where the `.git` file of a worktree or submodule points to."""
    try:
        text = Path(root, ".git").read_text("utf-8", "replace")
    except OSError:
        return None
    if not text.startswith(_GITDIR):
        return None
    return os.path.realpath(Path(root, text.removeprefix(_GITDIR).strip()))


def may_write(
    policy: SandboxPolicy, path: str, cwd: str, env: Mapping[str, str] = os.environ
) -> bool:
    """Whether the policy lets a command in `cwd` write `path`, which may not exist yet."""
    match policy:
        case DangerFullAccess() | ExternalSandbox():
            return True
        case ReadOnly():
            return False
        case WorkspaceWrite():
            real = os.path.realpath(Path(cwd, path))
            roots = writable_roots(policy, cwd, env)
            return any(_below(real, root) for root in roots) and not any(
                _below(real, place) for root in roots for place in protected_paths(root)
            )


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
