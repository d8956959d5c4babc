"""`[mcp_servers]`: the programs and addresses that lend tools to threads."""

from contextlib import suppress
from typing import Any

import msgspec
from msgspec import Struct, field

from protocol.settings import McpApproval, McpServer
from supervisor.layers import ConfigError, Table
from supervisor.toml import Toml

FOR_PROGRAMS = ("args", "env", "env_vars", "cwd")
FOR_ADDRESSES = ("bearer_token_env_var", "http_headers", "env_http_headers", "oauth_resource")


class ToolTable(Struct):
    """`[mcp_servers.NAME.tools.TOOL]`."""

    approval_mode: McpApproval | None = None


class Variable(Struct):
    """An entry of `env_vars` that says more than a name; a remote source has no meaning here."""

    name: str
    source: str = "local"


class ServerTable(Struct):
    """`[mcp_servers.NAME]`, as it is written."""

    command: str | None = None
    args: list[str] = field(default_factory=list[str])
    env: dict[str, str] = field(default_factory=dict[str, str])
    env_vars: list[str | Variable] = field(default_factory=list[str | Variable])
    cwd: str | None = None
    url: str | None = None
    bearer_token: str | None = None
    bearer_token_env_var: str | None = None
    http_headers: dict[str, str] = field(default_factory=dict[str, str])
    env_http_headers: dict[str, str] = field(default_factory=dict[str, str])
    scopes: list[str] | None = None
    oauth_resource: str | None = None
    enabled: bool = True
    required: bool = False
    startup_timeout_sec: float | None = None
    startup_timeout_ms: float | None = None
    tool_timeout_sec: float | None = None
    enabled_tools: list[str] | None = None
    disabled_tools: list[str] = field(default_factory=list[str])
    supports_parallel_tool_calls: bool = False
    default_tools_approval_mode: McpApproval | None = None
    tools: dict[str, ToolTable] = field(default_factory=dict[str, ToolTable])


def mcp_servers(toml: Toml, brought: dict[str, Table] | None = None) -> dict[str, McpServer]:
    """Those of the configuration, and those that plugins have `brought`, which give way.

    Raises ConfigError that names the key; what a plugin has wrong is its own loss.
    """
    found = {name: _server(name, table) for name, table in toml.mcp_servers.items()}
    for name, table in (brought or {}).items():
        if name not in found:
            with suppress(ConfigError):
                found[name] = _server(name, table)
    return found


def _server(name: str, table: Table) -> McpServer:
    key = f"mcp_servers.{name}"
    try:
        told = msgspec.convert(table, ServerTable)
    except msgspec.ValidationError as error:
        raise ConfigError(str(error), key=key) from None
    _check(key, told, table)
    more: dict[str, Any] = {
        at: getattr(told, at)
        for at in McpServer.__struct_fields__
        if at in ServerTable.__struct_fields__ and getattr(told, at) is not None
    }
    if told.startup_timeout_sec is None and told.startup_timeout_ms is not None:
        more["startup_timeout_sec"] = told.startup_timeout_ms / 1000
    more["env_vars"] = [v if isinstance(v, str) else v.name for v in told.env_vars]
    modes: dict[str, McpApproval] = {
        tool: it.approval_mode for tool, it in told.tools.items() if it.approval_mode
    }
    return McpServer(**more, approval_modes=modes)


def _check(key: str, told: ServerTable, table: Table) -> None:
    if (told.command is None) == (told.url is None):
        raise ConfigError("invalid transport", key=key)
    kind, wrong = (
        ("stdio", FOR_ADDRESSES) if told.url is None else ("streamable_http", FOR_PROGRAMS)
    )
    for name in wrong:
        if name in table:
            raise ConfigError(f"{name} is not supported for {kind}", key=key)
    if told.bearer_token is not None:
        raise ConfigError(
            "bearer_token is not supported; name a variable with bearer_token_env_var", key=key
        )
    for at in ("startup_timeout_sec", "startup_timeout_ms", "tool_timeout_sec"):
        if (seconds := getattr(told, at)) is not None and not 0 <= seconds < 1e9:
            raise ConfigError(f"{at} must be a number of seconds, not {seconds:g}", key=key)
