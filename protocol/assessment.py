"""A review as clients send it back: in snake case, unlike the notification that told of it.

The spelling is the reference server's own inside (observed, release 0.130.0).
"""

from typing import Any, Literal

import msgspec
from msgspec import Struct

from protocol.errors import DECODE_ERRORS, RpcError, invalid, undecodable
from protocol.guardian import (
    AutoReviewDecisionSource,
    GuardianRiskLevel,
    GuardianUserAuthorization,
    Port,
)
from protocol.policy import FileSystemSandboxEntry

CommandSource = Literal["shell", "unified_exec"]


class Command(Struct, tag_field="type", tag="command"):
    source: CommandSource
    command: str
    cwd: str


class Execve(Struct, tag_field="type", tag="execve"):
    source: CommandSource
    program: str
    argv: list[str]
    cwd: str


class Patch(Struct, tag_field="type", tag="apply_patch"):
    cwd: str
    files: list[str]


class NetworkAccess(Struct, tag_field="type", tag="network_access"):
    target: str
    host: str
    protocol: Literal["http", "https", "socks5_tcp", "socks5_udp"]
    port: Port


class McpToolCall(Struct, tag_field="type", tag="mcp_tool_call"):
    server: str
    tool_name: str
    connector_id: str | None = None
    connector_name: str | None = None
    tool_title: str | None = None


class FileSystem(Struct, omit_defaults=True):
    read: list[str] | None = None
    write: list[str] | None = None
    entries: list[FileSystemSandboxEntry] | None = None
    glob_scan_max_depth: int | None = None


class Network(Struct):
    enabled: bool | None = None


class Permissions(Struct, omit_defaults=True):
    network: Network | None = None
    file_system: FileSystem | None = None


class RequestPermissions(Struct, tag_field="type", tag="request_permissions"):
    permissions: Permissions
    reason: str | None = None


Action = Command | Execve | Patch | NetworkAccess | McpToolCall | RequestPermissions


class Assessment(Struct):
    """`action` says it all; the rest is for the eye, and need not be there."""

    id: str
    status: Literal["in_progress", "approved", "denied", "timed_out", "aborted"]
    action: Action
    target_item_id: str | None = None
    turn_id: str = ""
    started_at_ms: int = 0
    completed_at_ms: int | None = None
    risk_level: GuardianRiskLevel | None = None
    user_authorization: GuardianUserAuthorization | None = None
    rationale: str | None = None
    decision_source: AutoReviewDecisionSource | None = None


def assessment(event: Any) -> Assessment:
    """Raises RpcError for what is none."""
    try:
        found = msgspec.convert(event, Assessment)
    except DECODE_ERRORS as error:
        raise _refused(undecodable(error)) from None
    cwd = getattr(found.action, "cwd", "/")
    if not cwd.startswith("/"):
        raise invalid(f"invalid Guardian denial event: cwd `{cwd[:64]}` is not absolute")
    return found


def _refused(error: RpcError) -> RpcError:
    said = error.message.removeprefix("Invalid request: ")
    return invalid(f"invalid Guardian denial event: {said}")
