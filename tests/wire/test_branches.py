"""Threads that are forked and resumed in every way there is, and what is refused on the way."""

import pytest
import trio

from protocol.errors import RpcError
from protocol.item import AgentMessage, TextInput, UserMessage
from protocol.loading import ThreadForkParams, ThreadResumeParams
from protocol.methods import (
    AGENT_MESSAGE_DELTA,
    THREAD_FORK,
    THREAD_READ,
    THREAD_RESUME,
    TURN_COMPLETED,
    TURN_STEER,
)
from protocol.thread import ThreadReadParams
from protocol.turn import TurnSteerParams

TORN = b'{"timestamp":"2025-01-01T00:00:00Z","type":"response_it'


def said(thread) -> list[list[str]]:
    """What was said in each turn, by both."""
    return [
        [item.text if isinstance(item, AgentMessage) else item.content[0].text for item in items]
        for items in (
            [item for item in turn.items if isinstance(item, UserMessage | AgentMessage)]
            for turn in thread.turns
        )
    ]


async def converse(client, provider, thread, question):
    provider.says(f"Answer to {question}")
    await client.begin(thread, question)
    await client.next(TURN_COMPLETED, lambda done: done.thread_id == thread.id)


async def fork(client, thread, **params):
    asked = ThreadForkParams(thread_id=thread.id, **params)
    return await client.call(THREAD_FORK, asked)


async def read(client, thread):
    asked = ThreadReadParams(thread_id=thread.id, include_turns=True)
    return (await client.call(THREAD_READ, asked)).thread


async def test_a_fork_of_a_running_thread_has_what_was_complete(connect, provider):
    """Observed: the turn that runs reads as interrupted there, and goes on in its own thread."""
    gate = trio.Event()
    client = await connect()
    thread = await client.start()
    await converse(client, provider, thread, "One?")
    provider.says("Half ", gate, "whole")
    await client.begin(thread, "Two?")
    await client.next(AGENT_MESSAGE_DELTA, lambda delta: "Half" in delta.delta)
    other = (await fork(client, thread)).thread
    gate.set()
    await client.next(TURN_COMPLETED, lambda done: done.thread_id == thread.id)
    await converse(client, provider, other, "Three?")

    assert said(other) == [["One?", "Answer to One?"], ["Two?", "Half "]]
    assert [turn.status for turn in other.turns] == ["completed", "interrupted"]
    assert (await read(client, thread)).turns[-1].status == "completed"
    assert said(await read(client, other))[-1] == ["Three?", "Answer to Three?"]


async def test_a_fork_by_path_of_a_file_with_a_torn_end(connect, provider, home):
    """Ours: the source stays as it is, and the fork begins whole."""
    client = await connect()
    thread = await client.start()
    await converse(client, provider, thread, "One?")
    await connect.restart()
    (file,) = home.glob("sessions/**/*.jsonl")
    file.write_bytes(file.read_bytes() + TORN)
    before = file.read_bytes()
    client = await connect()
    asked = ThreadForkParams(thread_id="", path=str(file))
    other = (await client.call(THREAD_FORK, asked)).thread
    await converse(client, provider, other, "Two?")

    assert file.read_bytes() == before
    assert said(await read(client, other)) == [
        ["One?", "Answer to One?"],
        ["Two?", "Answer to Two?"],
    ]


async def test_a_fork_may_leave_nothing_behind_and_have_settings_of_its_own(
    connect_stdio, provider, home, project
):
    """Observed: ephemeral, another model, another folder, and no turns in the answer."""
    client = await connect_stdio()
    thread = await client.start()
    await converse(client, provider, thread, "One?")
    (project / "below").mkdir()
    answer = await fork(
        client,
        thread,
        ephemeral=True,
        model="gpt-5.2",
        cwd=str(project / "below"),
        exclude_turns=True,
        base_instructions="Be brief.",
    )
    await converse(client, provider, answer.thread, "Two?")

    assert (answer.thread.turns, answer.thread.path, answer.thread.ephemeral) == ([], None, True)
    assert (answer.model, answer.cwd) == ("gpt-5.2", str(project / "below"))
    assert provider.requests[-1]["model"] == "gpt-5.2"
    assert provider.requests[-1]["instructions"] == "Be brief."
    assert "One?" in str(provider.requests[-1]["input"])
    assert len(list(home.glob("sessions/**/*.jsonl"))) == 1


async def test_a_thread_is_resumed_by_its_id_and_by_its_path(connect, provider):
    """Observed: overrides hold from the next turn on, and turns can be left out."""
    client = await connect()
    thread = await client.start()
    await converse(client, provider, thread, "One?")
    for params in (
        {"thread_id": thread.id, "model": "gpt-5.2"},
        {"thread_id": "", "path": thread.path, "exclude_turns": True, "model": "gpt-5.2"},
    ):
        await connect.restart()
        client = await connect()
        answer = await client.call(THREAD_RESUME, ThreadResumeParams(**params))
        assert (answer.thread.id, answer.model) == (thread.id, "gpt-5.2")
        assert bool(answer.thread.turns) != bool(params.get("exclude_turns"))
        await converse(client, provider, thread, "Two?")
        assert provider.requests[-1]["model"] == "gpt-5.2"
        assert "One?" in str(provider.requests[-1]["input"])


def words(role, text):
    return {"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]}


async def test_a_thread_is_begun_with_a_history_of_the_clients(connect, provider):
    """Observed: under an id of its own, and on disk from the first moment on."""
    client = await connect()
    history = [words("user", "Long ago"), words("assistant", "Indeed")]
    asked = ThreadResumeParams(thread_id="", history=history)
    thread = (await client.call(THREAD_RESUME, asked)).thread
    await converse(client, provider, thread, "One?")
    await connect.restart()
    client = await connect()
    await client.call(THREAD_RESUME, ThreadResumeParams(thread_id=thread.id))
    await converse(client, provider, thread, "Two?")

    assert thread.preview == "Long ago"
    for text in ("Long ago", "Indeed", "One?"):
        assert text in str(provider.requests[-1]["input"])


@pytest.mark.parametrize(
    ("history", "problem"),
    [
        ([], "history must not be empty"),
        ([{"role": "user"}], "missing field `type`"),
        (
            [words("user", "x"), {"type": "message", "role": "user", "content": "x"}],
            r"history\[1\]",
        ),
        ([{"type": "function_call", "name": "x", "arguments": "{}"}], "missing field `call_id`"),
    ],
)
async def test_a_history_that_no_request_could_carry_is_refused(connect_stdio, history, problem):
    """Ours: every later turn would fail of it."""
    client = await connect_stdio()
    with pytest.raises(RpcError, match=problem):
        await client.call(THREAD_RESUME, ThreadResumeParams(thread_id="", history=history))


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("thread/rollback", '"numTurns":-1'),
        ("thread/rollback", '"numTurns":4294967296'),
        ("thread/rollback", '"numTurns":1.5'),
        ("thread/rollback", '"numTurns":1e30'),
        ("thread/turns/list", '"limit":-1'),
        ("thread/turns/list", '"limit":4294967296'),
        ("thread/turns/list", '"cursor":"nonsense"'),
        ("thread/fork", '"path":7'),
        ("thread/resume", '"history":{}'),
        ("turn/start", '"input":{}'),
        ("turn/start", '"input":[{"type":"smell"}]'),
        ("turn/start", '"input":[],"effort":7'),
        ("turn/steer", '"input":[],"expectedTurnId":""'),
        ("turn/steer", '"input":[],"expectedTurnId":null'),
        ("turn/interrupt", '"turnId":[]'),
    ],
)
async def test_numbers_and_shapes_that_cannot_be_are_refused_and_lose_nothing(
    connect_stdio, provider, method, params
):
    """Observed: -32600, and the thread goes on as if nothing had been asked."""
    client = await connect_stdio()
    thread = await client.start()
    await converse(client, provider, thread, "One?")
    before = await read(client, thread)
    with pytest.raises(RpcError) as refused:
        await client.request(
            method, b'{"threadId":"%b",%b}' % (thread.id.encode(), params.encode())
        )
    assert refused.value.code == -32600
    assert await read(client, thread) == before
    await converse(client, provider, thread, "Two?")


async def test_a_turn_that_is_over_takes_no_more_input(connect_stdio, provider):
    """Observed: neither while nothing runs nor while another turn does."""
    gate = trio.Event()
    client = await connect_stdio()
    thread = await client.start()
    provider.says("one")
    over = await client.begin(thread)
    await client.next(TURN_COMPLETED)
    late = TurnSteerParams(over.id, [TextInput("Too late!")], thread.id)
    with pytest.raises(RpcError, match="^no active turn to steer$"):
        await client.call(TURN_STEER, late)
    provider.says(gate, "two")
    now = await client.begin(thread)
    problem = f"^expected active turn id `{over.id}` but found `{now.id}`$"
    with pytest.raises(RpcError, match=problem):
        await client.call(TURN_STEER, late)
    gate.set()
    await client.next(TURN_COMPLETED, lambda done: done.turn.id == now.id)
    assert "Too late!" not in str(provider.requests)
