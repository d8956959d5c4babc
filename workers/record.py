"""What a rollout says of a thread, a turn and an item: the protocol's shapes in stored spelling.

Keys, their order and their spelling are the reference server's (observed, release 0.130.0), since
it must be able to load what we write.
"""

from typing import Any

import msgspec
from msgspec import UNSET

from protocol.agent import spawn_of
from protocol.catalogue import describe
from protocol.event import (
    AgentReasoned,
    AgentReasonedRaw,
    AgentSaid,
    ByteSpan,
    ContextCompacted,
    Duration,
    Element,
    Event,
    Invocation,
    ItemCompleted,
    McpCalled,
    TokenCount,
    TokenInfo,
    Tokens,
    UserSaid,
    WebSearched,
)
from protocol.event import RateLimits as StoredRateLimits
from protocol.item import (
    AgentMessage,
    CollabAgentToolCall,
    CommandExecution,
    ContextCompaction,
    DynamicToolCall,
    ImageInput,
    ImageView,
    LocalImageInput,
    McpToolCall,
    Plan,
    Reasoning,
    TextInput,
    ThreadItem,
    UserInput,
    WebFindInPage,
    WebOpenPage,
    WebSearch,
    WebSearchQuery,
)
from protocol.policy import (
    DangerFullAccess,
    ExternalPermissions,
    ExternalSandbox,
    ManagedPermissions,
    PermissionProfile,
    ReadOnly,
    SandboxPolicy,
    WorkspaceWrite,
)
from protocol.rollout import (
    BaseInstructions,
    Git,
    Mode,
    ModeSettings,
    SessionMeta,
    TurnContext,
    stamp,
    stored_source,
)
from protocol.settings import Settings
from protocol.thread import (
    DynamicToolSpec,
    GitInfo,
    Thread,
    ThreadTokenUsage,
    TokenUsageBreakdown,
)
from workers.environment import look

TRUNCATION_TOKENS = 10_000  # of a tool's output, the reference server's figure


def session_meta(
    thread: Thread,
    settings: Settings,
    *,
    created_at_ms: int,
    base_instructions: str | None,
    git: GitInfo | None = None,
    dynamic_tools: list[DynamicToolSpec] | None = None,
) -> SessionMeta:
    """The first line of a thread's file; `git` is the thread's own unless given."""
    git = git or thread.git_info
    return SessionMeta(
        id=thread.id,
        forked_from_id=thread.forked_from_id or UNSET,
        timestamp=stamp(created_at_ms),
        cwd=thread.cwd,
        originator=settings.originator,
        cli_version=settings.cli_version,
        source=stored_source(thread.source),
        thread_source="subagent" if spawn_of(thread.source) else thread.thread_source or UNSET,
        agent_nickname=thread.agent_nickname or UNSET,
        agent_role=thread.agent_role or UNSET,
        model_provider=thread.model_provider,
        base_instructions=BaseInstructions(base_instructions) if base_instructions else None,
        dynamic_tools=dynamic_tools or UNSET,
        git=Git(git.sha, git.branch, git.origin_url) if git else UNSET,
    )


def turn_context(settings: Settings, turn_id: str, output_schema: Any = UNSET) -> TurnContext:
    """The settings of one turn."""
    now, model = look(settings), describe(settings.model)
    voice = settings.personality or ("pragmatic" if model.supports_personality else "none")
    return TurnContext(
        turn_id=turn_id,
        cwd=settings.cwd,
        current_date=now.current_date,
        timezone=now.timezone,
        approval_policy=settings.approval_policy,
        sandbox_policy=sandbox_policy(settings.sandbox_policy),
        permission_profile=permission_profile(settings),
        model=settings.model,
        personality=voice,
        collaboration_mode=_mode(settings),
        effort=settings.effort or UNSET,
        summary=settings.summary or model.default_reasoning_summary,
        final_output_json_schema=UNSET if output_schema is None else output_schema,
        truncation_policy={"mode": "tokens", "limit": TRUNCATION_TOKENS},
    )


def _mode(settings: Settings) -> Mode:
    mode = settings.collaboration_mode
    instructions = mode.settings.developer_instructions if mode else None
    inner = ModeSettings(settings.model, settings.effort, instructions)
    return Mode(mode.mode if mode else "default", inner)


def sandbox_policy(policy: SandboxPolicy) -> dict[str, Any]:
    match policy:
        case DangerFullAccess():
            return {"type": "danger-full-access"}
        case ReadOnly(network):
            return {"type": "read-only", **({"network_access": True} if network else {})}
        case ExternalSandbox(network):
            return {"type": "external-sandbox", "network_access": network}
        case WorkspaceWrite():
            return {
                "type": "workspace-write",
                "writable_roots": policy.writable_roots,
                "network_access": policy.network_access,
                "exclude_tmpdir_env_var": policy.exclude_tmpdir_env_var,
                "exclude_slash_tmp": policy.exclude_slash_tmp,
            }


def permission_profile(settings: Settings) -> dict[str, Any]:
    """The thread's profile; when it has none, the one that its sandbox policy amounts to."""
    if settings.permission_profile is not None:
        return _profile(settings.permission_profile)
    match settings.sandbox_policy:
        case DangerFullAccess():
            return {"type": "disabled"}
        case ExternalSandbox(network):
            return {"type": "external", "network": network}
        case ReadOnly(network):
            return _managed([_special("root", "read")], network=network)
        case WorkspaceWrite() as policy:
            return _managed(_writable(policy), network=policy.network_access)


def _writable(policy: WorkspaceWrite) -> list[dict[str, Any]]:
    entries = [_special("root", "read"), _special("project_roots", "write")]
    if not policy.exclude_slash_tmp:
        entries.append(_special("slash_tmp", "write"))
    if not policy.exclude_tmpdir_env_var:
        entries.append(_special("tmpdir", "write"))
    roots = [
        {"path": {"type": "path", "path": root}, "access": "write"}
        for root in policy.writable_roots
    ]
    guarded = [_special("project_roots", "read", name) for name in (".git", ".agents", ".codex")]
    return [*entries, *roots, *guarded]


def _special(kind: str, access: str, subpath: str | None = None) -> dict[str, Any]:
    value = {"kind": kind, **({"subpath": subpath} if subpath else {})}
    return {"path": {"type": "special", "value": value}, "access": access}


def _managed(entries: list[dict[str, Any]], *, network: bool) -> dict[str, Any]:
    files = {"type": "restricted", "entries": entries}
    return {"type": "managed", "file_system": files, "network": _network(network)}


def _network(enabled: bool) -> str:
    return "enabled" if enabled else "restricted"


def _profile(profile: PermissionProfile) -> dict[str, Any]:
    match profile:
        case ManagedPermissions(files, network):
            stored: dict[str, Any] = msgspec.to_builtins(files)
            depth = stored.pop("globScanMaxDepth", None)
            if depth is not None:
                stored["glob_scan_max_depth"] = depth
            enabled = _network(network.enabled)
            return {"type": "managed", "file_system": stored, "network": enabled}
        case ExternalPermissions(network):
            return {"type": "external", "network": _network(network.enabled)}
        case _:
            return {"type": "disabled"}


# ---- events


def user_said(inputs: list[UserInput]) -> UserSaid:
    """One input; elements of a later text move behind the texts before it (offsets in bytes)."""
    said = UserSaid()
    images: list[str] = []
    for part in inputs:
        match part:
            case TextInput(text, elements):
                at = len(said.message.encode())
                said.text_elements += [
                    Element(ByteSpan(at + e.byte_range.start, at + e.byte_range.end), e.placeholder)
                    for e in elements
                ]
                said.message += text
            case ImageInput(url):
                images.append(url)
            case LocalImageInput(path):
                said.local_images.append(path)
            case _:  # skills and mentions are part of what the model is told, not of this
                pass
    said.images = images
    return said


def item_events(item: ThreadItem, thread_id: str, turn_id: str, at_ms: int) -> list[Event]:
    """The events that a completed item leaves; tools write those that say more than the item."""
    match item:
        case AgentMessage(_, text, citation, phase):
            return [AgentSaid(text, phase, citation)]
        case Reasoning(_, content, summary):
            shown = [AgentReasoned(text) for text in summary]
            return [*shown, *(AgentReasonedRaw(text) for text in content)]
        case Plan(id, text):
            stored = {"type": "Plan", "id": id, "text": text}
            return [ItemCompleted(thread_id, turn_id, stored, at_ms)] if text else []
        case WebSearch():
            return [WebSearched(item.id, item.query, _web_action(item))]
        case McpToolCall():
            return [_mcp_called(item)]
        case ContextCompaction():
            return [ContextCompacted()]
        case CommandExecution() | DynamicToolCall() | ImageView() | CollabAgentToolCall():
            return [ItemCompleted(thread_id, turn_id, msgspec.to_builtins(item), at_ms)]
        case _:
            return []


def _web_action(item: WebSearch) -> dict[str, Any]:
    match item.action:
        case WebSearchQuery(queries, query):
            action: dict[str, Any] = {"type": "search", "query": query, "queries": queries}
        case WebOpenPage(url):
            action = {"type": "open_page", "url": url}
        case WebFindInPage(pattern, url):
            action = {"type": "find_in_page", "url": url, "pattern": pattern}
        case _:
            action = {"type": "other"}
    return {key: value for key, value in action.items() if value is not None}


def _mcp_called(item: McpToolCall) -> McpCalled:
    secs, ms = divmod(item.duration_ms or 0, 1000)
    result: dict[str, Any] = {"Err": item.error.message if item.error else "the call went wrong"}
    if item.result is not None:
        told: dict[str, Any] = msgspec.to_builtins(item.result)
        failed = {"isError": True} if item.status == "failed" else {}
        result = {"Ok": {key: told[key] for key in told if told[key] is not None} | failed}
    return McpCalled(
        item.id,
        Invocation(item.server, item.tool, item.arguments),
        Duration(secs, ms * 1_000_000),
        result,
        item.mcp_app_resource_uri or UNSET,
    )


def token_count(usage: ThreadTokenUsage | None) -> TokenCount:
    if usage is None:
        return TokenCount(None, StoredRateLimits())
    window = usage.model_context_window
    return TokenCount(
        TokenInfo(_tokens(usage.total), _tokens(usage.last), window), StoredRateLimits()
    )


def _tokens(part: TokenUsageBreakdown) -> Tokens:
    return Tokens(
        part.input_tokens,
        part.cached_input_tokens,
        part.output_tokens,
        part.reasoning_output_tokens,
        part.total_tokens,
    )


def usage_of(info: TokenInfo) -> ThreadTokenUsage:
    """The other way round, for a thread that is loaded."""
    return ThreadTokenUsage(
        last=_shown(info.last_token_usage),
        total=_shown(info.total_token_usage),
        model_context_window=info.model_context_window,
    )


def _shown(part: Tokens) -> TokenUsageBreakdown:
    return TokenUsageBreakdown(
        cached_input_tokens=part.cached_input_tokens,
        input_tokens=part.input_tokens,
        output_tokens=part.output_tokens,
        reasoning_output_tokens=part.reasoning_output_tokens,
        total_tokens=part.total_tokens,
    )
