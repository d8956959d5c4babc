"""Plugins: bundles of skills, MCP servers and apps, from marketplaces that are folders."""

from typing import Literal

from msgspec import field

from protocol.hook import HookEventName
from protocol.skill import SkillInterface
from protocol.wire import Wire

PluginAuthPolicy = Literal["ON_INSTALL", "ON_USE"]
PluginInstallPolicy = Literal["NOT_AVAILABLE", "AVAILABLE", "INSTALLED_BY_DEFAULT"]
PluginAvailability = Literal["DISABLED_BY_ADMIN", "AVAILABLE"]
PluginListMarketplaceKind = Literal["local", "workspace-directory", "shared-with-me"]
PluginShareDiscoverability = Literal["LISTED", "UNLISTED", "PRIVATE"]
PluginShareUpdateDiscoverability = Literal["UNLISTED", "PRIVATE"]
PluginSharePrincipalType = Literal["user", "group", "workspace"]


class LocalSource(Wire, tag_field="type", tag="local"):
    path: str


class GitSource(Wire, tag_field="type", tag="git"):
    url: str
    path: str | None = None
    ref_name: str | None = None
    sha: str | None = None


class RemoteSource(Wire, tag_field="type", tag="remote"):
    """No further fields."""


PluginSource = LocalSource | GitSource | RemoteSource


class PluginInterface(Wire):
    capabilities: list[str]
    screenshot_urls: list[str]
    screenshots: list[str]
    brand_color: str | None = None
    category: str | None = None
    composer_icon: str | None = None
    composer_icon_url: str | None = None
    default_prompt: list[str] | None = None
    developer_name: str | None = None
    display_name: str | None = None
    logo: str | None = None
    logo_url: str | None = None
    long_description: str | None = None
    privacy_policy_url: str | None = None
    short_description: str | None = None
    terms_of_service_url: str | None = None
    website_url: str | None = None


class PluginSharePrincipal(Wire):
    name: str
    principal_id: str
    principal_type: PluginSharePrincipalType


class PluginShareContext(Wire):
    remote_plugin_id: str
    creator_account_user_id: str | None = None
    creator_name: str | None = None
    share_targets: list[PluginSharePrincipal] | None = None
    share_url: str | None = None


class PluginSummary(Wire):
    auth_policy: PluginAuthPolicy
    enabled: bool
    id: str
    install_policy: PluginInstallPolicy
    installed: bool
    name: str
    source: PluginSource
    availability: PluginAvailability = "AVAILABLE"
    interface: PluginInterface | None = None
    keywords: list[str] = field(default_factory=list[str])
    share_context: PluginShareContext | None = None


class MarketplaceInterface(Wire):
    display_name: str | None = None


class PluginMarketplaceEntry(Wire):
    name: str
    plugins: list[PluginSummary]
    interface: MarketplaceInterface | None = None
    path: str | None = None


class MarketplaceLoadErrorInfo(Wire):
    marketplace_path: str
    message: str


class PluginListParams(Wire):
    cwds: list[str] | None = None
    marketplace_kinds: list[PluginListMarketplaceKind] | None = None


class PluginListResponse(Wire):
    marketplaces: list[PluginMarketplaceEntry]
    marketplace_load_errors: list[MarketplaceLoadErrorInfo] = field(
        default_factory=list[MarketplaceLoadErrorInfo]
    )
    featured_plugin_ids: list[str] = field(default_factory=list[str])


class PluginReadParams(Wire):
    plugin_name: str
    marketplace_path: str | None = None
    remote_marketplace_name: str | None = None


class SkillSummary(Wire):
    description: str
    enabled: bool
    name: str
    interface: SkillInterface | None = None
    path: str | None = None
    short_description: str | None = None


class PluginHookSummary(Wire):
    event_name: HookEventName
    key: str


class AppSummary(Wire):
    id: str
    name: str
    needs_auth: bool
    description: str | None = None
    install_url: str | None = None


class PluginDetail(Wire):
    apps: list[AppSummary]
    hooks: list[PluginHookSummary]
    marketplace_name: str
    mcp_servers: list[str]
    skills: list[SkillSummary]
    summary: PluginSummary
    description: str | None = None
    marketplace_path: str | None = None


class PluginReadResponse(Wire):
    plugin: PluginDetail


class PluginInstallParams(Wire):
    plugin_name: str
    marketplace_path: str | None = None
    remote_marketplace_name: str | None = None


class PluginInstallResponse(Wire):
    apps_needing_auth: list[AppSummary]
    auth_policy: PluginAuthPolicy


class PluginUninstallParams(Wire):
    plugin_id: str


class PluginUninstallResponse(Wire):
    """It is gone, or was not there."""


class PluginSkillReadParams(Wire):
    remote_marketplace_name: str
    remote_plugin_id: str
    skill_name: str


class PluginSkillReadResponse(Wire):
    contents: str | None = None


class PluginShareTarget(Wire):
    principal_id: str
    principal_type: PluginSharePrincipalType


class PluginShareSaveParams(Wire):
    plugin_path: str
    discoverability: PluginShareDiscoverability | None = None
    remote_plugin_id: str | None = None
    share_targets: list[PluginShareTarget] | None = None


class PluginShareSaveResponse(Wire):
    remote_plugin_id: str
    share_url: str


class PluginShareUpdateTargetsParams(Wire):
    discoverability: PluginShareUpdateDiscoverability
    remote_plugin_id: str
    share_targets: list[PluginShareTarget]


class PluginShareUpdateTargetsResponse(Wire):
    discoverability: PluginShareDiscoverability
    principals: list[PluginSharePrincipal]


class PluginShareListParams(Wire):
    """Nothing to say."""


class PluginShareListItem(Wire):
    plugin: PluginSummary
    share_url: str
    local_plugin_path: str | None = None


class PluginShareListResponse(Wire):
    data: list[PluginShareListItem]


class PluginShareDeleteParams(Wire):
    remote_plugin_id: str


class PluginShareDeleteResponse(Wire):
    """It is shared no more."""
