from typing import Any, Literal

from msgspec import UNSET, UnsetType

from protocol.wire import U32, Wire

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
