"""What a call wants beyond its sandbox: to leave it, or to have it widened for this command.

The model says it in arguments that the tools for commands share.  What the user has granted to the
turn or the session before is added by itself.
"""

import os
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct
from msgspec.structs import replace

from protocol.grant import NOTHING, Entries, Grant, covers, distinct, listed, merged
from protocol.overrides import absolute
from protocol.permission import AdditionalNetworkPermissions
from protocol.policy import (
    AskForApproval,
    ExactPath,
    FileSystemSandboxEntry,
    GlobPatternPath,
    GranularApproval,
    SpecialPath,
    SpecialRoot,
)
from workers.tools import ToolFailure, Turn
from workers.widening import places

PER_COMMAND = "exec_permission_approvals"  # the feature that lets a single command ask for more
BY_TOOL = "request_permissions_tool"  # the one that gives the model `request_permissions`

SandboxPermissions = Literal["use_default", "require_escalated", "with_additional_permissions"]


class FileSystemArguments(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Either two lists, or entries as in a profile."""

    read: list[str] | None = None
    write: list[str] | None = None
    entries: list[FileSystemSandboxEntry] | None = None
    glob_scan_max_depth: Annotated[int, Meta(ge=1)] | None = None

    def __post_init__(self) -> None:
        both = self.read is not None or self.write is not None
        if both and (self.entries is not None or self.glob_scan_max_depth is not None):
            raise ValueError("`entries` cannot be combined with `read` and `write`")


class PermissionArguments(Struct, forbid_unknown_fields=True):
    network: AdditionalNetworkPermissions | None = None
    file_system: FileSystemArguments | None = None


@dataclass(frozen=True)
class Wish:
    """`held` is what the user has granted before, `additional` all that the command wants.

    `granted` says that the two are the same.
    """

    escalated: bool = False
    held: Grant = NOTHING
    additional: Grant = NOTHING
    granted: bool = False


NO_WISH = Wish()


def asked(arguments: PermissionArguments, cwd: str) -> Grant:
    """What the arguments ask for; relative paths start at `cwd`.

    Links are followed, so that the user sees what is really granted.  Raises ToolFailure.
    """
    files = arguments.file_system or FileSystemArguments()
    entries = listed(files.read, files.write) if files.entries is None else files.entries
    network = arguments.network.enabled if arguments.network else None
    return Grant(_placed(entries, cwd), network, files.glob_scan_max_depth)


def _placed(entries: Entries, cwd: str) -> Entries:
    return distinct(_place(one, cwd) for one in entries)


def _place(one: FileSystemSandboxEntry, cwd: str) -> FileSystemSandboxEntry:
    match one.path:
        case ExactPath(path=path):
            return replace(one, path=ExactPath(os.path.realpath(absolute(path, cwd))))
        case GlobPatternPath() if one.access != "none":
            raise ToolFailure("glob file system permissions only support deny-read entries")
        case SpecialPath(value=SpecialRoot(kind="project_roots", subpath=subpath)):
            root = SpecialRoot("project_roots", subpath=None if subpath is UNSET else subpath)
            return replace(one, path=SpecialPath(root))
        case _:
            return one


# ---- may it be wished for?


def wish(
    turn: Turn,
    permissions: SandboxPermissions,
    arguments: PermissionArguments | None,
    cwd: str,
    *,
    late: bool,
) -> Wish:
    """What the call gets or has to ask for.  Raises ToolFailure when it may not even ask.

    `late` tools look at the arguments before they look at the policy (observed of those that run a
    command to its end): it decides which of two reasons the model hears.
    """
    policy, wanted = turn.settings.approval_policy, arguments and asked(arguments, cwd)
    if permissions == "require_escalated":
        if not late:
            _check_escalation(policy, "cannot")
        _check(turn, wanted, wide=False, granted=False)
        _check_escalation(policy, "should not")
        return Wish(escalated=True)
    held = turn.approvals.grants.held(turn)
    if permissions == "use_default" and wanted is None:
        return Wish(held=held, additional=held, granted=True)
    effective = merged(wanted or NOTHING, held)
    granted = bool(held) and covers(held, effective, places(turn.settings))
    wide = permissions == "with_additional_permissions" or bool(effective)
    if wide and not granted and not late:
        _check_escalation(policy, "cannot")
    _check(turn, effective if wanted is not None or held else None, wide=wide, granted=granted)
    return Wish(held=held, additional=effective, granted=granted)


def _check_escalation(policy: AskForApproval, may_not: str) -> None:
    if policy != "on-request":
        name = _name(policy)
        raise ToolFailure(
            f"approval policy is {name}; reject command — you {may_not} ask for escalated "
            f"permissions if the approval policy is {name}"
        )


def _check(turn: Turn, wanted: Grant | None, *, wide: bool, granted: bool) -> None:
    """In the reference server's words, and in its order."""
    settings = turn.settings
    allowed = settings.feature(PER_COMMAND) or (granted and settings.feature(BY_TOOL))
    if not granted and not allowed and (wide or wanted is not None):
        raise ToolFailure(
            f"additional permissions are disabled; enable `features.{PER_COMMAND}` before using "
            "`with_additional_permissions`"
        )
    if not wide:
        if wanted is not None:
            raise ToolFailure(
                "`additional_permissions` requires `sandbox_permissions` set to "
                "`with_additional_permissions`"
            )
        return
    if not granted and settings.approval_policy != "on-request":
        raise ToolFailure(
            f"approval policy is {_name(settings.approval_policy)}; reject command — you cannot "
            "request additional permissions unless the approval policy is OnRequest"
        )
    if wanted is None:
        raise ToolFailure(
            "missing `additional_permissions`; provide at least one of `network` or `file_system` "
            "when using `with_additional_permissions`"
        )
    if not wanted:
        raise ToolFailure(
            "`additional_permissions` must include at least one requested permission in `network` "
            "or `file_system`"
        )


_NAMES = {"never": "Never", "on-failure": "OnFailure", "untrusted": "UnlessTrusted"}


def _name(policy: AskForApproval) -> str:
    """As the reference server writes it to the model."""
    match policy:
        case GranularApproval(granular=granular) if granular:
            kinds = (
                "sandbox_approval",
                "rules",
                "skill_approval",
                "request_permissions",
                "mcp_elicitations",
            )
            told = ", ".join(f"{kind}: {str(getattr(granular, kind)).lower()}" for kind in kinds)
            return f"Granular(GranularApprovalConfig {{ {told} }})"
        case _:
            return _NAMES.get(str(policy), "Granular")
