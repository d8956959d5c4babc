"""Permission profiles and sandbox policies: two ways to say what a command may touch.

A profile is a list of places with an access each; a policy is the older, coarser shape that clients
still read.  Both are answered, so each must follow from the other.
"""

import os
from pathlib import PurePath
from typing import NamedTuple

from protocol.policy import (
    ActivePermissionProfile,
    ActiveWritableRoot,
    DangerFullAccess,
    DisabledPermissions,
    ExactPath,
    ExternalPermissions,
    ExternalSandbox,
    FileSystemAccessMode,
    FileSystemPath,
    FileSystemSandboxEntry,
    ManagedPermissions,
    NetworkPermissions,
    PermissionProfile,
    ProfileSelection,
    ReadOnly,
    RestrictedFileSystem,
    SandboxPolicy,
    SpecialPath,
    SpecialRoot,
    WorkspaceWrite,
)

PROTECTED = (".git", ".agents", ".codex")  # read-only in a writable project (observed)
BUILT_IN: dict[str, SandboxPolicy] = {
    ":read-only": ReadOnly(),
    ":workspace": WorkspaceWrite(),
    ":danger-no-sandbox": DangerFullAccess(),
}


class Places(NamedTuple):
    """Where the special places of a profile are; `tmpdir` is what TMPDIR says, if it does."""

    cwd: str
    tmpdir: str | None = None


def entry(path: FileSystemPath, access: FileSystemAccessMode) -> FileSystemSandboxEntry:
    return FileSystemSandboxEntry(access=access, path=path)


def special(kind: str) -> SpecialPath:
    return SpecialPath(SpecialRoot(kind))


def in_project(subpath: str | None = None) -> SpecialPath:
    """The project's roots, or a place below each; the null subpath is written out (observed)."""
    return SpecialPath(SpecialRoot("project_roots", subpath=subpath))


def profile_of(policy: SandboxPolicy) -> PermissionProfile:
    """The profile that says the same as a policy, with the entries in the observed order."""
    match policy:
        case DangerFullAccess():
            return DisabledPermissions()
        case ExternalSandbox(network_access=network):
            return ExternalPermissions(NetworkPermissions(network == "enabled"))
        case ReadOnly(network_access=network):
            return managed([entry(special("root"), "read")], network=network)
        case WorkspaceWrite(network_access=network):
            return managed(_workspace(policy), network=network)


def managed(entries: list[FileSystemSandboxEntry], *, network: bool) -> ManagedPermissions:
    return ManagedPermissions(RestrictedFileSystem(entries), NetworkPermissions(network))


def _workspace(policy: WorkspaceWrite) -> list[FileSystemSandboxEntry]:
    entries = [entry(special("root"), "read"), entry(in_project(), "write")]
    if not policy.exclude_slash_tmp:
        entries.append(entry(special("slash_tmp"), "write"))
    if not policy.exclude_tmpdir_env_var:
        entries.append(entry(special("tmpdir"), "write"))
    entries += [entry(ExactPath(root), "write") for root in policy.writable_roots]
    return entries + [entry(in_project(name), "read") for name in PROTECTED]


def policy_of(profile: PermissionProfile, cwd: str) -> SandboxPolicy:
    """The nearest policy to a profile.

    What a policy cannot say is lost: it can neither hide places nor leave the cwd out of the
    writable ones.  Who enforces must go by the profile.
    """
    match profile:
        case DisabledPermissions():
            return DangerFullAccess()
        case ExternalPermissions(network=network):
            return _outside(network.enabled)
        case ManagedPermissions(file_system=RestrictedFileSystem(entries=entries), network=network):
            writable = [e.path for e in entries if e.access == "write"]
            return _narrowed(writable, cwd, network.enabled)
        case ManagedPermissions(network=network):
            return DangerFullAccess() if network.enabled else _outside(network=False)


def _outside(network: bool) -> ExternalSandbox:
    return ExternalSandbox("enabled" if network else "restricted")


def _narrowed(writable: list[FileSystemPath], cwd: str, network: bool) -> SandboxPolicy:
    kinds = {p.value.kind for p in writable if isinstance(p, SpecialPath)}
    if "root" in kinds:
        return DangerFullAccess() if network else _outside(network=False)
    if not writable:
        return ReadOnly(network)
    return WorkspaceWrite(
        exclude_slash_tmp="slash_tmp" not in kinds,
        exclude_tmpdir_env_var="tmpdir" not in kinds,
        network_access=network,
        writable_roots=[root for p in writable if (root := _root(p, cwd))],
    )


def _root(path: FileSystemPath, cwd: str) -> str | None:
    match path:
        case ExactPath(path=exact):
            return exact
        case SpecialPath(value=SpecialRoot(kind="project_roots", subpath=str(below))):
            return os.path.join(cwd, below)  # noqa: PTH118 - text, not a file that must exist
        case _:
            return None


def widened(profile: PermissionProfile, roots: list[str]) -> PermissionProfile:
    """The profile with further writable roots; one that confines no files stays as it is."""
    match profile:
        case ManagedPermissions(file_system=RestrictedFileSystem(entries=entries), network=network):
            known = {e.path.path for e in entries if isinstance(e.path, ExactPath)}
            more = [entry(ExactPath(root), "write") for root in roots if root not in known]
            return managed(entries + more, network=network.enabled)
        case _:
            return profile


def selected(
    selection: ProfileSelection, named: dict[str, PermissionProfile], memories: str, places: Places
) -> tuple[PermissionProfile, ActivePermissionProfile]:
    """The profile that a client picked, and how it is told of it.

    `named` are the profiles of the configuration.  Whoever may write anywhere may write to
    `memories` too, decided before the client's own roots are added; what is writable already is
    not added again (both observed).  Raises ValueError.
    """
    before = profile = by_id(selection.id, named)
    asked = [m.path for m in selection.modifications or []]
    writes = isinstance(policy_of(profile, places.cwd), WorkspaceWrite)
    for root in [*asked, memories] if writes else asked:
        if not _covers(profile, root, places):
            profile = widened(profile, [root])
    confined = isinstance(before, ManagedPermissions)
    active = ActivePermissionProfile(
        selection.id, modifications=[ActiveWritableRoot(r) for r in asked] if confined else []
    )
    return profile, active


def _covers(profile: PermissionProfile, path: str, places: Places) -> bool:
    match profile:
        case ManagedPermissions(file_system=RestrictedFileSystem(entries=entries)):
            writable = (where(e.path, places) for e in entries if e.access == "write")
            return any(PurePath(path).is_relative_to(root) for root in writable if root)
        case _:
            return True


def where(path: FileSystemPath, places: Places) -> str | None:
    """The absolute name of a place; None for one without, such as a pattern."""
    match path:
        case SpecialPath(value=SpecialRoot(kind="project_roots", subpath=subpath)):
            if not isinstance(subpath, str):
                return places.cwd
            return os.path.join(places.cwd, subpath)  # noqa: PTH118
        case SpecialPath(value=SpecialRoot(kind="slash_tmp")):
            return "/tmp"  # noqa: S108 - this is the place that the profile names
        case SpecialPath(value=SpecialRoot(kind="tmpdir")):
            return places.tmpdir
        case SpecialPath(value=SpecialRoot(kind="root")):
            return "/"
        case _:
            return _root(path, places.cwd)


def by_id(id: str, named: dict[str, PermissionProfile]) -> PermissionProfile:
    """Raises ValueError, in the reference server's words."""
    if id in BUILT_IN:
        return profile_of(BUILT_IN[id])
    if id in named:
        return named[id]
    if id.startswith(":"):
        raise ValueError(f"default_permissions refers to unknown built-in profile `{id}`")
    if not named:
        raise ValueError("default_permissions requires a `[permissions]` table")
    raise ValueError(f"default_permissions refers to undefined profile `{id}`")
