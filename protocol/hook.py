from typing import Literal

from msgspec import UNSET, UnsetType

from protocol.wire import Wire


class HooksListParams(Wire):
    cwds: list[str] | UnsetType = UNSET


class HookErrorInfo(Wire):
    message: str
    path: str


HookEventName = Literal[
    "preToolUse",
    "permissionRequest",
    "postToolUse",
    "preCompact",
    "postCompact",
    "sessionStart",
    "userPromptSubmit",
    "stop",
]


HookHandlerType = Literal["command", "prompt", "agent"]


HookSource = Literal[
    "system",
    "user",
    "project",
    "mdm",
    "sessionFlags",
    "plugin",
    "cloudRequirements",
    "legacyManagedConfigFile",
    "legacyManagedConfigMdm",
    "unknown",
]


HookTrustStatus = Literal["managed", "untrusted", "trusted", "modified"]


class HookMetadata(Wire):
    current_hash: str
    display_order: int
    enabled: bool
    event_name: HookEventName
    handler_type: HookHandlerType
    is_managed: bool
    key: str
    source: HookSource
    source_path: str
    timeout_sec: int
    trust_status: HookTrustStatus
    command: str | None = None
    matcher: str | None = None
    plugin_id: str | None = None
    status_message: str | None = None


class HooksListEntry(Wire):
    cwd: str
    errors: list[HookErrorInfo]
    hooks: list[HookMetadata]
    warnings: list[str]


class HooksListResponse(Wire):
    data: list[HooksListEntry]


HookExecutionMode = Literal["sync", "async"]
HookScope = Literal["thread", "turn"]
HookRunStatus = Literal["running", "completed", "failed", "blocked", "stopped"]
HookOutputEntryKind = Literal["warning", "stop", "feedback", "context", "error"]


class HookOutputEntry(Wire):
    kind: HookOutputEntryKind
    text: str


class HookRunSummary(Wire):
    """One run of a hook.  Times are in Unix seconds; `durationMs` is null while it runs."""

    id: str
    event_name: HookEventName
    handler_type: HookHandlerType
    execution_mode: HookExecutionMode
    scope: HookScope
    source_path: str
    display_order: int
    status: HookRunStatus
    started_at: int
    entries: list[HookOutputEntry]
    source: HookSource = "unknown"
    status_message: str | None = None
    completed_at: int | None = None
    duration_ms: int | None = None


class HookStartedNotification(Wire):
    thread_id: str
    run: HookRunSummary
    turn_id: str | None = None


class HookCompletedNotification(Wire):
    thread_id: str
    run: HookRunSummary
    turn_id: str | None = None
