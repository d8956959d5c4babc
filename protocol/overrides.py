"""What a `turn/start` changes, for its turn and for those after it."""

import os
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from protocol.allowed import check_policy, check_reviewer, check_sandbox
from protocol.errors import invalid
from protocol.model import CollaborationMode
from protocol.policy import PermissionProfile, ProfileSelection, SandboxPolicy, WorkspaceWrite
from protocol.profile import Places, policy_of, profile_of, selected
from protocol.settings import Settings
from protocol.turn import TurnEnvironmentParams, TurnStartParams

RELATIVE = "Invalid request: AbsolutePathBuf deserialized without a base path"
LOCAL = "local"  # the only environment there is: the host of the thread (observed)
TIERS = {"fast": "priority"}  # what the configuration calls fast, the provider calls priority


def absolute(path: str, base: str) -> str:
    """`path` as a thread keeps it: `~` expanded, relative ones below `base`; it need not exist."""
    return os.path.normpath(os.path.join(base, os.path.expanduser(path)))  # noqa: PTH111, PTH118


def tier(name: str | None) -> str | None:
    return None if name is None else TIERS.get(name, name)


def memories(home: str) -> str:
    """The folder that every writable sandbox may write to as well (observed)."""
    return os.path.join(home, "memories")  # noqa: PTH118


def turn_overrides(settings: Settings, params: TurnStartParams) -> Settings:
    """The settings from this turn on.  Raises RpcError for combinations that make no sense."""
    if params.permissions is not None and params.sandbox_policy is not None:
        raise invalid("`permissions` cannot be combined with `sandboxPolicy`")
    check_policy(settings.allowed, params.approval_policy)
    check_reviewer(settings.allowed, params.approvals_reviewer)
    changes: dict[str, Any] = {
        name: value
        for name in ("approval_policy", "approvals_reviewer", "personality", "summary")
        if (value := getattr(params, name)) is not None
    }
    if params.cwd is not None:
        changes["cwd"] = absolute(params.cwd, settings.cwd)
    if params.service_tier is not UNSET:
        changes["service_tier"] = tier(params.service_tier)
    changes |= _model(settings, params)
    may = _permissions(settings, params, changes.get("cwd", settings.cwd))
    if may:
        check_sandbox(settings.allowed, may["sandbox_policy"])
    return replace(settings, **changes, **may)


def check_environments(given: list[TurnEnvironmentParams] | None) -> None:
    """Raises RpcError for one that there is not, one named twice, and a folder that is relative."""
    seen: set[str] = set()
    for one in given or ():
        if not os.path.isabs(one.cwd):  # noqa: PTH117
            raise invalid(RELATIVE)
        if one.environment_id != LOCAL:
            raise invalid(f"unknown turn environment id `{one.environment_id}`")
        if one.environment_id in seen:
            raise invalid(f"duplicate turn environment id `{one.environment_id}`")
        seen.add(one.environment_id)


def placed(settings: Settings, given: list[TurnEnvironmentParams] | None) -> Settings:
    """The settings of one turn that is to run there; the thread's stay as they are (observed)."""
    if given is None:
        return settings
    cwd = os.path.normpath(given[0].cwd) if given else settings.cwd
    return replace(settings, cwd=cwd, has_environment=bool(given))


def _model(settings: Settings, params: TurnStartParams) -> dict[str, Any]:
    """A collaboration mode brings its own model and effort, which win over the turn's."""
    mode = params.collaboration_mode
    if mode is None:
        model, effort = params.model or settings.model, params.effort or settings.effort
        mode = _kept(settings.collaboration_mode, model=model, reasoning_effort=effort)
        return {"model": model, "effort": effort, "collaboration_mode": mode}
    own = mode.settings
    return {"model": own.model, "effort": own.reasoning_effort, "collaboration_mode": mode}


def _kept(mode: CollaborationMode | None, **settings: Any) -> CollaborationMode | None:
    return mode and replace(mode, settings=replace(mode.settings, **settings))


def _permissions(settings: Settings, params: TurnStartParams, cwd: str) -> dict[str, Any]:
    if params.sandbox_policy is not None:
        return _by_policy(params.sandbox_policy)
    if params.permissions is not None:
        return by_selection(params.permissions, settings.permission_profiles, settings.home, cwd)
    return {}


def _by_policy(policy: SandboxPolicy) -> dict[str, Any]:
    if isinstance(policy, WorkspaceWrite):
        for root in policy.writable_roots:
            if not os.path.isabs(root):  # noqa: PTH117
                raise invalid(RELATIVE)
    return {
        "sandbox_policy": policy,
        "permission_profile": profile_of(policy),
        "active_permission_profile": None,
    }


def by_selection(
    selection: ProfileSelection, named: dict[str, PermissionProfile], home: str, cwd: str
) -> dict[str, Any]:
    """The three fields of Settings that follow from a client's choice of a profile."""
    if not all(os.path.isabs(m.path) for m in selection.modifications or []):  # noqa: PTH117
        raise invalid(RELATIVE)
    try:
        places = Places(cwd, os.environ.get("TMPDIR"))
        profile, active = selected(selection, named, memories(home), places)
    except ValueError as error:
        raise invalid(f"failed to load configuration: {error}") from None
    return {
        "sandbox_policy": policy_of(profile, cwd),
        "permission_profile": profile,
        "active_permission_profile": active,
    }
