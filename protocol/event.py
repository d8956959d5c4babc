"""What a client was shown, as `event_msg` lines of a rollout keep it.

Only what the stored view of a thread is made from stands here; other events are passed over by
readers.  Keys and their order are the reference server's.
"""

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, field

from protocol.item import (
    AddChange,
    ByteRange,
    DeleteChange,
    FileChange,
    FileUpdateChange,
    ImageInput,
    LocalImageInput,
    McpToolCall,
    McpToolCallError,
    McpToolCallResult,
    MemoryCitation,
    TextElement,
    TextInput,
    UpdateChange,
    UserInput,
    WebFindInPage,
    WebOpenPage,
    WebOther,
    WebSearch,
    WebSearchAction,
    WebSearchQuery,
)


class TaskStarted(Struct, tag_field="type", tag="task_started"):
    """A turn begins.  `started_at` is in Unix seconds."""

    turn_id: str
    started_at: int | None = None
    model_context_window: int | None = None
    collaboration_mode_kind: str = "default"


class ByteSpan(Struct):
    start: int
    end: int


class Element(Struct):
    byte_range: ByteSpan
    placeholder: str | None = None


class UserSaid(Struct, tag_field="type", tag="user_message"):
    """`message` joins the texts of one input; images are URLs, local images paths."""

    message: str = ""
    images: list[str] | None = field(default_factory=list[str])
    local_images: list[str] = field(default_factory=list[str])
    text_elements: list[Element] = field(default_factory=list[Element])


class AgentSaid(Struct, tag_field="type", tag="agent_message"):
    message: str
    phase: Literal["commentary", "final_answer"] | None = None
    memory_citation: MemoryCitation | None = None


class AgentReasoned(Struct, tag_field="type", tag="agent_reasoning"):
    """One part of a summary."""

    text: str


class AgentReasonedRaw(Struct, tag_field="type", tag="agent_reasoning_raw_content"):
    text: str


class Tokens(Struct):
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_output_tokens: int = 0
    total_tokens: int = 0


class TokenInfo(Struct):
    total_token_usage: Tokens
    last_token_usage: Tokens
    model_context_window: int | None = None


class RateLimits(Struct):
    limit_id: str | None = "codex"
    limit_name: str | None = None
    primary: Any = None
    secondary: Any = None
    credits: Any = None
    plan_type: str | None = None
    rate_limit_reached_type: str | None = None


class TokenCount(Struct, tag_field="type", tag="token_count"):
    info: TokenInfo | None = None
    rate_limits: RateLimits | None = None


class PatchApplied(Struct, tag_field="type", tag="patch_apply_end"):
    """`changes` maps a path to `{type: add|delete, content}` or `{type: update, unified_diff}`."""

    call_id: str
    turn_id: str = ""
    stdout: str = ""
    stderr: str = ""
    success: bool = True
    changes: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    status: Literal["completed", "failed", "declined"] = "completed"


class Invocation(Struct):
    server: str
    tool: str
    arguments: Any = None


class Duration(Struct):
    secs: int = 0
    nanos: int = 0


class McpCalled(Struct, tag_field="type", tag="mcp_tool_call_end"):
    """`result` is `{"Ok": {content, structuredContent?, isError?}}` or `{"Err": text}`."""

    call_id: str
    invocation: Invocation
    duration: Duration = field(default_factory=Duration)
    result: dict[str, Any] = field(default_factory=dict[str, Any])
    mcp_app_resource_uri: str | UnsetType | None = UNSET


class WebSearched(Struct, tag_field="type", tag="web_search_end"):
    """`action` is the provider's own JSON."""

    call_id: str
    query: str = ""
    action: Any = None


class ItemCompleted(Struct, tag_field="type", tag="item_completed"):
    """A plan, `item` being `{type: "Plan", id, text}`, or an item as the client was shown it.

    The latter is Atrio's own, for items that the reference server forgets; it passes over the line.
    """

    thread_id: str
    turn_id: str
    item: dict[str, Any]
    completed_at_ms: int | None = None


class ReviewEntered(Struct, tag_field="type", tag="entered_review_mode"):
    target: Any = None
    user_facing_hint: str | None = None


class ReviewOutput(Struct):
    """Findings have `title`, `body`, `confidence_score`, `priority` and `code_location`."""

    findings: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    overall_correctness: str = ""
    overall_explanation: str = ""
    overall_confidence_score: float = 0.0


class ReviewExited(Struct, tag_field="type", tag="exited_review_mode"):
    """`review_output` is null when the reviewer has not said anything."""

    review_output: ReviewOutput | None = None


class ContextCompacted(Struct, tag_field="type", tag="context_compacted"):
    """No further fields."""


class RolledBack(Struct, tag_field="type", tag="thread_rolled_back"):
    num_turns: int


class StoredError(Struct):
    """What a client was told of a failed turn; `codex_error_info` in the wire's spelling."""

    message: str
    codex_error_info: Any = None
    additional_details: str | None = None


class TaskComplete(Struct, tag_field="type", tag="task_complete"):
    """A turn ends.  `completed_at` is in Unix seconds.

    `error` is Atrio's own: the reference server's file does not say that a turn has failed.
    """

    turn_id: str | None = None
    last_agent_message: str | None = None
    completed_at: int | None = None
    duration_ms: int | None = None
    time_to_first_token_ms: int | UnsetType | None = UNSET
    error: StoredError | UnsetType = UNSET


class TurnAborted(Struct, tag_field="type", tag="turn_aborted"):
    turn_id: str | None = None
    reason: str = "interrupted"
    completed_at: int | None = None
    duration_ms: int | None = None


Event = (
    TaskStarted
    | UserSaid
    | AgentSaid
    | AgentReasoned
    | AgentReasonedRaw
    | PatchApplied
    | McpCalled
    | WebSearched
    | ItemCompleted
    | ReviewEntered
    | ReviewExited
    | ContextCompacted
    | RolledBack
    | TaskComplete
    | TurnAborted
)
"""The events that a stored turn is made of; `TokenCount` is not among them."""


# ---- events as the items that a client sees


def inputs(said: UserSaid) -> list[UserInput]:
    """What the user gave, the texts as one."""
    parts: list[UserInput] = []
    if said.message:
        elements = [
            TextElement(ByteRange(e.byte_range.end, e.byte_range.start), e.placeholder)
            for e in said.text_elements
        ]
        parts.append(TextInput(said.message, elements))
    parts += [ImageInput(url) for url in said.images or ()]
    parts += [LocalImageInput(path) for path in said.local_images]
    return parts


def file_change(applied: PatchApplied) -> FileChange:
    changes = [_change(path, applied.changes[path]) for path in sorted(applied.changes)]
    return FileChange(changes, applied.call_id, applied.status)


def _change(path: str, change: dict[str, Any]) -> FileUpdateChange:
    match change:
        case {"type": "add", "content": str(content)}:
            return FileUpdateChange(content, AddChange(), path)
        case {"type": "delete", "content": str(content)}:
            return FileUpdateChange(content, DeleteChange(), path)
        case _:
            diff, target = str(change.get("unified_diff", "")), change.get("move_path")
            moved = f"{diff}\n\nMoved to: {target}" if target else diff
            return FileUpdateChange(moved, UpdateChange(target), path)


def mcp_call(called: McpCalled) -> McpToolCall:
    shown = McpToolCall(
        called.invocation.arguments,
        called.call_id,
        called.invocation.server,
        "completed",
        called.invocation.tool,
        duration_ms=called.duration.secs * 1000 + called.duration.nanos // 1_000_000,
        mcp_app_resource_uri=called.mcp_app_resource_uri or UNSET,
    )
    match called.result:
        case {"Ok": {"content": content, **rest}}:
            structured, meta = rest.get("structuredContent"), rest.get("_meta")
            shown.result = McpToolCallResult(content, meta, structured)
            shown.status = "failed" if rest.get("isError") else "completed"
        case _:
            shown.error = McpToolCallError(str(called.result.get("Err", "the call went wrong")))
            shown.status = "failed"
    return shown


def web_search(searched: WebSearched) -> WebSearch:
    return WebSearch(searched.call_id, searched.query, web_action(searched.action))


def web_action(action: Any) -> WebSearchAction:
    """The protocol's form of the provider's JSON for what a web search did."""
    match action:
        case {"type": "search", **rest}:
            return WebSearchQuery(rest.get("queries"), rest.get("query"))
        case {"type": "open_page", **rest}:
            return WebOpenPage(rest.get("url"))
        case {"type": "find_in_page", **rest}:
            return WebFindInPage(rest.get("pattern"), rest.get("url"))
        case _:
            return WebOther()


NO_REVIEW = "Reviewer failed to output a response."


def review_text(output: ReviewOutput | None) -> str:
    """A review as one text: its explanation, then each finding with its place."""
    if output is None:
        return NO_REVIEW
    explanation = output.overall_explanation.strip()
    findings = [_finding(finding) for finding in output.findings]
    if findings:
        head = "Review comment:" if len(findings) == 1 else "Full review comments:"
        explanation = "\n\n".join([*([explanation] if explanation else []), head, *findings])
    return explanation or NO_REVIEW


def _finding(finding: dict[str, Any]) -> str:
    match finding.get("code_location"):
        case {"absolute_file_path": path, "line_range": {"start": start, "end": end}}:
            where = f" — {path}:{start}-{end}"
        case _:
            where = ""
    body = "\n".join(f"  {line}" for line in str(finding.get("body", "")).splitlines())
    return f"- {finding.get('title', '')}{where}\n{body}"
