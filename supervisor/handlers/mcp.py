"""MCP servers: those of the configuration, and those that threads use."""

import logging
from collections.abc import Awaitable

from protocol.errors import INTERNAL_ERROR, RpcError, invalid
from protocol.frames import Equip
from protocol.mcp import (
    ListMcpServerStatusParams,
    ListMcpServerStatusResponse,
    McpResourceReadParams,
    McpResourceReadResponse,
    McpServerOauthLoginParams,
    McpServerOauthLoginResponse,
    McpServerRefreshResponse,
)
from protocol.methods import (
    MCP_OAUTH_LOGIN,
    MCP_RESOURCE_READ,
    MCP_SERVER_RELOAD,
    MCP_SERVER_STATUS_LIST,
)
from protocol.settings import McpServer
from protocol.wire import Nothing
from supervisor import apps, hooks, plugins
from supervisor.connection import Connection
from supervisor.handlers import serves
from supervisor.handlers.model import page
from supervisor.host import Host
from supervisor.layers import ConfigError
from supervisor.loaded import Loaded

log = logging.getLogger("atrio.mcp")


@serves(MCP_SERVER_STATUS_LIST)
async def mcp_server_status_list(
    host: Host, _client: Connection, params: ListMcpServerStatusParams
) -> ListMcpServerStatusResponse:
    """Only the servers of the page are started to be asked; the reference starts all of them."""
    servers = configured(host)
    names, cursor = page(sorted(servers), params.cursor, params.limit, "MCP servers")
    asked = {name: servers[name] for name in names}
    full = params.detail != "toolsAndAuthOnly"
    return ListMcpServerStatusResponse(await host.services.status(asked, full=full), cursor)


@serves(MCP_SERVER_RELOAD)
def mcp_server_reload(
    host: Host, _client: Connection, _params: Nothing
) -> McpServerRefreshResponse:
    configured(host)
    equip(host)
    return McpServerRefreshResponse()


def equip(host: Host) -> None:
    """Tell every thread of its servers and hooks; one whose configuration is broken keeps what it
    has."""
    login, brought = host.config.login(), plugins.servers(host.config)
    for thread in host.threads:
        settings = thread.spec.settings
        try:
            toml = host.config.toml(settings.cwd)
            features = host.config.features(toml)
            wanted = apps.servers(toml, features, login, brought)
            trusted = hooks.in_force(host.config, features, settings.cwd)
        except ConfigError as error:
            log.warning("%s keeps its MCP servers and hooks: %s", thread.id, error)
            continue
        settings.mcp_servers, settings.hooks = wanted, trusted
        thread.send(Equip(wanted, trusted))


@serves(MCP_RESOURCE_READ)
def mcp_resource_read(
    host: Host, _client: Connection, params: McpResourceReadParams
) -> Loaded | Awaitable[McpResourceReadResponse]:
    if params.thread_id is not None:
        return host.threads.loaded(params.thread_id)
    return host.services.read(configured(host), params)


@serves(MCP_OAUTH_LOGIN)
async def mcp_oauth_login(
    host: Host, _client: Connection, params: McpServerOauthLoginParams
) -> McpServerOauthLoginResponse:
    server = configured(host).get(params.name)
    if server is None:
        raise invalid(f"No MCP server named '{params.name}' found.")
    if server.url is None:
        raise invalid("OAuth login is only supported for streamable HTTP servers.")
    toml = host.config.toml()
    if toml.mcp_oauth_credentials_store == "keyring":
        raise RpcError(
            INTERNAL_ERROR,
            "this server keeps no tokens in a keyring; set mcp_oauth_credentials_store to file",
        )
    port, url = toml.mcp_oauth_callback_port or 0, toml.mcp_oauth_callback_url
    return await host.services.log_in(server, params, port, url)


def configured(host: Host) -> dict[str, McpServer]:
    """Those of no thread: what the host and the user have configured.  Raises RpcError."""
    try:
        toml, brought = host.config.toml(), plugins.servers(host.config)
        return apps.servers(toml, host.config.features(toml), host.config.login(), brought)
    except ConfigError as error:
        raise invalid(f"failed to load configuration: {error}") from None
