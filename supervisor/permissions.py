"""What commands may touch: as the configuration says, else as the project is trusted."""

from typing import Any, cast, get_args

from protocol.overrides import by_selection, memories
from protocol.policy import (
    DangerFullAccess,
    ExactPath,
    FileSystemAccessMode,
    FileSystemPath,
    FileSystemSandboxEntry,
    GlobPatternPath,
    PermissionProfile,
    ProfileSelection,
    ReadOnly,
    SandboxMode,
    SandboxPolicy,
    SpecialPath,
    SpecialRoot,
    WorkspaceWrite,
)
from protocol.profile import entry, in_project, managed, policy_of, profile_of, widened
from supervisor.layers import ConfigError, Layer, Table
from supervisor.toml import Permission, Toml, Workspace

KINDS = ("root", "minimal", "tmpdir", "slash_tmp")


def permissions(
    toml: Toml, layers: list[Layer], named: dict[str, PermissionProfile], home: str, cwd: str
) -> dict[str, Any]:
    """The three fields of Settings that a configuration implies.

    `sandbox_mode` and `default_permissions` are two ways to say it: the one in the higher layer
    counts, and the latter within one.  With neither, a project that the user has an opinion on may
    be written to, any other only read (observed).  Raises ConfigError and RpcError.
    """
    if toml.default_permissions and _rank(layers, "default_permissions") <= _rank(
        layers, "sandbox_mode"
    ):
        return by_selection(ProfileSelection(toml.default_permissions), named, home, cwd)
    if toml.sandbox_mode:
        return by_mode(toml.sandbox_mode, toml, home, cwd)
    if named:
        raise ConfigError(
            "there are `[permissions]` profiles, but `default_permissions` names none"
        )
    return {}


def by_trust(toml: Toml, trust_level: str | None, home: str, cwd: str) -> dict[str, Any]:
    """What holds where nobody has said anything: see `permissions`."""
    if trust_level is None:
        return by_selection(ProfileSelection(":read-only"), {}, home, cwd)
    if toml.sandbox_workspace_write is not None:
        return by_mode("workspace-write", toml, home, cwd)
    return by_selection(ProfileSelection(":workspace"), {}, home, cwd)


def _rank(layers: list[Layer], key: str) -> int:
    """The place of the highest layer that says something of `key`, profiles included."""
    for place, layer in enumerate(layers):
        tables = [layer.table, *layer.table.get("profiles", {}).values()]
        if layer.disabled_reason is None and any(key in table for table in tables):
            return place
    return len(layers)


def by_mode(mode: SandboxMode, toml: Toml, home: str, cwd: str) -> dict[str, Any]:
    policy = _policy(mode, toml)
    profile = profile_of(policy)
    if isinstance(policy, WorkspaceWrite):
        profile = widened(profile, [memories(home)])
    return {
        "sandbox_policy": policy_of(profile, cwd),
        "permission_profile": profile,
        "active_permission_profile": None,
    }


def _policy(mode: SandboxMode, toml: Toml) -> SandboxPolicy:
    if mode == "read-only":
        return ReadOnly()
    if mode == "danger-full-access":
        return DangerFullAccess()
    workspace = toml.sandbox_workspace_write or Workspace()
    return WorkspaceWrite(
        exclude_slash_tmp=workspace.exclude_slash_tmp,
        exclude_tmpdir_env_var=workspace.exclude_tmpdir_env_var,
        network_access=workspace.network_access,
        writable_roots=workspace.writable_roots,
    )


def named_profiles(toml: Toml) -> dict[str, PermissionProfile]:
    """`[permissions.NAME]`: `filesystem` maps places to an access, `network` has `enabled`.

    Raises ConfigError.
    """
    return {name: _profile(name, given) for name, given in (toml.permissions or {}).items()}


def _profile(name: str, given: Permission) -> PermissionProfile:
    files = given.filesystem or {}
    network = given.network is not None and given.network.enabled is True
    entries: list[FileSystemSandboxEntry] = []
    for place in sorted(files):
        below = files[place]
        where = f"permissions.{name}.filesystem"
        if isinstance(below, dict):
            for subpath, access in sorted(cast("Table", below).items()):
                entries.append(_entry(place, subpath, access, where))
        elif place != "glob_scan_max_depth":
            entries.append(_entry(place, ".", below, where))
    return managed(entries, network=network)


def _entry(place: str, subpath: str, access: Any, where: str) -> FileSystemSandboxEntry:
    if access not in get_args(FileSystemAccessMode):
        raise ConfigError(
            f"unknown access `{access}` of `{place}`, expected one of `read`, `write`, `none`",
            key=where,
        )
    return entry(_place(place, subpath, where), access)


def _place(place: str, subpath: str, where: str) -> FileSystemPath:
    inner = None if subpath == "." else subpath
    if place == ":project_roots":
        return in_project(inner)
    if place.startswith(":"):
        known = place[1:] in KINDS
        return SpecialPath(SpecialRoot(place[1:]) if known else SpecialRoot("unknown", path=place))
    path = place if inner is None else f"{place.rstrip('/')}/{inner}"
    if "*" in path:
        return GlobPatternPath(path)
    if not path.startswith("/"):
        raise ConfigError(f"`{path}` is neither absolute nor a special place", key=where)
    return ExactPath(path)
