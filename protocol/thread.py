from typing import Any, Literal

from msgspec import UNSET, UnsetType, field

from protocol.turn import Turn, TurnItemsView
from protocol.wire import U32, OneKey, Wire


class GitInfo(Wire):
    branch: str | None = None
    origin_url: str | None = None
    sha: str | None = None


AgentPath = str


class ThreadSpawn(Wire):
    depth: int
    parent_thread_id: str = field(name="parent_thread_id")
    agent_nickname: str | None = field(default=None, name="agent_nickname")
    agent_path: AgentPath | None = field(default=None, name="agent_path")
    agent_role: str | None = field(default=None, name="agent_role")


class SpawnedSource(OneKey):
    thread_spawn: ThreadSpawn | UnsetType = field(default=UNSET, name="thread_spawn")
    other: str | UnsetType = UNSET


SubAgentSource = Literal["review", "compact", "memory_consolidation"] | SpawnedSource


class NamedSource(OneKey):
    custom: str | UnsetType = UNSET
    sub_agent: SubAgentSource | UnsetType = UNSET


SessionSource = Literal["cli", "vscode", "exec", "appServer", "unknown"] | NamedSource


class NotLoadedStatus(Wire, tag_field="type", tag="notLoaded"):
    """No further fields."""


class IdleStatus(Wire, tag_field="type", tag="idle"):
    """No further fields."""


class SystemErrorStatus(Wire, tag_field="type", tag="systemError"):
    """No further fields."""


ThreadActiveFlag = Literal["waitingOnApproval", "waitingOnUserInput"]


class ActiveStatus(Wire, tag_field="type", tag="active"):
    active_flags: list[ThreadActiveFlag]


ThreadStatus = NotLoadedStatus | IdleStatus | SystemErrorStatus | ActiveStatus


ThreadSource = Literal["user", "subagent", "memory_consolidation"]


class Thread(Wire):
    cli_version: str
    created_at: int
    cwd: str
    ephemeral: bool
    id: str
    model_provider: str
    preview: str
    session_id: str
    source: SessionSource
    status: ThreadStatus
    turns: list[Turn]
    updated_at: int
    agent_nickname: str | None = None
    agent_role: str | None = None
    forked_from_id: str | None = None
    git_info: GitInfo | None = None
    name: str | None = None
    path: str | None = None
    thread_source: ThreadSource | None = None


class DynamicToolSpec(Wire):
    description: str
    input_schema: Any
    name: str
    defer_loading: bool | UnsetType = UNSET
    namespace: str | None = None


ThreadStartSource = Literal["startup", "clear"]


class ThreadReadParams(Wire):
    thread_id: str
    include_turns: bool = False


class ThreadReadResponse(Wire):
    thread: Thread


ThreadListCwdFilter = str | list[str]


SortDirection = Literal["asc", "desc"]


ThreadSortKey = Literal["created_at", "updated_at"]


ThreadSourceKind = Literal[
    "cli",
    "vscode",
    "exec",
    "appServer",
    "subAgent",
    "subAgentReview",
    "subAgentCompact",
    "subAgentThreadSpawn",
    "subAgentOther",
    "unknown",
]


class ThreadListParams(Wire):
    archived: bool | None = None
    cursor: str | None = None
    cwd: ThreadListCwdFilter | None = None
    limit: U32 | None = None
    model_providers: list[str] | None = None
    search_term: str | None = None
    sort_direction: SortDirection | None = None
    sort_key: ThreadSortKey | None = None
    source_kinds: list[ThreadSourceKind] | None = None
    use_state_db_only: bool = False


class ThreadListResponse(Wire):
    data: list[Thread]
    backwards_cursor: str | None = None
    next_cursor: str | None = None


class ThreadLoadedListParams(Wire):
    cursor: str | None = None
    limit: U32 | None = None


class ThreadLoadedListResponse(Wire):
    data: list[str]
    next_cursor: str | None = None


class ThreadTurnsListParams(Wire):
    thread_id: str
    cursor: str | None = None
    items_view: TurnItemsView | None = None
    limit: U32 | None = None
    sort_direction: SortDirection | None = None


class ThreadTurnsListResponse(Wire):
    data: list[Turn]
    backwards_cursor: str | None = None
    next_cursor: str | None = None


class ThreadSetNameParams(Wire):
    name: str
    thread_id: str


class ThreadSetNameResponse(Wire):
    """No further fields."""


class ThreadUnsubscribeParams(Wire):
    thread_id: str


ThreadUnsubscribeStatus = Literal["notLoaded", "notSubscribed", "unsubscribed"]


class ThreadUnsubscribeResponse(Wire):
    status: ThreadUnsubscribeStatus


class ThreadArchiveParams(Wire):
    thread_id: str


class ThreadArchiveResponse(Wire):
    """No further fields."""


class ThreadUnarchiveParams(Wire):
    thread_id: str


class ThreadUnarchiveResponse(Wire):
    thread: Thread


class ThreadStartedNotification(Wire):
    thread: Thread


class ThreadStatusChangedNotification(Wire):
    status: ThreadStatus
    thread_id: str


class ThreadClosedNotification(Wire):
    thread_id: str


class ThreadArchivedNotification(Wire):
    thread_id: str


class ThreadUnarchivedNotification(Wire):
    thread_id: str


class ThreadNameUpdatedNotification(Wire):
    thread_id: str
    thread_name: str | None = None


class TokenUsageBreakdown(Wire):
    cached_input_tokens: int
    input_tokens: int
    output_tokens: int
    reasoning_output_tokens: int
    total_tokens: int


class ThreadTokenUsage(Wire):
    last: TokenUsageBreakdown
    total: TokenUsageBreakdown
    model_context_window: int | None = None


class ThreadTokenUsageUpdatedNotification(Wire):
    thread_id: str
    token_usage: ThreadTokenUsage
    turn_id: str


class WarningNotification(Wire):
    message: str
    thread_id: str | None = None
