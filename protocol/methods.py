"""The table: every request, every question to a client, every notification; one row each.

A row is a value that carries its params and result types, so handlers and the test client are
checked against it at both ends.  `by` says who serves a request: `here` is the supervisor,
`thread_id` the worker of the thread that this field names.  A method without a row is unknown.
Who looks a row up by its name imports the three dicts from here, where they are filled.
"""

from protocol import (
    account,
    approval,
    command,
    config,
    dynamic,
    fs,
    fuzzy,
    goal,
    guardian,
    hook,
    initialize,
    item,
    loading,
    maintenance,
    mcp,
    memory,
    model,
    permission,
    process,
    question,
    review,
    skill,
    thread,
    turn,
)
from protocol.row import NOTIFICATIONS as NOTIFICATIONS
from protocol.row import QUESTIONS as QUESTIONS
from protocol.row import REQUESTS as REQUESTS
from protocol.row import ask, notify, request
from protocol.wire import Nothing

# ---- requests: the handshake

INITIALIZE = request("initialize", initialize.InitializeParams, initialize.InitializeResponse)
MOCK_EXPERIMENTAL_METHOD = request(
    "mock/experimentalMethod",
    initialize.MockExperimentalMethodParams,
    initialize.MockExperimentalMethodResponse,
    experimental=True,
)

# ---- requests: threads

THREAD_START = request("thread/start", loading.ThreadStartParams, loading.ThreadStartResponse)
THREAD_RESUME = request("thread/resume", loading.ThreadResumeParams, loading.ThreadResumeResponse)
THREAD_FORK = request("thread/fork", loading.ThreadForkParams, loading.ThreadForkResponse)
THREAD_READ = request("thread/read", thread.ThreadReadParams, thread.ThreadReadResponse)
THREAD_LIST = request("thread/list", thread.ThreadListParams, thread.ThreadListResponse)
THREAD_LOADED_LIST = request(
    "thread/loaded/list", thread.ThreadLoadedListParams, thread.ThreadLoadedListResponse
)
THREAD_TURNS_LIST = request(
    "thread/turns/list",
    thread.ThreadTurnsListParams,
    thread.ThreadTurnsListResponse,
    experimental=True,
)
THREAD_NAME_SET = request(
    "thread/name/set", thread.ThreadSetNameParams, thread.ThreadSetNameResponse
)
THREAD_UNSUBSCRIBE = request(
    "thread/unsubscribe", thread.ThreadUnsubscribeParams, thread.ThreadUnsubscribeResponse
)
THREAD_ARCHIVE = request("thread/archive", thread.ThreadArchiveParams, thread.ThreadArchiveResponse)
THREAD_UNARCHIVE = request(
    "thread/unarchive", thread.ThreadUnarchiveParams, thread.ThreadUnarchiveResponse
)

# ---- requests: what is done to a thread besides talking to it

THREAD_COMPACT_START = request(
    "thread/compact/start",
    maintenance.ThreadCompactStartParams,
    maintenance.ThreadCompactStartResponse,
    by="thread_id",
)
THREAD_SHELL_COMMAND = request(
    "thread/shellCommand",
    maintenance.ThreadShellCommandParams,
    maintenance.ThreadShellCommandResponse,
    by="thread_id",
)
THREAD_INJECT_ITEMS = request(
    "thread/inject_items",
    maintenance.ThreadInjectItemsParams,
    maintenance.ThreadInjectItemsResponse,
    by="thread_id",
)
THREAD_APPROVE_GUARDIAN_DENIED_ACTION = request(
    "thread/approveGuardianDeniedAction",
    guardian.ThreadApproveGuardianDeniedActionParams,
    guardian.ThreadApproveGuardianDeniedActionResponse,
    by="thread_id",
)
THREAD_ROLLBACK = request(
    "thread/rollback",
    maintenance.ThreadRollbackParams,
    maintenance.ThreadRollbackResponse,
    by="thread_id",
)
THREAD_METADATA_UPDATE = request(
    "thread/metadata/update",
    maintenance.ThreadMetadataUpdateParams,
    maintenance.ThreadMetadataUpdateResponse,
)
THREAD_MEMORY_MODE_SET = request(
    "thread/memoryMode/set",
    maintenance.ThreadMemoryModeSetParams,
    maintenance.ThreadMemoryModeSetResponse,
    experimental=True,
)
THREAD_GOAL_SET = request(
    "thread/goal/set", goal.ThreadGoalSetParams, goal.ThreadGoalSetResponse, experimental=True
)
THREAD_GOAL_GET = request(
    "thread/goal/get", goal.ThreadGoalGetParams, goal.ThreadGoalGetResponse, experimental=True
)
THREAD_GOAL_CLEAR = request(
    "thread/goal/clear", goal.ThreadGoalClearParams, goal.ThreadGoalClearResponse, experimental=True
)
THREAD_INCREMENT_ELICITATION = request(
    "thread/increment_elicitation",
    maintenance.ThreadIncrementElicitationParams,
    maintenance.ThreadIncrementElicitationResponse,
    by="thread_id",
    experimental=True,
)
THREAD_DECREMENT_ELICITATION = request(
    "thread/decrement_elicitation",
    maintenance.ThreadDecrementElicitationParams,
    maintenance.ThreadDecrementElicitationResponse,
    by="thread_id",
    experimental=True,
)
THREAD_BACKGROUND_TERMINALS_CLEAN = request(
    "thread/backgroundTerminals/clean",
    maintenance.ThreadBackgroundTerminalsCleanParams,
    maintenance.ThreadBackgroundTerminalsCleanResponse,
    by="thread_id",
    experimental=True,
)
THREAD_TURNS_ITEMS_LIST = request(
    "thread/turns/items/list",
    maintenance.ThreadTurnsItemsListParams,
    maintenance.ThreadTurnsItemsListResponse,
    experimental=True,
)

# ---- requests: turns

TURN_START = request("turn/start", turn.TurnStartParams, turn.TurnStartResponse, by="thread_id")
TURN_STEER = request("turn/steer", turn.TurnSteerParams, turn.TurnSteerResponse, by="thread_id")
TURN_INTERRUPT = request(
    "turn/interrupt", turn.TurnInterruptParams, turn.TurnInterruptResponse, by="thread_id"
)
REVIEW_START = request("review/start", review.ReviewStartParams, review.ReviewStartResponse)

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
CONFIG_REQUIREMENTS_READ = request(
    "configRequirements/read", Nothing, config.ConfigRequirementsReadResponse
)
EXPERIMENTAL_FEATURE_LIST = request(
    "experimentalFeature/list",
    config.ExperimentalFeatureListParams,
    config.ExperimentalFeatureListResponse,
)
ACCOUNT_READ = request("account/read", account.GetAccountParams, account.GetAccountResponse)
ACCOUNT_RATE_LIMITS_READ = request(
    "account/rateLimits/read", Nothing, account.GetAccountRateLimitsResponse
)
MEMORY_RESET = request("memory/reset", Nothing, memory.MemoryResetResponse, experimental=True)
SKILLS_LIST = request("skills/list", skill.SkillsListParams, skill.SkillsListResponse)
HOOKS_LIST = request("hooks/list", hook.HooksListParams, hook.HooksListResponse)
MCP_SERVER_STATUS_LIST = request(
    "mcpServerStatus/list", mcp.ListMcpServerStatusParams, mcp.ListMcpServerStatusResponse
)

# ---- questions to the client

COMMAND_APPROVAL = ask(
    "item/commandExecution/requestApproval",
    approval.CommandExecutionRequestApprovalParams,
    approval.CommandExecutionRequestApprovalResponse,
)
FILE_CHANGE_APPROVAL = ask(
    "item/fileChange/requestApproval",
    approval.FileChangeRequestApprovalParams,
    approval.FileChangeRequestApprovalResponse,
)
PERMISSIONS_APPROVAL = ask(
    "item/permissions/requestApproval",
    permission.PermissionsRequestApprovalParams,
    permission.PermissionsRequestApprovalResponse,
)
USER_INPUT = ask(
    "item/tool/requestUserInput",
    question.ToolRequestUserInputParams,
    question.ToolRequestUserInputResponse,
    waiting="waitingOnUserInput",
)
DYNAMIC_TOOL_CALL = ask(
    "item/tool/call",
    dynamic.DynamicToolCallParams,
    dynamic.DynamicToolCallResponse,
    waiting=None,
)

# ---- notifications

REMOTE_CONTROL_STATUS_CHANGED = notify(
    "remoteControl/status/changed", initialize.RemoteControlStatusChangedNotification
)
CONFIG_WARNING = notify("configWarning", config.ConfigWarningNotification)
DEPRECATION_NOTICE = notify("deprecationNotice", config.DeprecationNoticeNotification)
ACCOUNT_RATE_LIMITS_UPDATED = notify(
    "account/rateLimits/updated", account.AccountRateLimitsUpdatedNotification
)
WARNING = notify("warning", thread.WarningNotification)
SERVER_REQUEST_RESOLVED = notify(
    "serverRequest/resolved", approval.ServerRequestResolvedNotification
)
ERROR = notify("error", turn.ErrorNotification)

THREAD_STARTED = notify("thread/started", thread.ThreadStartedNotification)
THREAD_STATUS_CHANGED = notify("thread/status/changed", thread.ThreadStatusChangedNotification)
THREAD_CLOSED = notify("thread/closed", thread.ThreadClosedNotification)
THREAD_ARCHIVED = notify("thread/archived", thread.ThreadArchivedNotification)
THREAD_UNARCHIVED = notify("thread/unarchived", thread.ThreadUnarchivedNotification)
THREAD_NAME_UPDATED = notify("thread/name/updated", thread.ThreadNameUpdatedNotification)
THREAD_GOAL_UPDATED = notify("thread/goal/updated", goal.ThreadGoalUpdatedNotification)
THREAD_GOAL_CLEARED = notify("thread/goal/cleared", goal.ThreadGoalClearedNotification)
THREAD_TOKEN_USAGE_UPDATED = notify(
    "thread/tokenUsage/updated", thread.ThreadTokenUsageUpdatedNotification
)

TURN_STARTED = notify("turn/started", turn.TurnStartedNotification)
TURN_COMPLETED = notify("turn/completed", turn.TurnCompletedNotification)
TURN_DIFF_UPDATED = notify("turn/diff/updated", turn.TurnDiffUpdatedNotification)
RAW_RESPONSE_ITEM_COMPLETED = notify(
    "rawResponseItem/completed", turn.RawResponseItemCompletedNotification
)
TURN_PLAN_UPDATED = notify("turn/plan/updated", turn.TurnPlanUpdatedNotification)

MODEL_REROUTED = notify("model/rerouted", model.ModelReroutedNotification)
MODEL_VERIFICATION = notify("model/verification", model.ModelVerificationNotification)

ITEM_STARTED = notify("item/started", item.ItemStartedNotification)
ITEM_COMPLETED = notify("item/completed", item.ItemCompletedNotification)
AGENT_MESSAGE_DELTA = notify("item/agentMessage/delta", item.AgentMessageDeltaNotification)
PLAN_DELTA = notify("item/plan/delta", item.PlanDeltaNotification)
REASONING_SUMMARY_PART_ADDED = notify(
    "item/reasoning/summaryPartAdded", item.ReasoningSummaryPartAddedNotification
)
REASONING_SUMMARY_TEXT_DELTA = notify(
    "item/reasoning/summaryTextDelta", item.ReasoningSummaryTextDeltaNotification
)
REASONING_TEXT_DELTA = notify("item/reasoning/textDelta", item.ReasoningTextDeltaNotification)
COMMAND_OUTPUT_DELTA = notify(
    "item/commandExecution/outputDelta", item.CommandExecutionOutputDeltaNotification
)
TERMINAL_INTERACTION = notify(
    "item/commandExecution/terminalInteraction", item.TerminalInteractionNotification
)
COMMAND_EXEC_OUTPUT_DELTA = notify(
    "command/exec/outputDelta", command.CommandExecOutputDeltaNotification
)
PROCESS_OUTPUT_DELTA = notify("process/outputDelta", process.ProcessOutputDeltaNotification)
PROCESS_EXITED = notify("process/exited", process.ProcessExitedNotification)
FS_CHANGED = notify("fs/changed", fs.FsChangedNotification)
FUZZY_FILE_SEARCH_SESSION_UPDATED = notify(
    "fuzzyFileSearch/sessionUpdated", fuzzy.FuzzyFileSearchSessionUpdatedNotification
)
FUZZY_FILE_SEARCH_SESSION_COMPLETED = notify(
    "fuzzyFileSearch/sessionCompleted", fuzzy.FuzzyFileSearchSessionCompletedNotification
)
FILE_CHANGE_PATCH_UPDATED = notify(
    "item/fileChange/patchUpdated", item.FileChangePatchUpdatedNotification
)
AUTO_APPROVAL_REVIEW_STARTED = notify(
    "item/autoApprovalReview/started", guardian.ItemGuardianApprovalReviewStartedNotification
)
AUTO_APPROVAL_REVIEW_COMPLETED = notify(
    "item/autoApprovalReview/completed", guardian.ItemGuardianApprovalReviewCompletedNotification
)
GUARDIAN_WARNING = notify("guardianWarning", guardian.GuardianWarningNotification)

# Told to every client, subscribed or not (observed); everything else goes to subscribers.
BROADCAST = frozenset(
    row.name
    for row in (
        THREAD_STARTED,
        THREAD_STATUS_CHANGED,
        THREAD_CLOSED,
        THREAD_ARCHIVED,
        THREAD_UNARCHIVED,
        THREAD_NAME_UPDATED,
    )
)
