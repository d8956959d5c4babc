"""What a client was shown of a turn is what anybody reads later: each item, once, as it was."""

import base64

import trio
from msgspec.structs import replace

from protocol.dynamic import DynamicToolCallResponse
from protocol.item import (
    AgentMessage,
    CommandExecution,
    ContextCompaction,
    InputTextContent,
    Reasoning,
    UserMessage,
)
from protocol.loading import ThreadResumeParams
from protocol.maintenance import ThreadCompactStartParams, ThreadRollbackParams
from protocol.methods import (
    DYNAMIC_TOOL_CALL,
    ITEM_COMPLETED,
    THREAD_COMPACT_START,
    THREAD_READ,
    THREAD_RESUME,
    THREAD_ROLLBACK,
    TURN_COMPLETED,
    TURN_STARTED,
)
from protocol.model import CollaborationMode, CollaborationSettings
from protocol.thread import DynamicToolSpec, ThreadReadParams
from tests.model import HEAD
from workers import scripted
from workers.scripted import Patch, ToolCall

LOOK = DynamicToolSpec(description="Looks.", input_schema={"type": "object"}, name="look")
PLAN_MODE = CollaborationMode("plan", CollaborationSettings("gpt-5.4"))
PLAN = "<proposed_plan>\n# Build it\n</proposed_plan>\n"
PATCH = "*** Begin Patch\n*** Add File: new.txt\n+new\n*** End Patch"
DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SEARCHED = (
    b'data: {"type":"response.output_item.done","item":{"type":"web_search_call","id":"ws1",'
    b'"status":"completed","action":{"type":"search","query":"owls"}}}\n\n'
    b'data: {"type":"response.completed","response":{"id":"r"}}\n\n'
)


def shown(items):
    """Items without the ids that a file does not keep, those of what was said and thought."""
    unkept = UserMessage | AgentMessage | Reasoning | ContextCompaction
    return [replace(item, id="") if isinstance(item, unkept) else item for item in items]


async def read(client, thread):
    params = ThreadReadParams(thread_id=thread.id, include_turns=True)
    return (await client.call(THREAD_READ, params)).thread.turns


async def answer_look(client):
    id, _ = await client.question(DYNAMIC_TOOL_CALL)
    await client.answer(id, DynamicToolCallResponse([InputTextContent("seen")], success=True))


def told(client):
    return [heard.params.item for heard in client.heard if heard.method == ITEM_COMPLETED.name]


async def test_every_kind_of_item_reads_back_as_it_was_told(connect, provider, project):
    """Ours: the reference server forgets commands, images looked at and calls of clients' tools."""
    (project / "dot.png").write_bytes(DOT)
    echo = ToolCall("exec_command", {"cmd": "echo hi; echo ho >&2"})
    provider.says(scripted.Reasoning("Where am I?", pause=0), "I look.", echo)
    provider.says(ToolCall("exec_command", {"cmd": "exit 3"}), ToolCall("look", {"at": 1}))
    provider.says(ToolCall("view_image", {"path": "dot.png"}), Patch(PATCH))
    provider.sends(HEAD, SEARCHED)
    provider.says(PLAN)
    provider.says("summary")
    client = await connect()
    thread = await client.start(dynamic_tools=[LOOK])
    await client.begin(thread, "Look around.")
    await answer_look(client)
    await client.next(TURN_COMPLETED)
    await client.begin(thread, "Plan it.", collaboration_mode=PLAN_MODE)
    await client.next(TURN_COMPLETED)
    await client.call(THREAD_COMPACT_START, ThreadCompactStartParams(thread.id))
    await client.next(TURN_COMPLETED)
    said = told(client)
    await connect.restart()
    client = await connect()
    turns = await read(client, thread)
    resumed = await client.call(THREAD_RESUME, ThreadResumeParams(thread_id=thread.id))

    assert shown(item for turn in turns for item in turn.items) == shown(said)
    assert {item.__class__.__name__ for item in said} == {
        *("UserMessage", "AgentMessage", "Reasoning", "CommandExecution", "DynamicToolCall"),
        *("ImageView", "FileChange", "WebSearch", "Plan", "ContextCompaction"),
    }
    assert resumed.thread.turns == await read(client, thread)


async def test_a_rollback_takes_the_commands_with_it(connect_stdio, provider):
    """Ours: they belong to their turn."""
    client = await connect_stdio()
    thread = await client.start()
    for text in ("one", "two"):
        provider.says(ToolCall("exec_command", {"cmd": f"echo {text}"}))
        provider.says(text)
        await client.begin(thread, text)
        await client.next(TURN_COMPLETED)
    await client.call(THREAD_ROLLBACK, ThreadRollbackParams(1, thread.id))
    await connect_stdio.restart()

    (turn,) = await read(await connect_stdio(), thread)
    (command,) = [item for item in turn.items if isinstance(item, CommandExecution)]
    assert (command.aggregated_output, command.exit_code) == ("one\n", 0)


async def test_a_failed_turn_reads_back_with_what_it_did_and_why_it_failed(connect, provider):
    """Ours: what a client was told stays true."""
    provider.says(ToolCall("exec_command", {"cmd": "echo one"}))
    provider.sends(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\nno")
    client = await connect()
    thread = await client.start()
    await client.begin(thread)
    done = await client.next(TURN_COMPLETED)
    said = told(client)
    await connect.restart()

    (turn,) = await read(await connect(), thread)
    assert (turn.status, turn.error) == ("failed", done.turn.error)
    assert shown(turn.items) == shown(said)


async def test_who_joins_a_running_thread_misses_nothing_and_hears_nothing_twice(
    connect_ws, provider
):
    """Observed: the answer has what is complete, and the end of the rest is heard live."""
    gate = trio.Event()
    provider.says("I look.", ToolCall("exec_command", {"cmd": "echo one"}))
    provider.says("Half", gate)
    provider.says("Later.")
    first, second = await connect_ws(), await connect_ws()
    thread = await first.start()
    await first.begin(thread, "Look.")
    await first.next(ITEM_COMPLETED, lambda p: isinstance(p.item, CommandExecution))
    joined = await second.call(THREAD_RESUME, ThreadResumeParams(thread_id=thread.id))
    (turn,) = joined.thread.turns
    gate.set()
    await first.next(TURN_COMPLETED)
    await second.next(TURN_COMPLETED)
    items = [*turn.items, *told(second)]

    assert turn.status == "inProgress"
    assert shown(items) == shown(told(first))
    assert TURN_STARTED.name not in second.methods
    assert shown((await read(first, thread))[0].items) == shown(items)
