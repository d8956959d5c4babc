"""Requests about the host around the threads: commands, files, configuration, accounts."""

from typing import Any, cast

from protocol import (
    account,
    app,
    command,
    config,
    external,
    feedback,
    fs,
    fuzzy,
    hook,
    marketplace,
    mcp,
    memory,
    model,
    plugin,
    process,
    skill,
    windows,
)
from protocol.row import Method, request
from protocol.wire import Nothing

# ---- requests: commands and processes of a client's own; a command worker answers

COMMAND_EXEC = request("command/exec", command.CommandExecParams, command.CommandExecResponse)
COMMAND_EXEC_WRITE = request(
    "command/exec/write", command.CommandExecWriteParams, command.CommandExecWriteResponse
)
COMMAND_EXEC_RESIZE = request(
    "command/exec/resize", command.CommandExecResizeParams, command.CommandExecResizeResponse
)
COMMAND_EXEC_TERMINATE = request(
    "command/exec/terminate",
    command.CommandExecTerminateParams,
    command.CommandExecTerminateResponse,
)
PROCESS_SPAWN = request(
    "process/spawn", process.ProcessSpawnParams, process.ProcessSpawnResponse, experimental=True
)
PROCESS_WRITE_STDIN = request(
    "process/writeStdin",
    process.ProcessWriteStdinParams,
    process.ProcessWriteStdinResponse,
    experimental=True,
)
PROCESS_RESIZE_PTY = request(
    "process/resizePty",
    process.ProcessResizePtyParams,
    process.ProcessResizePtyResponse,
    experimental=True,
)
PROCESS_KILL = request(
    "process/kill", process.ProcessKillParams, process.ProcessKillResponse, experimental=True
)

# ---- requests: files, without a sandbox

FS_READ_FILE = request("fs/readFile", fs.FsReadFileParams, fs.FsReadFileResponse)
FS_WRITE_FILE = request("fs/writeFile", fs.FsWriteFileParams, fs.FsWriteFileResponse)
FS_CREATE_DIRECTORY = request(
    "fs/createDirectory", fs.FsCreateDirectoryParams, fs.FsCreateDirectoryResponse
)
FS_GET_METADATA = request("fs/getMetadata", fs.FsGetMetadataParams, fs.FsGetMetadataResponse)
FS_READ_DIRECTORY = request(
    "fs/readDirectory", fs.FsReadDirectoryParams, fs.FsReadDirectoryResponse
)
FS_REMOVE = request("fs/remove", fs.FsRemoveParams, fs.FsRemoveResponse)
FS_COPY = request("fs/copy", fs.FsCopyParams, fs.FsCopyResponse)
FS_WATCH = request("fs/watch", fs.FsWatchParams, fs.FsWatchResponse)
FS_UNWATCH = request("fs/unwatch", fs.FsUnwatchParams, fs.FsUnwatchResponse)
FUZZY_FILE_SEARCH = request(
    "fuzzyFileSearch", fuzzy.FuzzyFileSearchParams, fuzzy.FuzzyFileSearchResponse
)
FUZZY_FILE_SEARCH_SESSION_START = request(
    "fuzzyFileSearch/sessionStart",
    fuzzy.FuzzyFileSearchSessionStartParams,
    fuzzy.FuzzyFileSearchSessionStartResponse,
    experimental=True,
)
FUZZY_FILE_SEARCH_SESSION_UPDATE = request(
    "fuzzyFileSearch/sessionUpdate",
    fuzzy.FuzzyFileSearchSessionUpdateParams,
    fuzzy.FuzzyFileSearchSessionUpdateResponse,
    experimental=True,
)
FUZZY_FILE_SEARCH_SESSION_STOP = request(
    "fuzzyFileSearch/sessionStop",
    fuzzy.FuzzyFileSearchSessionStopParams,
    fuzzy.FuzzyFileSearchSessionStopResponse,
    experimental=True,
)

# ---- requests: what clients ask on their way

MODEL_LIST = request("model/list", model.ModelListParams, model.ModelListResponse)
MODEL_PROVIDER_CAPABILITIES_READ = request(
    "modelProvider/capabilities/read",
    model.ModelProviderCapabilitiesReadParams,
    model.ModelProviderCapabilitiesReadResponse,
)
COLLABORATION_MODE_LIST = request(
    "collaborationMode/list",
    model.CollaborationModeListParams,
    model.CollaborationModeListResponse,
    experimental=True,
)
CONFIG_READ = request("config/read", config.ConfigReadParams, config.ConfigReadResponse)
CONFIG_VALUE_WRITE = request(
    "config/value/write", config.ConfigValueWriteParams, config.ConfigWriteResponse
)
CONFIG_BATCH_WRITE = request(
    "config/batchWrite", config.ConfigBatchWriteParams, config.ConfigWriteResponse
)
CONFIG_REQUIREMENTS_READ = request(
    "configRequirements/read", Nothing, config.ConfigRequirementsReadResponse
)
EXPERIMENTAL_FEATURE_LIST = request(
    "experimentalFeature/list",
    config.ExperimentalFeatureListParams,
    config.ExperimentalFeatureListResponse,
)
EXPERIMENTAL_FEATURE_ENABLEMENT_SET = request(
    "experimentalFeature/enablement/set",
    config.ExperimentalFeatureEnablementSetParams,
    config.ExperimentalFeatureEnablementSetResponse,
)
ACCOUNT_READ = request("account/read", account.GetAccountParams, account.GetAccountResponse)
ACCOUNT_LOGIN_START: Method[Any, Any] = request(
    "account/login/start",
    cast("Any", account.LoginAccountParams),
    cast("Any", account.LoginAccountResponse),
    called=("LoginAccountParams", "LoginAccountResponse"),
)
ACCOUNT_LOGIN_CANCEL = request(
    "account/login/cancel", account.CancelLoginAccountParams, account.CancelLoginAccountResponse
)
ACCOUNT_LOGOUT = request("account/logout", Nothing, account.LogoutAccountResponse)
GET_AUTH_STATUS = request(
    "getAuthStatus", account.GetAuthStatusParams, account.GetAuthStatusResponse
)
ACCOUNT_SEND_ADD_CREDITS_NUDGE_EMAIL = request(
    "account/sendAddCreditsNudgeEmail",
    account.SendAddCreditsNudgeEmailParams,
    account.SendAddCreditsNudgeEmailResponse,
)
ACCOUNT_RATE_LIMITS_READ = request(
    "account/rateLimits/read", Nothing, account.GetAccountRateLimitsResponse
)
MEMORY_RESET = request("memory/reset", Nothing, memory.MemoryResetResponse, experimental=True)
SKILLS_LIST = request("skills/list", skill.SkillsListParams, skill.SkillsListResponse)
SKILLS_CONFIG_WRITE = request(
    "skills/config/write", skill.SkillsConfigWriteParams, skill.SkillsConfigWriteResponse
)
WINDOWS_SANDBOX_READINESS = request(
    "windowsSandbox/readiness", Nothing, windows.WindowsSandboxReadinessResponse
)
WINDOWS_SANDBOX_SETUP_START = request(
    "windowsSandbox/setupStart",
    windows.WindowsSandboxSetupStartParams,
    windows.WindowsSandboxSetupStartResponse,
)

EXTERNAL_AGENT_CONFIG_DETECT = request(
    "externalAgentConfig/detect",
    external.ExternalAgentConfigDetectParams,
    external.ExternalAgentConfigDetectResponse,
)
EXTERNAL_AGENT_CONFIG_IMPORT = request(
    "externalAgentConfig/import",
    external.ExternalAgentConfigImportParams,
    external.ExternalAgentConfigImportResponse,
)
FEEDBACK_UPLOAD = request(
    "feedback/upload", feedback.FeedbackUploadParams, feedback.FeedbackUploadResponse
)

# ---- requests: plugins and apps

MARKETPLACE_ADD = request(
    "marketplace/add", marketplace.MarketplaceAddParams, marketplace.MarketplaceAddResponse
)
MARKETPLACE_REMOVE = request(
    "marketplace/remove",
    marketplace.MarketplaceRemoveParams,
    marketplace.MarketplaceRemoveResponse,
)
MARKETPLACE_UPGRADE = request(
    "marketplace/upgrade",
    marketplace.MarketplaceUpgradeParams,
    marketplace.MarketplaceUpgradeResponse,
)
PLUGIN_LIST = request("plugin/list", plugin.PluginListParams, plugin.PluginListResponse)
PLUGIN_READ = request("plugin/read", plugin.PluginReadParams, plugin.PluginReadResponse)
PLUGIN_INSTALL = request("plugin/install", plugin.PluginInstallParams, plugin.PluginInstallResponse)
PLUGIN_UNINSTALL = request(
    "plugin/uninstall", plugin.PluginUninstallParams, plugin.PluginUninstallResponse
)
PLUGIN_SKILL_READ = request(
    "plugin/skill/read", plugin.PluginSkillReadParams, plugin.PluginSkillReadResponse
)
PLUGIN_SHARE_SAVE = request(
    "plugin/share/save", plugin.PluginShareSaveParams, plugin.PluginShareSaveResponse
)
PLUGIN_SHARE_LIST = request(
    "plugin/share/list", plugin.PluginShareListParams, plugin.PluginShareListResponse
)
PLUGIN_SHARE_UPDATE_TARGETS = request(
    "plugin/share/updateTargets",
    plugin.PluginShareUpdateTargetsParams,
    plugin.PluginShareUpdateTargetsResponse,
)
PLUGIN_SHARE_DELETE = request(
    "plugin/share/delete", plugin.PluginShareDeleteParams, plugin.PluginShareDeleteResponse
)
APP_LIST = request("app/list", app.AppsListParams, app.AppsListResponse)

HOOKS_LIST = request("hooks/list", hook.HooksListParams, hook.HooksListResponse)

# ---- requests: MCP servers

MCP_SERVER_STATUS_LIST = request(
    "mcpServerStatus/list", mcp.ListMcpServerStatusParams, mcp.ListMcpServerStatusResponse
)
MCP_SERVER_RELOAD = request("config/mcpServer/reload", Nothing, mcp.McpServerRefreshResponse)
MCP_OAUTH_LOGIN = request(
    "mcpServer/oauth/login", mcp.McpServerOauthLoginParams, mcp.McpServerOauthLoginResponse
)
MCP_RESOURCE_READ = request(
    "mcpServer/resource/read", mcp.McpResourceReadParams, mcp.McpResourceReadResponse
)
MCP_TOOL_CALL = request(
    "mcpServer/tool/call",
    mcp.McpServerToolCallParams,
    mcp.McpServerToolCallResponse,
    by="thread_id",
)
