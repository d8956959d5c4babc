"""MCP servers as clients see them.  What a server says of its own passes as it is."""

from typing import Any, Literal

from msgspec import UNSET, UnsetType, field

from protocol.wire import I64, U32, Wire

McpServerStatusDetail = Literal["full", "toolsAndAuthOnly"]


class ListMcpServerStatusParams(Wire):
    cursor: str | None = None
    detail: McpServerStatusDetail | None = None
    limit: U32 | None = None


McpAuthStatus = Literal["unsupported", "notLoggedIn", "bearerToken", "oAuth"]


class ResourceTemplate(Wire):
    name: str
    uri_template: str
    annotations: Any | UnsetType = UNSET
    description: str | None = None
    mime_type: str | None = None
    title: str | None = None


class Resource(Wire):
    name: str
    uri: str
    _meta: Any = None
    annotations: Any | UnsetType = UNSET
    description: str | None = None
    icons: list[Any] | None = None
    mime_type: str | None = None
    size: int | None = None
    title: str | None = None


class Tool(Wire):
    input_schema: Any
    name: str
    _meta: Any = None
    annotations: Any | UnsetType = UNSET
    description: str | None = None
    icons: list[Any] | None = None
    output_schema: Any | UnsetType = UNSET
    title: str | None = None


class McpServerStatus(Wire):
    auth_status: McpAuthStatus
    name: str
    resource_templates: list[ResourceTemplate]
    resources: list[Resource]
    tools: dict[str, Tool]


class ListMcpServerStatusResponse(Wire):
    data: list[McpServerStatus]
    next_cursor: str | None = None


class McpServerRefreshResponse(Wire):
    """The threads begin to use the new configuration with their next turn."""


McpServerStartupState = Literal["starting", "ready", "failed", "cancelled"]


class McpServerStatusUpdatedNotification(Wire):
    name: str
    status: McpServerStartupState
    error: str | None = None


class McpResourceReadParams(Wire):
    server: str
    uri: str
    thread_id: str | None = None


class McpResourceReadResponse(Wire):
    contents: list[dict[str, Any]]


class McpServerToolCallParams(Wire):
    server: str
    thread_id: str
    tool: str
    meta: Any = field(default=None, name="_meta")
    arguments: Any = None


class McpServerToolCallResponse(Wire):
    content: list[Any]
    structured_content: Any | UnsetType = UNSET
    is_error: bool | UnsetType | None = UNSET
    meta: Any | UnsetType = field(default=UNSET, name="_meta")


class McpToolCallProgressNotification(Wire):
    item_id: str
    message: str
    thread_id: str
    turn_id: str


class McpServerElicitationRequestParams(Wire):
    """`mode` says which of the other fields there are."""

    thread_id: str
    turn_id: str | None
    server_name: str
    mode: Literal["form", "url"]
    meta: Any = field(name="_meta")
    message: str
    requested_schema: dict[str, Any] | UnsetType = UNSET
    url: str | UnsetType = UNSET
    elicitation_id: str | UnsetType = UNSET


McpServerElicitationAction = Literal["accept", "decline", "cancel"]


class McpServerElicitationRequestResponse(Wire):
    action: McpServerElicitationAction
    content: Any = None
    meta: Any = field(default=None, name="_meta")


class McpServerOauthLoginParams(Wire):
    name: str
    scopes: list[str] | None = None
    timeout_secs: I64 | None = None


class McpServerOauthLoginResponse(Wire):
    authorization_url: str


class McpServerOauthLoginCompletedNotification(Wire):
    name: str
    success: bool
    error: str | None = None
