"""Notifications of the server to its clients."""

from protocol import (
    account,
    app,
    approval,
    command,
    config,
    external,
    fs,
    fuzzy,
    goal,
    guardian,
    hook,
    initialize,
    item,
    legacy,
    mcp,
    model,
    process,
    realtime,
    skill,
    thread,
    turn,
    windows,
)
from protocol.row import notify

REMOTE_CONTROL_STATUS_CHANGED = notify(
    "remoteControl/status/changed", initialize.RemoteControlStatusChangedNotification
)
CONFIG_WARNING = notify("configWarning", config.ConfigWarningNotification)
DEPRECATION_NOTICE = notify("deprecationNotice", config.DeprecationNoticeNotification)
ACCOUNT_LOGIN_COMPLETED = notify(
    "account/login/completed", account.AccountLoginCompletedNotification
)
ACCOUNT_UPDATED = notify("account/updated", account.AccountUpdatedNotification)
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
MCP_SERVER_STARTUP_STATUS_UPDATED = notify(
    "mcpServer/startupStatus/updated", mcp.McpServerStatusUpdatedNotification
)
MCP_OAUTH_LOGIN_COMPLETED = notify(
    "mcpServer/oauthLogin/completed", mcp.McpServerOauthLoginCompletedNotification
)
MCP_TOOL_CALL_PROGRESS = notify("item/mcpToolCall/progress", mcp.McpToolCallProgressNotification)
SKILLS_CHANGED = notify("skills/changed", skill.SkillsChangedNotification)
WINDOWS_SANDBOX_SETUP_COMPLETED = notify(
    "windowsSandbox/setupCompleted", windows.WindowsSandboxSetupCompletedNotification
)
WINDOWS_WORLD_WRITABLE_WARNING = notify(
    "windows/worldWritableWarning", windows.WindowsWorldWritableWarningNotification
)
THREAD_COMPACTED = notify("thread/compacted", legacy.ContextCompactedNotification)
FILE_CHANGE_OUTPUT_DELTA = notify(
    "item/fileChange/outputDelta", legacy.FileChangeOutputDeltaNotification
)
APP_LIST_UPDATED = notify("app/list/updated", app.AppListUpdatedNotification)
GUARDIAN_WARNING = notify("guardianWarning", guardian.GuardianWarningNotification)
EXTERNAL_AGENT_CONFIG_IMPORT_COMPLETED = notify(
    "externalAgentConfig/import/completed", external.ExternalAgentConfigImportCompletedNotification
)
THREAD_REALTIME_STARTED = notify(
    "thread/realtime/started", realtime.ThreadRealtimeStartedNotification
)
THREAD_REALTIME_ITEM_ADDED = notify(
    "thread/realtime/itemAdded", realtime.ThreadRealtimeItemAddedNotification
)
THREAD_REALTIME_TRANSCRIPT_DELTA = notify(
    "thread/realtime/transcript/delta", realtime.ThreadRealtimeTranscriptDeltaNotification
)
THREAD_REALTIME_TRANSCRIPT_DONE = notify(
    "thread/realtime/transcript/done", realtime.ThreadRealtimeTranscriptDoneNotification
)
THREAD_REALTIME_OUTPUT_AUDIO_DELTA = notify(
    "thread/realtime/outputAudio/delta", realtime.ThreadRealtimeOutputAudioDeltaNotification
)
THREAD_REALTIME_SDP = notify("thread/realtime/sdp", realtime.ThreadRealtimeSdpNotification)
THREAD_REALTIME_ERROR = notify("thread/realtime/error", realtime.ThreadRealtimeErrorNotification)
THREAD_REALTIME_CLOSED = notify("thread/realtime/closed", realtime.ThreadRealtimeClosedNotification)
HOOK_STARTED = notify("hook/started", hook.HookStartedNotification)
HOOK_COMPLETED = notify("hook/completed", hook.HookCompletedNotification)

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
