"""What a sandbox may be widened by: how it is asked for, and how it is granted."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from protocol.policy import FileSystemSandboxEntry
from protocol.wire import Wire


class AdditionalFileSystemPermissions(Wire):
    """`read` and `write` say the same as `entries`, for clients that know no others."""

    read: list[str] | None = None
    write: list[str] | None = None
    entries: list[FileSystemSandboxEntry] | UnsetType | None = UNSET
    glob_scan_max_depth: Annotated[int, Meta(ge=1)] | UnsetType | None = UNSET


class AdditionalNetworkPermissions(Wire):
    enabled: bool | None = None


class AdditionalPermissionProfile(Wire):
    file_system: AdditionalFileSystemPermissions | None = None
    network: AdditionalNetworkPermissions | None = None


class RequestPermissionProfile(AdditionalPermissionProfile):
    """No further fields."""


class GrantedPermissionProfile(AdditionalPermissionProfile):
    """No further fields."""


class PermissionsRequestApprovalParams(Wire):
    cwd: str
    item_id: str
    permissions: RequestPermissionProfile
    started_at_ms: int
    thread_id: str
    turn_id: str
    reason: str | None = None


PermissionGrantScope = Literal["turn", "session"]


class PermissionsRequestApprovalResponse(Wire):
    """`strict_auto_review` wants every action of the turn to be reviewed in return."""

    permissions: GrantedPermissionProfile
    scope: PermissionGrantScope = "turn"
    strict_auto_review: bool | None = None
