"""May the model call this tool?  By what the tool says of itself, the configuration, the user.

The question is an elicitation like those that servers make; its `_meta` tells clients what it is
about and how long a yes may hold (observed).
"""

from typing import TYPE_CHECKING, Any, cast

from protocol.errors import DECODE_ERRORS
from protocol.frames import Allow
from protocol.guardian import ReviewedMcpToolCall
from protocol.item import McpToolCall
from protocol.mcp import McpServerElicitationRequestResponse
from protocol.methods import MCP_ELICITATION
from protocol.policy import (
    ExactPath,
    ManagedPermissions,
    RestrictedFileSystem,
    SpecialPath,
    SpecialRoot,
)
from protocol.profile import profile_of
from protocol.settings import McpApproval, Settings
from workers.approval.hooked import ruled
from workers.approval.review import ReviewRequest
from workers.hooks.subject import of_mcp
from workers.mcp.connectors import Connector, approval, connector
from workers.mcp.server import Json, Server
from workers.tools import Turn, Unasked

if TYPE_CHECKING:
    from workers.mcp.servers import Servers

REJECTED = "user rejected MCP tool call"
CANCELLED = "user cancelled MCP tool call"


async def refusal(turn: Turn, server: Server, told: Json, item: McpToolCall) -> str | None:
    """Why the call may not be made; None if it may."""
    mode, owner = approval(server.spec, told), connector(told)
    if mode == "approve" or (mode == "auto" and not is_risky(told.get("annotations"))):
        return None
    policy, servers = turn.settings.approval_policy, turn.servers
    if policy == "never":
        return None if _writes_everywhere(turn.settings) else CANCELLED
    if mode == "auto" and (server.name, item.tool) in servers.granted:
        return None
    if ruling := await ruled(turn, of_mcp(item.id, item.server, item.tool, item.arguments)):
        return None if ruling.allowed else ruling.message
    if turn.approvals.grants.reviewed(turn):
        return await _reviewed(turn, told, item)
    from workers.mcp.servers import asks  # noqa: PLC0415 - it imports what imports us

    if not asks(policy):
        return REJECTED
    return await _asked(turn, mode, told, item, owner)


def is_risky(annotations: Any) -> bool:
    """What a tool does not say counts as its specification has it: it destroys, it reaches out."""
    hints = cast("Json", annotations) if isinstance(annotations, dict) else {}
    destructive = hints.get("destructiveHint")
    if destructive is True:
        return True
    if hints.get("readOnlyHint") is True:
        return False
    return destructive is not False or hints.get("openWorldHint") is not False


def _writes_everywhere(settings: Settings) -> bool:
    match settings.permission_profile or profile_of(settings.sandbox_policy):
        case ManagedPermissions(file_system=RestrictedFileSystem(entries=entries)):
            root = SpecialPath(SpecialRoot("root"))
            whole = {"write"} & {e.access for e in entries if e.path in (root, ExactPath("/"))}
            return bool(whole) and all(e.access == "write" for e in entries)
        case _:
            return True


async def _reviewed(turn: Turn, told: Json, item: McpToolCall) -> str | None:
    shown = ReviewedMcpToolCall(
        server=item.server, tool_name=item.tool, tool_title=told.get("title")
    )
    planned = {
        "tool": "mcp_tool_call",
        "server": item.server,
        "tool_name": item.tool,
        "arguments": item.arguments,
        "tool_title": told.get("title"),
        "tool_description": told.get("description"),
        "annotations": told.get("annotations"),
    }
    known = {key: value for key, value in planned.items() if value is not None}
    verdict = await turn.review(ReviewRequest(shown, known, item.id))
    return None if verdict.allowed else verdict.message


async def _asked(
    turn: Turn, mode: McpApproval, told: Json, item: McpToolCall, owner: Connector | None
) -> str | None:
    from workers.mcp.servers import elicitation  # noqa: PLC0415 - as above

    told = _question(mode, told, item, owner)
    question = elicitation(turn.thread_id, turn.id, item.server, told)
    try:
        answer = await turn.ask(MCP_ELICITATION, question)
    except (Unasked, *DECODE_ERRORS):
        return CANCELLED
    match answer.action:
        case "accept":
            if mode == "auto":
                _remember(turn.servers, answer, item, owner)
            return None
        case "decline":
            return REJECTED
        case "cancel":
            return CANCELLED


def _question(mode: McpApproval, told: Json, item: McpToolCall, owner: Connector | None) -> Json:
    arguments = cast("Json", item.arguments) if _is_object(item.arguments) else Json()
    meta: Json = {
        "codex_approval_kind": "mcp_tool_call",
        "persist": ["session", "always"] if mode == "auto" else None,
        "tool_title": told.get("title"),
        "tool_description": told.get("description"),
        **_source(owner),
        "tool_params": item.arguments,
        "tool_params_display": [
            {"name": name, "value": arguments[name], "display_name": name}
            for name in sorted(arguments)
        ],
    }
    whose = f"the {item.server} MCP server" if owner is None else owner.name
    return {
        "message": f'Allow {whose} to run tool "{item.tool}"?',
        "requestedSchema": {"type": "object", "properties": {}},
        "_meta": {key: value for key, value in meta.items() if value is not None},
    }


def _source(owner: Connector | None) -> Json:
    """What is said of an app's tool, and of no other (observed)."""
    if owner is None:
        return {}
    return {
        "source": "connector",
        "connector_id": owner.id,
        "connector_name": owner.name,
        "connector_description": owner.description,
    }


def _remember(
    servers: "Servers",
    answer: McpServerElicitationRequestResponse,
    item: McpToolCall,
    owner: Connector | None,
) -> None:
    match answer.meta:
        case {"persist": "session" | "always" as how}:
            servers.granted.add((item.server, item.tool))
            if how == "always":
                app = None if owner is None else owner.id
                servers.keep(Allow(item.server, item.tool, app))
        case _:
            pass


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)
