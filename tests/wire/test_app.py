"""ChatGPT's apps: a backend of ours on loopback lends their tools, the user says what they may."""

import json
import tomllib

import pytest
import trio

from protocol.app import AppsListParams
from protocol.item import McpToolCall
from protocol.mcp import McpServerElicitationRequestResponse
from protocol.methods import (
    APP_LIST,
    APP_LIST_UPDATED,
    ITEM_COMPLETED,
    MCP_ELICITATION,
    TURN_COMPLETED,
)
from tests.issuer import Issuer, Said
from tests.wire.test_account import jwt
from workers.scripted import ToolCall

CALENDAR = {"connector_id": "cal", "connector_name": "My Calendar", "connector_description": "Days"}
TOOLS = [
    {
        "name": "my_calendar_create",
        "title": "Create",
        "inputSchema": {"type": "object"},
        "annotations": {"destructiveHint": True},
        "_meta": CALENDAR,
    },
    {
        "name": "my_calendar_list",
        "inputSchema": {"type": "object"},
        "annotations": {"readOnlyHint": True},
        "_meta": CALENDAR,
    },
]
NAMESPACE = "mcp__codex_apps__my_calendar"


def lends(asked):
    """The server that has the tools of all apps."""
    told, result = asked.body, {}
    if asked.method != "POST" or "id" not in told:
        return Said(202 if asked.method == "POST" else 405)
    match told["method"]:
        case "initialize":
            version = told["params"]["protocolVersion"]
            result = {"protocolVersion": version, "capabilities": {"tools": {}}}
            result["serverInfo"] = {"name": "apps", "version": "1"}
        case "tools/list":
            result = {"tools": TOOLS}
        case "tools/call":
            result = {"content": [{"type": "text", "text": "done"}]}
    return Said(body={"jsonrpc": "2.0", "id": told["id"], "result": result})


@pytest.fixture
async def backend(home):
    issuer = Issuer()
    issuer.pages["/backend-api/wham/apps"] = lends
    listed = [{"id": "mail", "name": "Mail"}]
    directory = "/backend-api/connectors/directory/list"
    issuer.pages[directory] = lambda _: Said(body={"apps": listed})
    tokens = {"id_token": jwt(), "access_token": jwt(exp=4102444800), "refresh_token": "r"}
    login = {"tokens": {**tokens, "account_id": "acc"}, "last_refresh": "2099-01-01T00:00:00Z"}
    (home / "auth.json").write_text(json.dumps(login))
    async with trio.open_nursery() as nursery:
        await nursery.start(issuer.serve)
        file = home / "config.toml"
        base = f'chatgpt_base_url = "{issuer.url}/backend-api/"\n'
        file.write_text(base + file.read_text() + "\n[features]\napps = true\n")
        yield issuer
        nursery.cancel_scope.cancel()


async def calls(client, provider, thread, name):
    provider.says(ToolCall(name, {}, NAMESPACE))
    provider.says("done")
    await client.begin(thread)


async def test_an_app_is_used_as_the_user_has_it(backend, home, connect_stdio, provider):
    """Observed: namespace and names, who is told, the question, where a lasting yes is kept."""
    client = await connect_stdio()
    thread = await client.start(approval_policy="on-request")
    [app] = (await client.next(APP_LIST_UPDATED)).data
    assert (app.id, app.is_accessible, app.is_enabled) == ("cal", True, True)
    asked = backend.asked[0]
    assert asked.headers["authorization"].startswith("Bearer e30.")
    assert asked.headers["chatgpt-account-id"] == "acc"
    found = await client.call(APP_LIST, AppsListParams(thread_id=thread.id))
    assert [(app.id, app.is_accessible) for app in found.data] == [("mail", False), ("cal", True)]

    await calls(client, provider, thread, "_create")
    id, question = await client.question(MCP_ELICITATION)
    assert question.message == 'Allow My Calendar to run tool "my_calendar_create"?'
    assert (question.meta["source"], question.meta["connector_id"]) == ("connector", "cal")
    yes = McpServerElicitationRequestResponse("accept", meta={"persist": "always"})
    await client.answer(id, yes)
    done = await client.next(ITEM_COMPLETED, lambda p: isinstance(p.item, McpToolCall))
    assert (done.item.server, done.item.tool, done.item.status) == (
        "codex_apps",
        "my_calendar_create",
        "completed",
    )
    await client.next(TURN_COMPLETED)
    [offered] = [t for t in provider.requests[0]["tools"] if t.get("name") == NAMESPACE]
    assert offered["description"] == "Days"
    assert [tool["name"] for tool in offered["tools"]] == ["_create", "_list"]
    kept = tomllib.loads((home / "config.toml").read_text())["apps"]["cal"]["tools"]
    assert kept == {"my_calendar_create": {"approval_mode": "approve"}}
    await calls(client, provider, thread, "_list")
    await client.next(TURN_COMPLETED)
