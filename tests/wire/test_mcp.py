"""MCP servers of a thread, real ones built with the official SDK, through the whole server."""

import json
import socket
import sys
from functools import partial
from pathlib import Path

import psutil
import pytest
import trio

from protocol.errors import RpcError
from protocol.item import AgentMessage, McpToolCall
from protocol.mcp import (
    ListMcpServerStatusParams,
    McpResourceReadParams,
    McpServerElicitationRequestResponse,
    McpServerToolCallParams,
)
from protocol.methods import (
    ITEM_COMPLETED,
    MCP_ELICITATION,
    MCP_RESOURCE_READ,
    MCP_SERVER_RELOAD,
    MCP_SERVER_STARTUP_STATUS_UPDATED,
    MCP_SERVER_STATUS_LIST,
    MCP_TOOL_CALL,
    MCP_TOOL_CALL_PROGRESS,
    THREAD_UNSUBSCRIBE,
    TURN_COMPLETED,
)
from protocol.thread import ThreadUnsubscribeParams
from protocol.wire import Nothing
from workers.scripted import ToolCall

LAB = Path(__file__).parents[1] / "mcp_server.py"
NAMESPACE = "mcp__lab__"


def configure(home: Path, text: str) -> None:
    file = home / "config.toml"
    file.write_text(file.read_text() + text)


@pytest.fixture
def lab(home: Path) -> None:
    """A server on stdio called `lab`."""
    configure(home, f'\n[mcp_servers.lab]\ncommand = "{sys.executable}"\nargs = ["{LAB}"]\n')


async def is_ready(client, name="lab"):
    told = await client.next(
        MCP_SERVER_STARTUP_STATUS_UPDATED, lambda p: p.name == name and p.status != "starting"
    )
    assert told.status == "ready", told


def call(thread, tool, **arguments):
    return McpServerToolCallParams("lab", thread.id, tool, arguments=arguments)


async def turn(client, provider, thread, tool, **arguments) -> McpToolCall:
    """A turn in which the model calls this tool; its item, once it is whole."""
    provider.says(ToolCall(tool, arguments, NAMESPACE))
    provider.says("done")
    await client.begin(thread)
    done = await client.next(ITEM_COMPLETED, lambda p: isinstance(p.item, McpToolCall))
    return done.item


def programs(server) -> list[psutil.Process]:
    return [p for p in server.processes() if str(LAB) in p.cmdline()]


async def test_a_model_uses_the_tools_of_a_server_that_runs(lab, connect_stdio, provider):
    """Observed: the namespace, the item, what the model reads, progress."""
    client = await connect_stdio()
    thread = await client.start()
    item = await turn(client, provider, thread, "spell", word="owl")
    await client.next(TURN_COMPLETED)
    assert (item.server, item.tool, item.status) == ("lab", "spell", "completed")
    assert item.result.content == [{"type": "text", "text": "o-w-l"}]
    output = provider.requests[-1]["input"][-1]["output"]
    head, _, parts = output.partition("\nOutput:\n")
    assert head.startswith("Wall time: ")
    assert json.loads(parts) == item.result.content
    [offered] = [t for t in provider.requests[0]["tools"] if t.get("name") == NAMESPACE]
    assert "spell" in [tool["name"] for tool in offered["tools"]]

    await turn(client, provider, thread, "climb")
    steps = [(await client.next(MCP_TOOL_CALL_PROGRESS)).message for _ in range(2)]
    assert steps == ["step 1", "step 2"]
    await client.next(TURN_COMPLETED)

    await turn(client, provider, thread, "die")
    await client.next(TURN_COMPLETED)
    assert "Transport closed" in provider.requests[-1]["input"][-1]["output"]
    again = await turn(client, provider, thread, "spell", word="on")
    assert again.result.content == [{"type": "text", "text": "o-n"}], "it was started again"


async def test_what_writes_is_asked_about_and_a_yes_can_hold(
    lab, home, project, connect_stdio, provider
):
    """Observed: the question; a yes for the session or for good; a no leaves things as they are."""
    configure(home, "")
    client = await connect_stdio()
    thread = await client.start(approval_policy="on-request")
    file = project / "made"
    arguments = {"path": str(file), "text": "x"}

    async def asked(answer):
        provider.says(ToolCall("write", arguments, NAMESPACE))
        provider.says("done")
        await client.begin(thread)
        id, question = await client.question(MCP_ELICITATION)
        assert question.meta["codex_approval_kind"] == "mcp_tool_call"
        assert question.meta["tool_params"] == arguments
        await client.answer(id, answer)
        done = await client.next(ITEM_COMPLETED, lambda p: isinstance(p.item, McpToolCall))
        await client.next(TURN_COMPLETED)
        return done.item

    refused = await asked(McpServerElicitationRequestResponse("decline"))
    assert (refused.status, refused.error.message) == ("failed", "user rejected MCP tool call")
    assert not file.exists()
    allowed = await asked(McpServerElicitationRequestResponse("accept", meta={"persist": "always"}))
    assert (allowed.status, file.read_text()) == ("completed", "x")
    file.unlink()
    await turn(client, provider, thread, "write", **arguments)  # and nobody is asked
    await client.next(TURN_COMPLETED)
    assert file.exists()
    assert 'approval_mode = "approve"' in (home / "config.toml").read_text()


async def test_a_server_asks_the_user_through_the_client(lab, connect_stdio):
    """Observed: also outside a turn; under `never` it is told no."""
    client = await connect_stdio()
    thread = await client.start(approval_policy="on-request")
    await is_ready(client)
    async with trio.open_nursery() as nursery:
        said = []

        async def ask():
            answer = await client.call(MCP_TOOL_CALL, call(thread, "greet"))
            said.append(answer.content[0]["text"])

        nursery.start_soon(ask)
        id, question = await client.question(MCP_ELICITATION)
        assert (question.message, question.turn_id) == ("Your name?", None)
        await client.answer(
            id, McpServerElicitationRequestResponse("accept", content={"name": "Ann"})
        )
    assert said == ["Hello Ann"]
    quiet = await client.start(approval_policy="never")
    answer = await client.call(MCP_TOOL_CALL, call(quiet, "greet"))
    assert answer.content[0]["text"] == "decline"


async def test_a_server_is_asked_without_a_thread_too(lab, home, connect_stdio, monkeypatch):
    """Observed: status and resources; a server sees few variables, and only its own."""
    monkeypatch.setenv("LAB_SECRET", "x")
    configure(home, 'env = { OWN = "1" }\n[mcp_servers.gone]\ncommand = "/no/such/program"\n')
    client = await connect_stdio()
    listed = await client.call(MCP_SERVER_STATUS_LIST, ListMcpServerStatusParams())
    status = {server.name: server for server in listed.data}
    assert status["gone"].tools == {}
    assert status["lab"].tools["spell"].annotations["readOnlyHint"] is True
    assert [r.uri for r in status["lab"].resources] == ["lab://note"]
    read = await client.call(MCP_RESOURCE_READ, McpResourceReadParams("lab", "lab://note"))
    assert read.contents[0]["text"] == "remember the milk"
    with pytest.raises(RpcError, match=r"resources/read failed for `gone`"):
        await client.call(MCP_RESOURCE_READ, McpResourceReadParams("gone", "lab://note"))

    thread = await client.start()
    answer = await client.call(MCP_TOOL_CALL, call(thread, "environment"))
    seen = [part["text"] for part in answer.content]
    assert "OWN" in seen
    assert "LAB_SECRET" not in seen


async def test_a_server_at_an_address_is_used_like_a_program(home, connect_stdio):
    """Observed: streamable HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    configure(home, f'\n[mcp_servers.lab]\nurl = "http://127.0.0.1:{port}/mcp"\n')
    async with trio.open_nursery() as nursery:
        start = [sys.executable, str(LAB), "http", str(port)]
        run = partial(trio.run_process, start, stderr=-1, check=False)
        process = await nursery.start(run)
        with trio.fail_after(20):
            while True:
                try:
                    await (await trio.open_tcp_stream("127.0.0.1", port)).aclose()
                    break
                except OSError:
                    await trio.sleep(0.05)  # it does not say when it is there
        client = await connect_stdio()
        thread = await client.start()
        await is_ready(client)
        answer = await client.call(MCP_TOOL_CALL, call(thread, "spell", word="owl"))
        assert answer.content[0]["text"] == "o-w-l"
        process.terminate()


async def test_servers_change_with_the_configuration_and_end_with_the_thread(
    lab, home, connect_stdio, provider
):
    """Observed: a reload counts from the next turn on.  Ours: an unloaded thread leaves nothing."""
    configure(home, "\n[atrio]\nunload_grace_seconds = 0\n")
    client = await connect_stdio()
    thread = await client.start()
    await is_ready(client)
    assert len(programs(connect_stdio.server)) == 1
    text = (home / "config.toml").read_text()
    (home / "config.toml").write_text(text.replace("[mcp_servers.lab]", "[mcp_servers.new]"))
    await client.call(MCP_SERVER_RELOAD, Nothing())
    provider.says("done")
    await client.begin(thread)
    await is_ready(client, "new")
    await client.next(ITEM_COMPLETED, lambda p: isinstance(p.item, AgentMessage))
    await client.next(TURN_COMPLETED)
    [running] = programs(connect_stdio.server)
    names = [tool.get("name") for tool in provider.requests[-1]["tools"]]
    assert "mcp__new__" in names
    assert NAMESPACE not in names
    await client.call(THREAD_UNSUBSCRIBE, ThreadUnsubscribeParams(thread.id))
    with trio.fail_after(10):
        while running.is_running() and running.status() != psutil.STATUS_ZOMBIE:
            await trio.sleep(0.02)  # no message says that a process has ended


BROKEN = {
    "garbage": ["/bin/sh", "-c", "yes garbage"],
    "silent": ["sleep", "60"],
    "liar": ["/bin/sh", "-c", """read x; echo '{"jsonrpc":"2.0","id":0,"result":{"tools":1}}'"""],
    "exits": ["false"],
}


async def test_a_server_that_does_not_work_harms_nobody(lab, home, connect_stdio, provider):
    """Ours: garbage, silence, lies and an early end are told by name, and the turn goes on."""
    for name, argv in BROKEN.items():
        configure(
            home,
            f"[mcp_servers.{name}]\ncommand = '{argv[0]}'\nargs = {json.dumps(argv[1:])}\n"
            "startup_timeout_sec = 0.5\n",
        )
    client = await connect_stdio()
    thread = await client.start()
    item = await turn(client, provider, thread, "spell", word="owl")
    await client.next(TURN_COMPLETED)
    assert item.status == "completed"
    told = {}
    for _ in BROKEN:
        said = await client.next(MCP_SERVER_STARTUP_STATUS_UPDATED, lambda p: p.status == "failed")
        told[said.name] = said.error
    assert set(told) == set(BROKEN)
    assert "timed out after 0.5 seconds" in told["silent"]
    assert "handshaking with MCP server failed" in told["exits"]
