from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType, field

from protocol.wire import Wire


class DangerFullAccess(Wire, tag_field="type", tag="dangerFullAccess"):
    """No further fields."""


class ReadOnly(Wire, tag_field="type", tag="readOnly"):
    network_access: bool = False


NetworkAccess = Literal["restricted", "enabled"]


class ExternalSandbox(Wire, tag_field="type", tag="externalSandbox"):
    network_access: NetworkAccess = "restricted"


class WorkspaceWrite(Wire, tag_field="type", tag="workspaceWrite"):
    exclude_slash_tmp: bool = False
    exclude_tmpdir_env_var: bool = False
    network_access: bool = False
    writable_roots: list[str] = field(default_factory=list[str])


SandboxPolicy = DangerFullAccess | ReadOnly | ExternalSandbox | WorkspaceWrite


Minimum = Literal["full", "reduced"]  # of what a sandbox keeps, see `sandbox/probe.py`
SandboxMode = Literal["read-only", "workspace-write", "danger-full-access"]


class GranularSettings(Wire):
    mcp_elicitations: bool = field(name="mcp_elicitations")
    rules: bool
    sandbox_approval: bool = field(name="sandbox_approval")
    request_permissions: bool = field(default=False, name="request_permissions")
    skill_approval: bool = field(default=False, name="skill_approval")


class GranularApproval(Wire):
    granular: GranularSettings


AskForApproval = Literal["untrusted", "on-failure", "on-request", "never"] | GranularApproval


ApprovalsReviewer = Literal["user", "auto_review", "guardian_subagent"]


FileSystemAccessMode = Literal["read", "write", "none"]


class ExactPath(Wire, tag_field="type", tag="path"):
    path: str


class GlobPatternPath(Wire, tag_field="type", tag="glob_pattern"):
    pattern: str


class SpecialRoot(Wire):
    """A place named by its role: root, minimal, project_roots, tmpdir, slash_tmp or unknown."""

    kind: str
    path: str | UnsetType = UNSET
    subpath: str | UnsetType | None = UNSET


class SpecialPath(Wire, tag_field="type", tag="special"):
    value: SpecialRoot


FileSystemPath = ExactPath | GlobPatternPath | SpecialPath


class FileSystemSandboxEntry(Wire):
    access: FileSystemAccessMode
    path: FileSystemPath


class RestrictedFileSystem(Wire, tag_field="type", tag="restricted"):
    entries: list[FileSystemSandboxEntry]
    glob_scan_max_depth: Annotated[int, Meta(ge=1)] | UnsetType | None = UNSET


class UnrestrictedFileSystem(Wire, tag_field="type", tag="unrestricted"):
    """No further fields."""


FileSystemPermissions = RestrictedFileSystem | UnrestrictedFileSystem


class NetworkPermissions(Wire):
    enabled: bool


class ManagedPermissions(Wire, tag_field="type", tag="managed"):
    file_system: FileSystemPermissions
    network: NetworkPermissions


class DisabledPermissions(Wire, tag_field="type", tag="disabled"):
    """No further fields."""


class ExternalPermissions(Wire, tag_field="type", tag="external"):
    network: NetworkPermissions


PermissionProfile = ManagedPermissions | DisabledPermissions | ExternalPermissions


class ActiveWritableRoot(Wire, tag_field="type", tag="additionalWritableRoot"):
    path: str


ActivePermissionProfileModification = ActiveWritableRoot


class ActivePermissionProfile(Wire):
    id: str
    extends: str | None = None
    modifications: list[ActivePermissionProfileModification] = field(
        default_factory=list[ActivePermissionProfileModification]
    )


class AdditionalWritableRoot(Wire, tag_field="type", tag="additionalWritableRoot"):
    path: str


PermissionProfileModificationParams = AdditionalWritableRoot


class ProfileSelection(Wire, tag_field="type", tag="profile"):
    id: str
    modifications: list[PermissionProfileModificationParams] | None = None


PermissionProfileSelectionParams = ProfileSelection
