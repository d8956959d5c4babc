"""What an administrator lets a thread's settings be; see `supervisor/requirements.py`."""

from collections.abc import Sequence

from protocol.errors import invalid
from protocol.policy import (
    ApprovalsReviewer,
    AskForApproval,
    DangerFullAccess,
    ExternalSandbox,
    GranularApproval,
    ReadOnly,
    SandboxMode,
    SandboxPolicy,
    WorkspaceWrite,
)
from protocol.settings import Allowed

# The reference server names values in errors as its source does (observed).
_CALLED = {
    "untrusted": "UnlessTrusted",
    "on-failure": "OnFailure",
    "on-request": "OnRequest",
    "never": "Never",
    "read-only": "ReadOnly",
    "workspace-write": "WorkspaceWrite",
    "danger-full-access": "DangerFullAccess",
    "disabled": "Disabled",
    "cached": "Cached",
    "live": "Live",
    "user": "User",
    "auto_review": "AutoReview",
    "guardian_subagent": "AutoReview",
}


def mode_of(policy: SandboxPolicy) -> SandboxMode:
    """An external sandbox is none of ours, so it counts as none."""
    match policy:
        case ReadOnly():
            return "read-only"
        case WorkspaceWrite():
            return "workspace-write"
        case DangerFullAccess() | ExternalSandbox():
            return "danger-full-access"


def allows_policy(allowed: Allowed, policy: AskForApproval) -> bool:
    return _allows(allowed.approval_policies, policy)


def allows_mode(allowed: Allowed, mode: SandboxMode) -> bool:
    return _allows(allowed.sandbox_modes, mode)


def allows_reviewer(allowed: Allowed, reviewer: ApprovalsReviewer) -> bool:
    modern = "auto_review" if reviewer == "guardian_subagent" else reviewer
    return _allows(allowed.approvals_reviewers, reviewer) or _allows(
        allowed.approvals_reviewers, modern
    )


def allows_web_search(allowed: Allowed, mode: str) -> bool:
    return _allows(allowed.web_search_modes, mode)


def _allows(options: Sequence[object] | None, value: object) -> bool:
    return options is None or value in options


def check_policy(allowed: Allowed, policy: AskForApproval | None) -> None:
    """Raises RpcError, as do those below."""
    if policy is not None and not allows_policy(allowed, policy):
        raise invalid(_refusal("approval_policy", policy, allowed.approval_policies, allowed))


def check_sandbox(allowed: Allowed, policy: SandboxPolicy) -> None:
    check_mode(allowed, mode_of(policy))


def check_mode(allowed: Allowed, mode: SandboxMode) -> None:
    if not allows_mode(allowed, mode):
        raise invalid(_refusal("sandbox_mode", mode, allowed.sandbox_modes, allowed))


def check_web_search(allowed: Allowed, mode: str | None) -> None:
    if mode is not None and not allows_web_search(allowed, mode):
        raise invalid(_refusal("web_search_mode", mode, allowed.web_search_modes, allowed))


def check_reviewer(allowed: Allowed, reviewer: ApprovalsReviewer | None) -> None:
    if reviewer is not None and not allows_reviewer(allowed, reviewer):
        options = allowed.approvals_reviewers
        raise invalid(_refusal("approvals_reviewer", reviewer, options, allowed))


def _refusal(name: str, value: object, options: Sequence[object] | None, allowed: Allowed) -> str:
    listed = ", ".join(map(_called, options or ()))
    return (
        f"invalid value for `{name}`: `{_called(value)}` is not in the allowed set [{listed}] "
        f"(set by {allowed.source})"
    )


def _called(value: object) -> str:
    if isinstance(value, GranularApproval):
        return "Granular"
    return _CALLED.get(str(value), str(value))
