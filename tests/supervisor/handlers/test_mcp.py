"""What clients are told of MCP servers."""

from types import SimpleNamespace

import msgspec
import pytest

from protocol.errors import RpcError
from protocol.mcp import ListMcpServerStatusParams
from protocol.methods import MCP_SERVER_STATUS_LIST
from supervisor.config import Config
from supervisor.handlers import HANDLERS
from supervisor.handlers import mcp as _  # noqa: F401 - enters its handlers


class Services:
    """Says of each server only its name."""

    async def status(self, servers, *, full):
        return msgspec.Raw(msgspec.json.encode([*servers, full]))


async def test_servers_are_listed_by_name_and_only_those_of_the_page_are_asked(tmp_path):
    """Observed: order, pages, errors; ours: no other server runs for a page."""
    config = Config(tmp_path, etc=tmp_path / "no-etc")
    host = SimpleNamespace(home=tmp_path, config=config, services=Services())

    async def listed(**params):
        row = MCP_SERVER_STATUS_LIST
        answer = await HANDLERS[row.name](host, None, ListMcpServerStatusParams(**params))
        return msgspec.json.decode(answer.data), answer.next_cursor

    (tmp_path / "config.toml").write_text(
        '[mcp_servers.web]\nurl = "http://127.0.0.1:9/mcp"\n'
        '[mcp_servers.off]\ncommand = "/no/such/program"\nenabled = false\n'
    )
    assert await listed() == (["off", "web", True], None)
    assert await listed(limit=1, detail="toolsAndAuthOnly") == (["off", False], "1")
    with pytest.raises(RpcError, match="cursor 99 exceeds total MCP servers 2"):
        await listed(cursor="99")
    (tmp_path / "config.toml").write_text("[mcp_servers.x]\nurl = 1\n")
    with pytest.raises(RpcError, match="failed to load configuration"):
        await listed()
