"""The history of a thread gives way to a summary: on demand and when it is too long."""

import pytest
import trio

from protocol.errors import RpcError
from protocol.item import ContextCompaction, TextInput
from protocol.loading import ThreadResumeParams
from protocol.maintenance import (
    ThreadCompactStartParams,
)
from protocol.methods import (
    AGENT_MESSAGE_DELTA,
    ERROR,
    ITEM_COMPLETED,
    ITEM_STARTED,
    THREAD_COMPACT_START,
    THREAD_RESUME,
    TURN_COMPLETED,
    TURN_INTERRUPT,
    TURN_STARTED,
    TURN_STEER,
    WARNING,
)
from protocol.turn import TurnInterruptParams, TurnSteerParams
from tests.model import HEAD
from workers.scripted import Tokens, ToolCall

TOO_LONG = (
    b'data: {"type":"response.failed","response":{"id":"r","error":'
    b'{"code":"context_length_exceeded","message":"too long"}}}\n\n'
)


def compaction(params) -> bool:
    return isinstance(params.item, ContextCompaction)


async def converse(client, provider, *questions: str, **params):
    thread = await client.start(**params)
    for question in questions:
        provider.says(f"Answer to {question}")
        await client.begin(thread, question)
        await client.next(TURN_COMPLETED)
    return thread


async def compacted(client, thread) -> str:
    """Compact and wait for it; how it ended."""
    await client.call(THREAD_COMPACT_START, ThreadCompactStartParams(thread.id))
    return (await client.next(TURN_COMPLETED)).turn.status


def spoken(request) -> list[tuple[str, str]]:
    """Role and first text of each message of a request."""
    return [
        (item["role"], item["content"][0]["text"].split("\n")[0])
        for item in request["input"]
        if item["type"] == "message"
    ]


async def test_a_summary_takes_the_place_of_the_history(connect, provider):
    """Observed: a turn of its own; then the user's words, the summary, the context once more."""
    client = await connect()
    thread = await converse(client, provider, "One?", "Two?")
    provider.says("They asked twice.")
    assert await compacted(client, thread) == "completed"
    await client.begin(thread, "Three?")
    await client.next(TURN_COMPLETED)
    asked, after = provider.requests[2:]

    assert asked["tools"] == []
    assert [text for role, text in spoken(asked) if role == "assistant"]
    assert [role for role, _ in spoken(after)] == [*["user"] * 3, "developer", *["user"] * 2]
    assert [text for _, text in spoken(after)[:2]] == ["One?", "Two?"]
    assert "They asked twice." in after["input"][2]["content"][0]["text"]
    assert spoken(after)[-1] == ("user", "Three?")
    assert await client.next(ITEM_COMPLETED, compaction)
    assert await client.next(WARNING)


async def test_a_compaction_survives_a_restart(connect, provider):
    """Observed: the file says what the history begins with; its turn is among the stored ones."""
    client = await connect()
    thread = await converse(client, provider, "One?")
    provider.says("The summary.")
    await compacted(client, thread)
    await connect.restart()
    client = await connect()
    resumed = await client.call(THREAD_RESUME, ThreadResumeParams(thread_id=thread.id))
    await client.begin(thread, "Two?")
    await client.next(TURN_COMPLETED)

    assert isinstance(resumed.thread.turns[1].items[0], ContextCompaction)
    assert [role for role, _ in spoken(provider.requests[2])] == [
        *["user"] * 2,
        "developer",
        *["user"] * 2,
    ]


async def test_a_full_context_is_compacted_before_the_turn(connect_stdio, provider, home):
    """Observed: from `model_auto_compact_token_limit` on, inside the turn that asks for more."""
    config = home / "config.toml"
    config.write_text("model_auto_compact_token_limit = 100\n" + config.read_text())
    provider.says("One", Tokens(input=200))
    provider.says("The summary.")
    client = await connect_stdio()
    thread = await client.start()
    for question in ("One?", "Two?"):
        turn = await client.begin(thread, question)
        await client.next(TURN_COMPLETED)

    assert (await client.next(ITEM_COMPLETED, compaction)).turn_id == turn.id
    assert spoken(provider.requests[2])[-1] == ("user", "Two?")
    assert "The summary." in str(provider.requests[2]["input"])


async def test_a_full_context_is_compacted_between_two_calls(connect_stdio, provider, home):
    """Observed: the context stands before the user's last words, and nothing is said after."""
    config = home / "config.toml"
    config.write_text("model_auto_compact_token_limit = 100\n" + config.read_text())
    provider.says(ToolCall("exec_command", {"cmd": "echo hello"}), Tokens(input=200))
    provider.says("The summary.")
    client = await connect_stdio()
    await client.begin(await client.start(), "Run it")
    await client.next(TURN_COMPLETED)
    after = spoken(provider.requests[2])

    assert [role for role, _ in after] == ["developer", "user", "user", "user"]
    assert after[2] == ("user", "Run it")
    assert "hello" in str(provider.requests[1]["input"])


async def test_a_turn_that_was_too_long_is_followed_by_a_compaction(connect, provider):
    """Observed for the first time; ours for each further one."""
    client = await connect()
    thread = await converse(client, provider, "One?")
    for _ in range(2):
        provider.sends(HEAD, TOO_LONG)
        await client.begin(thread, "More?")
        error = (await client.next(ERROR)).error
        assert error.codex_error_info == "contextWindowExceeded"
        await client.next(TURN_COMPLETED)
        provider.says("The summary.")
    await client.begin(thread, "Now?")

    assert await client.next(ITEM_COMPLETED, compaction)
    assert (await client.next(TURN_COMPLETED)).turn.status == "completed"


async def test_a_summary_of_too_much_is_asked_for_with_less(connect, provider):
    """Observed: the oldest items are left out until the provider takes the request."""
    client = await connect()
    thread = await converse(client, provider, "One?", "Two?")
    provider.sends(HEAD, TOO_LONG)
    provider.says("The summary.")

    assert await compacted(client, thread) == "completed"
    assert len(provider.requests[3]["input"]) == len(provider.requests[2]["input"]) - 1


async def test_a_compaction_that_fails_leaves_the_history(connect, provider):
    """Observed: the turn fails with the provider's error."""
    client = await connect()
    thread = await converse(client, provider, "One?")
    provider.sends(b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n")
    assert await compacted(client, thread) == "failed"
    await client.begin(thread, "Two?")
    await client.next(TURN_COMPLETED)

    assert ("assistant", "Answer to One?") in spoken(provider.requests[2])


async def test_a_compaction_takes_no_input_and_can_be_interrupted(connect, provider):
    """Observed for a steer; ours for `turn/start`, whose input would be lost."""
    client = await connect()
    thread = await converse(client, provider, "One?")
    await client.next(TURN_STARTED)
    provider.says(trio.Event(), "never")
    await client.call(THREAD_COMPACT_START, ThreadCompactStartParams(thread.id))
    turn = (await client.next(TURN_STARTED)).turn
    await client.next(ITEM_STARTED, compaction)
    with pytest.raises(RpcError, match="^cannot steer a compact turn$") as refused:
        await client.call(TURN_STEER, TurnSteerParams(turn.id, [TextInput("more")], thread.id))
    with pytest.raises(RpcError, match="^cannot steer a compact turn$"):
        await client.begin(thread, "more")
    await client.call(TURN_INTERRUPT, TurnInterruptParams(thread.id, turn.id))

    info = refused.value.data["codexErrorInfo"]
    assert info == {"activeTurnNotSteerable": {"turnKind": "compact"}}
    assert (await client.next(TURN_COMPLETED)).turn.status == "interrupted"


async def test_a_compaction_interrupts_the_turn_that_runs(connect, provider):
    """Observed."""
    client = await connect()
    thread = await client.start()
    provider.says("Slow", trio.Event(), "never")
    provider.says("The summary.")
    await client.begin(thread, "One?")
    await client.next(AGENT_MESSAGE_DELTA)
    await client.call(THREAD_COMPACT_START, ThreadCompactStartParams(thread.id))

    assert (await client.next(TURN_COMPLETED)).turn.status == "interrupted"
    assert (await client.next(TURN_COMPLETED)).turn.status == "completed"
