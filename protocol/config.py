from typing import Any, Literal

from msgspec import UNSET, UnsetType

from protocol.policy import ApprovalsReviewer, AskForApproval, SandboxMode
from protocol.wire import U32, Wire


class ConfigReadParams(Wire):
    cwd: str | None = None
    include_layers: bool = False


WebSearchMode = Literal["disabled", "cached", "live"]


class MdmLayer(Wire, tag_field="type", tag="mdm"):
    domain: str
    key: str


class SystemLayer(Wire, tag_field="type", tag="system"):
    file: str


class UserLayer(Wire, tag_field="type", tag="user"):
    file: str


class ProjectLayer(Wire, tag_field="type", tag="project"):
    dot_codex_folder: str


class SessionFlagsLayer(Wire, tag_field="type", tag="sessionFlags"):
    """No further fields."""


class LegacyManagedConfigTomlFromFileLayer(
    Wire, tag_field="type", tag="legacyManagedConfigTomlFromFile"
):
    file: str


class LegacyManagedConfigTomlFromMdmLayer(
    Wire, tag_field="type", tag="legacyManagedConfigTomlFromMdm"
):
    """No further fields."""


ConfigLayerSource = (
    MdmLayer
    | SystemLayer
    | UserLayer
    | ProjectLayer
    | SessionFlagsLayer
    | LegacyManagedConfigTomlFromFileLayer
    | LegacyManagedConfigTomlFromMdmLayer
)


class ConfigLayer(Wire):
    config: Any
    name: ConfigLayerSource
    version: str
    disabled_reason: str | UnsetType | None = UNSET


class ConfigLayerMetadata(Wire):
    name: ConfigLayerSource
    version: str


MergeStrategy = Literal["replace", "upsert"]


class ConfigEdit(Wire):
    """A null `value` takes the key away."""

    key_path: str
    merge_strategy: MergeStrategy
    value: Any


class ConfigValueWriteParams(ConfigEdit):
    expected_version: str | None = None
    file_path: str | None = None


class ConfigBatchWriteParams(Wire):
    edits: list[ConfigEdit]
    expected_version: str | None = None
    file_path: str | None = None
    reload_user_config: bool = False


class OverriddenMetadata(Wire):
    effective_value: Any
    message: str
    overriding_layer: ConfigLayerMetadata


WriteStatus = Literal["ok", "okOverridden"]


class ConfigWriteResponse(Wire):
    file_path: str
    status: WriteStatus
    version: str
    overridden_metadata: OverriddenMetadata | None = None


class ConfigReadResponse(Wire):
    config: dict[str, Any]
    origins: dict[str, ConfigLayerMetadata]
    layers: list[ConfigLayer] | UnsetType | None = UNSET


ResidencyRequirement = Literal["us"]


NetworkDomainPermission = Literal["allow", "deny"]


NetworkUnixSocketPermission = Literal["allow", "none"]


class NetworkRequirements(Wire):
    allow_local_binding: bool | None = None
    allow_unix_sockets: list[str] | None = None
    allow_upstream_proxy: bool | None = None
    allowed_domains: list[str] | None = None
    dangerously_allow_all_unix_sockets: bool | None = None
    dangerously_allow_non_loopback_proxy: bool | None = None
    denied_domains: list[str] | None = None
    domains: dict[str, NetworkDomainPermission] | None = None
    enabled: bool | None = None
    http_port: int | None = None
    managed_allowed_domains_only: bool | None = None
    socks_port: int | None = None
    unix_sockets: dict[str, NetworkUnixSocketPermission] | None = None


class ConfigRequirements(Wire):
    allowed_approval_policies: list[AskForApproval] | None = None
    allowed_approvals_reviewers: list[ApprovalsReviewer] | None = None
    allowed_sandbox_modes: list[SandboxMode] | None = None
    allowed_web_search_modes: list[WebSearchMode] | None = None
    enforce_residency: ResidencyRequirement | None = None
    feature_requirements: dict[str, bool] | None = None
    hooks: dict[str, Any] | None = None
    network: NetworkRequirements | None = None


class ConfigRequirementsReadResponse(Wire):
    requirements: ConfigRequirements | None = None


class TextPosition(Wire):
    column: int
    line: int


class TextRange(Wire):
    end: TextPosition
    start: TextPosition


class ConfigWarningNotification(Wire):
    summary: str
    details: str | None = None
    path: str | UnsetType | None = UNSET
    range: TextRange | UnsetType | None = UNSET


class DeprecationNoticeNotification(Wire):
    summary: str
    details: str | None = None


class ExperimentalFeatureListParams(Wire):
    cursor: str | None = None
    limit: U32 | None = None


ExperimentalFeatureStage = Literal["beta", "underDevelopment", "stable", "deprecated", "removed"]


class ExperimentalFeature(Wire):
    default_enabled: bool
    enabled: bool
    name: str
    stage: ExperimentalFeatureStage
    announcement: str | None = None
    description: str | None = None
    display_name: str | None = None


class ExperimentalFeatureListResponse(Wire):
    data: list[ExperimentalFeature]
    next_cursor: str | None = None


class ExperimentalFeatureEnablementSetParams(Wire):
    enablement: dict[str, bool]


class ExperimentalFeatureEnablementSetResponse(Wire):
    enablement: dict[str, bool]
