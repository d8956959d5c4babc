"""What clients are told of MCP servers."""

from types import SimpleNamespace

import pytest

from protocol.errors import RpcError
from protocol.mcp import ListMcpServerStatusParams
from protocol.methods import MCP_SERVER_STATUS_LIST
from supervisor.config import Config
from supervisor.handlers import HANDLERS
from supervisor.handlers import mcp as _  # noqa: F401 - enters its handlers


def test_configured_servers_are_listed_by_name_without_being_started(tmp_path):
    """Observed: names, order, pages and authentication; ours: no server runs for a list."""
    host = SimpleNamespace(home=tmp_path, config=Config(tmp_path, etc=tmp_path / "no-etc"))

    def listed(**params):
        row = MCP_SERVER_STATUS_LIST
        answer = HANDLERS[row.name](host, None, ListMcpServerStatusParams(**params))
        return [(s.name, s.auth_status, s.tools) for s in answer.data], answer.next_cursor

    assert listed() == ([], None)
    (tmp_path / "config.toml").write_text(
        '[mcp_servers.web]\nurl = "http://127.0.0.1:9/mcp"\nbearer_token_env_var = "LAB"\n'
        '[mcp_servers.off]\ncommand = "/no/such/program"\nenabled = false\n'
    )
    assert listed() == ([("off", "unsupported", {}), ("web", "bearerToken", {})], None)
    assert listed(limit=1) == ([("off", "unsupported", {})], "1")
    with pytest.raises(RpcError, match="cursor 99 exceeds total MCP servers 2"):
        listed(cursor="99")
