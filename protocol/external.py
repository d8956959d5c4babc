"""What can be taken over from another coding agent that the user has worked with."""

from typing import Literal

from msgspec import field

from protocol.wire import Wire

ExternalAgentConfigMigrationItemType = Literal[
    "AGENTS_MD",
    "CONFIG",
    "SKILLS",
    "PLUGINS",
    "MCP_SERVER_CONFIG",
    "SUBAGENTS",
    "HOOKS",
    "COMMANDS",
    "SESSIONS",
]


class PluginsMigration(Wire):
    marketplace_name: str
    plugin_names: list[str]


class SessionMigration(Wire):
    path: str
    cwd: str
    title: str | None = None


class McpServerMigration(Wire):
    name: str


class HookMigration(Wire):
    name: str


class SubagentMigration(Wire):
    name: str


class CommandMigration(Wire):
    name: str


class MigrationDetails(Wire):
    plugins: list[PluginsMigration] = field(default_factory=list[PluginsMigration])
    sessions: list[SessionMigration] = field(default_factory=list[SessionMigration])
    mcp_servers: list[McpServerMigration] = field(default_factory=list[McpServerMigration])
    hooks: list[HookMigration] = field(default_factory=list[HookMigration])
    subagents: list[SubagentMigration] = field(default_factory=list[SubagentMigration])
    commands: list[CommandMigration] = field(default_factory=list[CommandMigration])


class ExternalAgentConfigMigrationItem(Wire):
    """One kind of thing of one place; `cwd` is a repository's root, null for the user's home."""

    item_type: ExternalAgentConfigMigrationItemType
    description: str
    cwd: str | None = None
    details: MigrationDetails | None = None


class ExternalAgentConfigDetectParams(Wire):
    cwds: list[str] | None = None
    include_home: bool = False


class ExternalAgentConfigDetectResponse(Wire):
    items: list[ExternalAgentConfigMigrationItem]


class ExternalAgentConfigImportParams(Wire):
    migration_items: list[ExternalAgentConfigMigrationItem]


class ExternalAgentConfigImportResponse(Wire):
    pass


class ExternalAgentConfigImportCompletedNotification(Wire):
    pass
