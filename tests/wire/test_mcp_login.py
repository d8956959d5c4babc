"""Logins to MCP servers, at an issuer of ours, through the whole server."""

import json
import stat
from pathlib import Path

import httpx2
import pytest
import trio

from protocol.errors import RpcError
from protocol.mcp import (
    ListMcpServerStatusParams,
    McpServerOauthLoginParams,
    McpServerToolCallParams,
)
from protocol.methods import (
    MCP_OAUTH_LOGIN,
    MCP_OAUTH_LOGIN_COMPLETED,
    MCP_SERVER_STATUS_LIST,
    MCP_TOOL_CALL,
)
from tests.issuer import Asked, Issuer, Said

RESULTS = {
    "initialize": {
        "protocolVersion": "2025-06-18",
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "guarded", "version": "1"},
    },
    "tools/list": {"tools": [{"name": "hi", "inputSchema": {"type": "object"}}]},
    "tools/call": {"content": [{"type": "text", "text": "hi"}]},
}


@pytest.fixture
async def issuer(home: Path):
    """With an MCP server called `web` that answers who brings the newest token."""
    issuer = Issuer()

    def mcp(asked: Asked) -> Said:
        if not issuer.token or asked.headers.get("authorization") != f"Bearer {issuer.token}":
            return Said(401, headers={"www-authenticate": "Bearer"})
        if asked.method != "POST" or "id" not in asked.body:
            return Said(202 if asked.method == "POST" else 405)
        answer = {"jsonrpc": "2.0", "id": asked.body["id"]}
        result = RESULTS.get(asked.body["method"])
        error = {"code": -32601, "message": "no such method"}
        return Said(body=answer | ({"result": result} if result else {"error": error}))

    issuer.pages["/mcp"] = mcp
    async with trio.open_nursery() as nursery:
        await nursery.start(issuer.serve)
        file = home / "config.toml"
        file.write_text(f'{file.read_text()}\n[mcp_servers.web]\nurl = "{issuer.url}/mcp"\n')
        yield issuer
        nursery.cancel_scope.cancel()


async def status(client) -> str:
    answer = await client.call(MCP_SERVER_STATUS_LIST, ListMcpServerStatusParams())
    return answer.data[0].auth_status


async def log_in(client, **params) -> str:
    asked = McpServerOauthLoginParams(name="web", **params)
    return (await client.call(MCP_OAUTH_LOGIN, asked)).authorization_url


async def test_a_login_gives_the_server_a_token_that_is_kept_and_refreshed(
    issuer, home, connect_stdio
):
    """Observed: PKCE, the file and its mode.  Ours: a stale token is refreshed in time."""
    client = await connect_stdio()
    assert await status(client) == "notLoggedIn"
    url = await log_in(client, scopes=["a", "b"])
    assert httpx2.URL(url).params["scope"] == "a b"
    async with httpx2.AsyncClient(follow_redirects=False) as browser:
        back = (await browser.get(url)).headers["location"]
        wrong = await browser.get(f"{back}x")
        assert wrong.status_code == 400, "another state is another login"
        assert (await browser.get(back)).status_code == 200
    done = await client.next(MCP_OAUTH_LOGIN_COMPLETED)
    assert (done.name, done.success, done.error) == ("web", True, None)

    file = home / ".credentials.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    [entry] = json.loads(file.read_text()).values()
    assert (entry["server_name"], entry["access_token"]) == ("web", "access-1")
    assert await status(client) == "oAuth"

    entry["expires_at"] = 1
    file.write_text(json.dumps({"any": entry}))
    thread = await client.start()
    asked = McpServerToolCallParams("web", thread.id, "hi")
    assert (await client.call(MCP_TOOL_CALL, asked)).content[0]["text"] == "hi"
    [entry] = json.loads(file.read_text()).values()
    assert entry["access_token"] == "access-2"


async def test_a_login_that_does_not_come_about_says_why(issuer, home, connect_stdio):
    """Observed: no answer in time; ours: a refusal, a taken port, a broken file."""
    client = await connect_stdio()
    await log_in(client, timeout_secs=0)
    done = await client.next(MCP_OAUTH_LOGIN_COMPLETED)
    assert (done.success, done.error) == (False, "timed out waiting for OAuth callback")

    url = await log_in(client)
    told = httpx2.URL(url).params
    async with httpx2.AsyncClient() as browser:
        no = {"error": "access_denied", "state": told["state"]}
        assert (await browser.get(told["redirect_uri"], params=no)).status_code == 400
    done = await client.next(MCP_OAUTH_LOGIN_COMPLETED)
    assert done.error == "OAuth provider returned an error: access_denied"

    text = (home / "config.toml").read_text()
    port = int(issuer.url.rpartition(":")[2])
    (home / "config.toml").write_text(f"mcp_oauth_callback_port = {port}\n{text}")
    with pytest.raises(RpcError, match=f"port {port} for the login cannot be opened"):
        await log_in(client)
    (home / "config.toml").write_text(f'mcp_oauth_credentials_store = "keyring"\n{text}')
    with pytest.raises(RpcError, match="keeps no tokens in a keyring"):
        await log_in(client)
