"""What `[mcp_servers]` may say."""

import pytest

from protocol.settings import McpServer
from supervisor.layers import ConfigError
from supervisor.mcp_servers import mcp_servers
from supervisor.toml import Toml


def test_a_table_becomes_what_a_worker_starts():
    """Observed: names of variables in two forms, an old name of the deadline, modes of tools."""
    told = {
        "command": "x",
        "args": ["a"],
        "env_vars": ["A", {"name": "B", "source": "local"}],
        "startup_timeout_ms": 500,
        "tools": {"t": {"approval_mode": "approve"}, "u": {}},
        "disabled_tools": ["d"],
        "something_newer": 1,
    }
    [server] = mcp_servers(Toml(mcp_servers={"s": told})).values()

    assert server == McpServer(
        command="x",
        args=["a"],
        env_vars=["A", "B"],
        startup_timeout_sec=0.5,
        approval_modes={"t": "approve"},
        disabled_tools=["d"],
    )
    assert [server.allows(tool) for tool in ("t", "d")] == [True, False]


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({}, "invalid transport"),
        ({"command": "x", "url": "y"}, "invalid transport"),
        ({"command": "x", "http_headers": {}}, "http_headers is not supported for stdio"),
        ({"url": "x", "args": []}, "args is not supported for streamable_http"),
        ({"url": "x", "bearer_token": "t"}, "bearer_token_env_var"),
        ({"command": 1}, "Expected `str"),
        ({"command": "x", "tool_timeout_sec": -1}, "tool_timeout_sec must be"),
    ],
)
def test_what_is_wrong_is_said_with_the_key(table, problem):
    """Observed: the first four; ours: the others."""
    with pytest.raises(ConfigError, match=problem) as refused:
        mcp_servers(Toml(mcp_servers={"s": table}))
    assert refused.value.key == "mcp_servers.s"
