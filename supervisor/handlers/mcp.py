"""mcpServerStatus/list: the MCP servers of the configuration.

What a server offers is known only to a worker that has started it; a list made here starts none, so
tools and resources are empty (ours: the reference starts every server for each list).
"""

from typing import Any

from protocol.errors import invalid
from protocol.mcp import (
    ListMcpServerStatusParams,
    ListMcpServerStatusResponse,
    McpAuthStatus,
    McpServerStatus,
)
from protocol.methods import MCP_SERVER_STATUS_LIST
from supervisor.connection import Connection
from supervisor.handlers import serves
from supervisor.handlers.model import page
from supervisor.host import Host
from supervisor.layers import ConfigError


@serves(MCP_SERVER_STATUS_LIST)
def mcp_server_status_list(
    host: Host, _client: Connection, params: ListMcpServerStatusParams
) -> ListMcpServerStatusResponse:
    try:
        servers = host.config.toml().mcp_servers
    except ConfigError as error:
        raise invalid(f"failed to load configuration: {error}") from None
    known = [
        McpServerStatus(auth(servers[name]), name, resource_templates=[], resources=[], tools={})
        for name in sorted(servers)
    ]
    data, cursor = page(known, params.cursor, params.limit, "MCP servers")
    return ListMcpServerStatusResponse(list(data), cursor)


def auth(server: dict[str, Any]) -> McpAuthStatus:
    """As far as the configuration tells: a token's variable is named, or none is (observed)."""
    return "bearerToken" if server.get("bearer_token_env_var") else "unsupported"
