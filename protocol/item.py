from typing import Any, Literal

from msgspec import UNSET, UnsetType, field

from protocol.model import ReasoningEffort
from protocol.wire import Wire


class ByteRange(Wire):
    end: int
    start: int


class TextElement(Wire):
    byte_range: ByteRange
    placeholder: str | None = None


class TextInput(Wire, tag_field="type", tag="text"):
    text: str
    text_elements: list[TextElement] = field(
        default_factory=list[TextElement], name="text_elements"
    )


class ImageInput(Wire, tag_field="type", tag="image"):
    url: str


class LocalImageInput(Wire, tag_field="type", tag="localImage"):
    path: str


class SkillInput(Wire, tag_field="type", tag="skill"):
    name: str
    path: str


class MentionInput(Wire, tag_field="type", tag="mention"):
    name: str
    path: str


UserInput = TextInput | ImageInput | LocalImageInput | SkillInput | MentionInput


class UserMessage(Wire, tag_field="type", tag="userMessage"):
    content: list[UserInput]
    id: str


class HookPromptFragment(Wire):
    hook_run_id: str
    text: str


class HookPrompt(Wire, tag_field="type", tag="hookPrompt"):
    fragments: list[HookPromptFragment]
    id: str


class MemoryCitationEntry(Wire):
    line_end: int
    line_start: int
    note: str
    path: str


class MemoryCitation(Wire):
    entries: list[MemoryCitationEntry]
    thread_ids: list[str]


MessagePhase = Literal["commentary", "final_answer"]


class AgentMessage(Wire, tag_field="type", tag="agentMessage"):
    id: str
    text: str
    memory_citation: MemoryCitation | None = None
    phase: MessagePhase | None = None


class Plan(Wire, tag_field="type", tag="plan"):
    id: str
    text: str


class Reasoning(Wire, tag_field="type", tag="reasoning"):
    id: str
    content: list[str] = field(default_factory=list[str])
    summary: list[str] = field(default_factory=list[str])


class ReadAction(Wire, tag_field="type", tag="read"):
    command: str
    name: str
    path: str


class ListFilesAction(Wire, tag_field="type", tag="listFiles"):
    command: str
    path: str | None = None


class SearchAction(Wire, tag_field="type", tag="search"):
    command: str
    path: str | None = None
    query: str | None = None


class UnknownAction(Wire, tag_field="type", tag="unknown"):
    command: str


CommandAction = ReadAction | ListFilesAction | SearchAction | UnknownAction


CommandExecutionSource = Literal[
    "agent", "userShell", "unifiedExecStartup", "unifiedExecInteraction"
]


CommandExecutionStatus = Literal["inProgress", "completed", "failed", "declined"]


class CommandExecution(Wire, tag_field="type", tag="commandExecution"):
    command: str
    command_actions: list[CommandAction]
    cwd: str
    id: str
    status: CommandExecutionStatus
    aggregated_output: str | None = None
    duration_ms: int | None = None
    exit_code: int | None = None
    process_id: str | None = None
    source: CommandExecutionSource = "agent"


class AddChange(Wire, tag_field="type", tag="add"):
    """No further fields."""


class DeleteChange(Wire, tag_field="type", tag="delete"):
    """No further fields."""


class UpdateChange(Wire, tag_field="type", tag="update"):
    move_path: str | None = field(default=None, name="move_path")


PatchChangeKind = AddChange | DeleteChange | UpdateChange


class FileUpdateChange(Wire):
    diff: str
    kind: PatchChangeKind
    path: str


PatchApplyStatus = Literal["inProgress", "completed", "failed", "declined"]


class FileChange(Wire, tag_field="type", tag="fileChange"):
    changes: list[FileUpdateChange]
    id: str
    status: PatchApplyStatus


class McpToolCallError(Wire):
    message: str


class McpToolCallResult(Wire):
    content: list[Any]
    _meta: Any = None
    structured_content: Any = None


McpToolCallStatus = Literal["inProgress", "completed", "failed"]


class McpToolCall(Wire, tag_field="type", tag="mcpToolCall"):
    arguments: Any
    id: str
    server: str
    status: McpToolCallStatus
    tool: str
    duration_ms: int | None = None
    error: McpToolCallError | None = None
    mcp_app_resource_uri: str | UnsetType | None = UNSET
    result: McpToolCallResult | None = None


class InputTextContent(Wire, tag_field="type", tag="inputText"):
    text: str


class InputImageContent(Wire, tag_field="type", tag="inputImage"):
    image_url: str


DynamicToolContent = InputTextContent | InputImageContent


DynamicToolCallStatus = Literal["inProgress", "completed", "failed"]


class DynamicToolCall(Wire, tag_field="type", tag="dynamicToolCall"):
    arguments: Any
    id: str
    status: DynamicToolCallStatus
    tool: str
    content_items: list[DynamicToolContent] | None = None
    duration_ms: int | None = None
    namespace: str | None = None
    success: bool | None = None


CollabAgentStatus = Literal[
    "pendingInit", "running", "interrupted", "completed", "errored", "shutdown", "notFound"
]


class CollabAgentState(Wire):
    status: CollabAgentStatus
    message: str | None = None


CollabAgentToolCallStatus = Literal["inProgress", "completed", "failed"]


CollabAgentTool = Literal["spawnAgent", "sendInput", "resumeAgent", "wait", "closeAgent"]


class CollabAgentToolCall(Wire, tag_field="type", tag="collabAgentToolCall"):
    agents_states: dict[str, CollabAgentState]
    id: str
    receiver_thread_ids: list[str]
    sender_thread_id: str
    status: CollabAgentToolCallStatus
    tool: CollabAgentTool
    model: str | None = None
    prompt: str | None = None
    reasoning_effort: ReasoningEffort | None = None


class WebSearchQuery(Wire, tag_field="type", tag="search"):
    queries: list[str] | None = None
    query: str | None = None


class WebOpenPage(Wire, tag_field="type", tag="openPage"):
    url: str | None = None


class WebFindInPage(Wire, tag_field="type", tag="findInPage"):
    pattern: str | None = None
    url: str | None = None


class WebOther(Wire, tag_field="type", tag="other"):
    """No further fields."""


WebSearchAction = WebSearchQuery | WebOpenPage | WebFindInPage | WebOther


class WebSearch(Wire, tag_field="type", tag="webSearch"):
    id: str
    query: str
    action: WebSearchAction | None = None


class ImageView(Wire, tag_field="type", tag="imageView"):
    id: str
    path: str


class ImageGeneration(Wire, tag_field="type", tag="imageGeneration"):
    id: str
    result: str
    status: str
    revised_prompt: str | None = None
    saved_path: str | None = None


class EnteredReviewMode(Wire, tag_field="type", tag="enteredReviewMode"):
    id: str
    review: str


class ExitedReviewMode(Wire, tag_field="type", tag="exitedReviewMode"):
    id: str
    review: str


class ContextCompaction(Wire, tag_field="type", tag="contextCompaction"):
    id: str


ThreadItem = (
    UserMessage
    | HookPrompt
    | AgentMessage
    | Plan
    | Reasoning
    | CommandExecution
    | FileChange
    | McpToolCall
    | DynamicToolCall
    | CollabAgentToolCall
    | WebSearch
    | ImageView
    | ImageGeneration
    | EnteredReviewMode
    | ExitedReviewMode
    | ContextCompaction
)


class ItemStartedNotification(Wire):
    item: ThreadItem
    started_at_ms: int
    thread_id: str
    turn_id: str


class ItemCompletedNotification(Wire):
    completed_at_ms: int
    item: ThreadItem
    thread_id: str
    turn_id: str


class AgentMessageDeltaNotification(Wire):
    delta: str
    item_id: str
    thread_id: str
    turn_id: str


class PlanDeltaNotification(Wire):
    delta: str
    item_id: str
    thread_id: str
    turn_id: str


class ReasoningSummaryPartAddedNotification(Wire):
    item_id: str
    summary_index: int
    thread_id: str
    turn_id: str


class ReasoningSummaryTextDeltaNotification(Wire):
    delta: str
    item_id: str
    summary_index: int
    thread_id: str
    turn_id: str


class ReasoningTextDeltaNotification(Wire):
    content_index: int
    delta: str
    item_id: str
    thread_id: str
    turn_id: str


class CommandExecutionOutputDeltaNotification(Wire):
    delta: str
    item_id: str
    thread_id: str
    turn_id: str


class TerminalInteractionNotification(Wire):
    item_id: str
    process_id: str
    stdin: str
    thread_id: str
    turn_id: str


class FileChangePatchUpdatedNotification(Wire):
    changes: list[FileUpdateChange]
    item_id: str
    thread_id: str
    turn_id: str


class FileChangeOutputDeltaNotification(Wire):
    delta: str
    item_id: str
    thread_id: str
    turn_id: str
