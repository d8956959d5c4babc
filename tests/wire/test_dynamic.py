"""A client's own tools, through the whole server."""

import pytest

from protocol.dynamic import DynamicToolCallResponse
from protocol.errors import RpcError
from protocol.item import DynamicToolCall, InputTextContent
from protocol.loading import ThreadForkParams, ThreadResumeParams
from protocol.methods import (
    DYNAMIC_TOOL_CALL,
    ITEM_COMPLETED,
    SERVER_REQUEST_RESOLVED,
    THREAD_FORK,
    THREAD_RESUME,
    TURN_COMPLETED,
)
from protocol.thread import DynamicToolSpec
from workers.scripted import ToolCall

LOOKUP = DynamicToolSpec(
    description="Looks a word up.",
    input_schema={"type": "object", "properties": {"word": {"type": "string"}}},
    name="lookup",
)


async def say(client, provider, thread):
    provider.says("done")
    await client.begin(thread)
    await client.next(TURN_COMPLETED)


def offered(provider):
    return [tool.get("name") for tool in provider.requests[-1]["tools"]]


async def test_the_client_does_what_the_model_calls_for(connect, provider):
    """Observed: no serverRequest/resolved follows, as no person was asked."""
    provider.says(ToolCall("lookup", {"word": "owl"}))
    provider.says("A bird.")
    client = await connect()
    thread = await client.start(dynamic_tools=[LOOKUP])
    await client.begin(thread)
    id, asked = await client.question(DYNAMIC_TOOL_CALL)
    assert (asked.tool, asked.arguments) == ("lookup", {"word": "owl"})
    await client.answer(id, DynamicToolCallResponse([InputTextContent("a bird")], success=True))
    done = await client.next(ITEM_COMPLETED, lambda p: isinstance(p.item, DynamicToolCall))
    await client.next(TURN_COMPLETED)

    assert done.item.status == "completed"
    assert provider.requests[-1]["input"][-1]["output"] == "a bird"
    assert SERVER_REQUEST_RESOLVED.name not in client.methods


async def test_the_tools_come_back_with_the_thread_and_with_its_forks(connect, provider):
    """Observed."""
    client = await connect()
    thread = await client.start(dynamic_tools=[LOOKUP])
    await say(client, provider, thread)
    await connect.restart()
    client = await connect()
    await client.call(THREAD_RESUME, ThreadResumeParams(thread_id=thread.id))
    await say(client, provider, thread)
    assert "lookup" in offered(provider)
    fork = await client.call(THREAD_FORK, ThreadForkParams(thread_id=thread.id))
    await say(client, provider, fork.thread)

    assert "lookup" in offered(provider)


async def test_a_thread_does_not_start_with_a_tool_that_no_provider_would_take(connect_stdio):
    """Observed."""
    client = await connect_stdio()
    with pytest.raises(RpcError, match="dynamic tool name must not be empty"):
        await client.start(dynamic_tools=[DynamicToolSpec("x", {}, "")])
