"""A turn from start to end, and everything that can go wrong on the way."""

import psutil
import pytest
import trio
import trio.lowlevel

from protocol.errors import RpcError
from protocol.item import (
    AgentMessage,
    CommandExecution,
    FileChange,
    Reasoning,
    TextInput,
    UserMessage,
)
from protocol.methods import (
    AGENT_MESSAGE_DELTA,
    ERROR,
    ITEM_COMPLETED,
    ITEM_STARTED,
    THREAD_STATUS_CHANGED,
    THREAD_TOKEN_USAGE_UPDATED,
    TURN_COMPLETED,
    TURN_INTERRUPT,
    TURN_STEER,
)
from protocol.thread import SystemErrorStatus
from protocol.turn import TurnInterruptParams, TurnSteerParams
from tests.model import HEAD
from workers.scripted import Message, Patch, Tokens, ToolCall
from workers.scripted import Reasoning as Thoughts

PATCH = "*** Begin Patch\n*** Add File: new.txt\n+hello\n*** End Patch\n"
USAGE = Tokens(input=100, cached=40, output=20, reasoning=5)


def of_kind(kind):
    return lambda params: isinstance(params.item, kind)


async def test_a_turn_is_told_in_order(connect, provider):
    """Observed: started, the user's item, the model's items, usage, idle, completed."""
    provider.says(Thoughts("I think.", pause=0), "Hello there", USAGE)
    client = await connect()
    thread = await client.start()
    turn = await client.begin(thread, "Hi")
    done = await client.next(TURN_COMPLETED)

    assert (done.turn.id, done.turn.status, done.turn.items) == (turn.id, "completed", [])
    told = [m for m in client.methods if m.split("/")[0] in ("turn", "item")]
    assert [m for m in told if "delta" not in m.lower() and "Part" not in m] == [
        "turn/started",
        *["item/started", "item/completed"] * 3,
        "turn/completed",
    ]
    items = [h.params.item for h in client.heard if h.method == ITEM_COMPLETED.name]
    assert [type(item) for item in items] == [UserMessage, Reasoning, AgentMessage]
    deltas = [h.params.delta for h in client.heard if h.method == AGENT_MESSAGE_DELTA.name]
    assert "".join(deltas) == items[-1].text == "Hello there"


async def test_the_tokens_of_a_turn_are_told(connect, provider):
    """Observed: `last` is the response, `total` the thread."""
    provider.says("One", USAGE)
    provider.says("Two", USAGE)
    client = await connect()
    thread = await client.start()
    for _ in range(2):
        await client.begin(thread)
        await client.next(TURN_COMPLETED)
    told = [h.params for h in client.heard if h.method == THREAD_TOKEN_USAGE_UPDATED.name]

    usage = told[-1].token_usage
    assert (usage.last.input_tokens, usage.last.cached_input_tokens) == (100, 40)
    assert (usage.total.input_tokens, usage.total.output_tokens) == (200, 40)


async def test_text_streams_before_the_response_ends(connect, provider):
    """Ours: a delta is passed on when it comes."""
    gate = trio.Event()
    provider.says("First", gate, "Second")
    client = await connect()
    await client.begin(await client.start())
    delta = await client.next(AGENT_MESSAGE_DELTA)

    assert delta.delta == "First"
    assert TURN_COMPLETED.name not in client.methods
    gate.set()
    assert (await client.next(TURN_COMPLETED)).turn.status == "completed"


async def test_the_model_sees_the_turns_before(connect, provider):
    """Observed: the input of a request holds the whole conversation."""
    provider.says("My name is Scripted.")
    provider.says("As I said.")
    client = await connect()
    thread = await client.start()
    for text in ("Who are you?", "Who?"):
        await client.begin(thread, text)
        await client.next(TURN_COMPLETED)
    second = str(provider.requests[1]["input"])

    assert "Who are you?" in second
    assert "My name is Scripted." in second


async def test_a_command_runs_and_the_model_gets_its_output(connect, provider, project):
    """Observed: the item carries command, output and exit code."""
    provider.says(ToolCall("exec_command", {"cmd": "echo out; echo err >&2; exit 3"}))
    provider.says("Done")
    client = await connect()
    await client.begin(await client.start(cwd=str(project)))
    item = (await client.next(ITEM_COMPLETED, of_kind(CommandExecution))).item
    await client.next(TURN_COMPLETED)

    assert isinstance(item, CommandExecution)
    assert (item.exit_code, item.status, item.cwd) == (3, "failed", str(project))
    assert "out" in (item.aggregated_output or "")
    assert "err" in (item.aggregated_output or "")
    assert "Process exited with code 3" in str(provider.requests[1]["input"])


async def test_a_patch_changes_files(connect, provider, project):
    """Observed: the item carries the change, and the file is there when it completes."""
    provider.says(Patch(PATCH))
    client = await connect()
    await client.begin(await client.start(cwd=str(project)))
    item = (await client.next(ITEM_COMPLETED, of_kind(FileChange))).item
    written = (project / "new.txt").read_text()
    await client.next(TURN_COMPLETED)

    assert isinstance(item, FileChange)
    assert (item.status, written) == ("completed", "hello\n")


async def test_a_failing_tool_is_told_to_the_model_and_the_turn_goes_on(connect, provider, project):
    """Observed: a patch that does not apply, an unknown tool, arguments of the wrong shape."""
    provider.says(
        Patch("*** Begin Patch\n*** Update File: absent.txt\n@@\n-a\n+b\n*** End Patch\n"),
        ToolCall("no_such_tool", {}),
        ToolCall("exec_command", {"cmd": ["not", "a", "text"]}),
    )
    provider.says("I see.")
    client = await connect()
    await client.begin(await client.start(cwd=str(project)))
    done = await client.next(TURN_COMPLETED)

    assert done.turn.status == "completed"
    assert "unsupported call: no_such_tool" in str(provider.requests[1]["input"])


async def test_input_can_be_added_to_a_running_turn(connect, provider):
    """Observed: the next request to the model holds it."""
    gate = trio.Event()
    provider.says("Working", gate)
    provider.says("Understood")
    client = await connect()
    thread = await client.start()
    turn = await client.begin(thread)
    await client.next(AGENT_MESSAGE_DELTA)
    answer = await client.call(
        TURN_STEER,
        TurnSteerParams(
            thread_id=thread.id, expected_turn_id=turn.id, input=[TextInput("Mind the gap")]
        ),
    )
    gate.set()
    await client.next(TURN_COMPLETED)

    assert answer.turn_id == turn.id
    assert "Mind the gap" in str(provider.requests[1]["input"])


async def test_steering_another_turn_than_the_running_one_is_refused(connect, provider):
    """Observed: `expectedTurnId` guards against a race."""
    client = await connect()
    thread = await client.start()
    with pytest.raises(RpcError):
        await client.call(
            TURN_STEER,
            TurnSteerParams(thread_id=thread.id, expected_turn_id="x", input=[TextInput("x")]),
        )


async def test_an_interrupt_ends_a_turn_that_streams(connect, provider):
    """Observed: the status is `interrupted`, and the next turn works."""
    provider.says("Working", trio.Event())
    provider.says("Again")
    client = await connect()
    thread = await client.start()
    turn = await client.begin(thread)
    await client.next(AGENT_MESSAGE_DELTA)
    await client.call(TURN_INTERRUPT, TurnInterruptParams(thread_id=thread.id, turn_id=turn.id))
    assert (await client.next(TURN_COMPLETED)).turn.status == "interrupted"

    await client.begin(thread)
    assert (await client.next(TURN_COMPLETED)).turn.status == "completed"


async def test_an_interrupt_ends_the_command_that_runs(connect, provider, project):
    """Ours: no process of an interrupted call goes on."""
    provider.says(ToolCall("exec_command", {"cmd": "sleep 600", "yield_time_ms": 30_000}))
    client = await connect()
    thread = await client.start(cwd=str(project))
    turn = await client.begin(thread)
    await client.next(ITEM_STARTED, of_kind(CommandExecution))
    await client.call(TURN_INTERRUPT, TurnInterruptParams(thread_id=thread.id, turn_id=turn.id))

    assert (await client.next(TURN_COMPLETED)).turn.status == "interrupted"


async def test_the_thread_is_free_when_a_turn_has_completed(connect, provider):
    """Ours: the reference can refuse what comes right after `turn/completed`."""
    client = await connect()
    thread = await client.start()
    for _ in range(5):
        turn = await client.begin(thread)
        assert (await client.next(TURN_COMPLETED)).turn.id == turn.id


BROKEN = {
    "an error page": b"HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\n"
    b"content-length: 15\r\n\r\n<html>no</html>",
    "HTML instead of a stream": b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n"
    b"content-length: 15\r\n\r\n<html>no</html>",
    "a stream that is cut": HEAD
    + b'data: {"type":"response.output_text.delta","item_id":"m","delta":"x"}\n\n',
    "a line that is no JSON": HEAD + b"data: {nonsense\n\n",
    "no HTTP at all": b"\0\1\2\3 what?\r\n\r\n",
    "nothing": b"",
}


@pytest.mark.parametrize("reply", BROKEN.values(), ids=BROKEN.keys())
async def test_a_broken_provider_fails_the_turn_and_not_the_thread(connect, provider, reply):
    """Observed: an `error`, the turn fails; ours: the next one works."""
    provider.sends(reply)
    provider.says("Back again")
    client = await connect()
    thread = await client.start()
    await client.begin(thread)
    error = await client.next(ERROR)
    done = await client.next(TURN_COMPLETED)

    assert error.error.message
    assert done.turn.status == "failed"
    await client.begin(thread)
    assert (await client.next(TURN_COMPLETED)).turn.status == "completed"


async def test_a_provider_that_is_not_there_fails_the_turn(connect, home, provider):
    """Observed: an `error` that names the connection, not a hang."""
    config = (home / "config.toml").read_text()
    (home / "config.toml").write_text(config.replace(provider.base_url, "http://127.0.0.1:9/v1"))
    client = await connect()
    await client.begin(await client.start())

    assert (await client.next(TURN_COMPLETED)).turn.status == "failed"


async def test_a_provider_that_falls_silent_fails_the_turn(connect_stdio, home, provider):
    """Observed: `stream_idle_timeout_ms` bounds the silence."""
    config = (home / "config.toml").read_text()
    (home / "config.toml").write_text(config.replace("= 5000", "= 200"))
    provider.says("A beginning", trio.Event())
    client = await connect_stdio()
    await client.begin(await client.start())

    assert (await client.next(TURN_COMPLETED)).turn.status == "failed"


async def test_unknown_events_of_a_provider_are_passed_over(connect_stdio, provider):
    """Ours: newer providers say more than we know."""
    provider.sends(
        HEAD,
        b'event: response.hologram\ndata: {"type":"response.hologram","x":[1]}\n\n',
        b': a comment\n\ndata: {"type":"response.completed","response":{"id":"r"}}\n\n',
    )
    client = await connect_stdio()
    await client.begin(await client.start())

    assert (await client.next(TURN_COMPLETED)).turn.status == "completed"


async def test_the_death_of_a_worker_is_told_and_the_next_turn_works(connect, provider):
    """Ours (DESIGN 6): the turn fails with a reason, the thread comes back from its file."""
    provider.says("Before")
    provider.says("Half a", trio.Event())
    provider.says("After")
    client = await connect()
    thread = await client.start()
    await client.begin(thread, "one")
    await client.next(TURN_COMPLETED)
    turn = await client.begin(thread, "two")
    await client.next(AGENT_MESSAGE_DELTA, lambda delta: delta.turn_id == turn.id)
    await connect.server.kill(*connect.server.nursery().children())

    done = await client.next(TURN_COMPLETED)
    assert (done.turn.id, done.turn.status) == (turn.id, "failed")
    assert "worker" in done.turn.error.message
    await client.next(THREAD_STATUS_CHANGED, lambda p: isinstance(p.status, SystemErrorStatus))
    await client.begin(thread, "three")
    assert (await client.next(TURN_COMPLETED)).turn.status == "completed"
    assert "Before" in str(provider.requests[-1]["input"])


async def test_a_command_dies_with_its_worker(connect_stdio, provider, project):
    """Ours: kill the worker and its commands go too."""
    provider.says(ToolCall("exec_command", {"cmd": "sleep 601", "yield_time_ms": 30_000}))
    client = await connect_stdio()
    thread = await client.start(cwd=str(project))
    await client.begin(thread)
    await client.next(ITEM_STARTED, of_kind(CommandExecution))
    server = connect_stdio.server
    commands = await sleeping(server, "601")
    await server.kill(*server.nursery().children())
    await client.next(TURN_COMPLETED)

    with trio.fail_after(10):
        while any(command.is_running() for command in commands):
            await trio.sleep(0.02)


def arguments(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []  # it ends just now


async def sleeping(server, argument: str):
    with trio.fail_after(10):
        while True:
            if found := [p for p in server.processes() if argument in arguments(p)]:
                return found
            await trio.sleep(0.02)


async def test_the_death_of_the_nursery_process_does_not_end_the_server(connect, provider):
    """Ours: another one is started, and threads can be started again."""
    client = await connect()
    first = connect.server.nursery()
    await connect.server.kill(first)
    thread = await client.start()
    await client.begin(thread)

    assert (await client.next(TURN_COMPLETED)).turn.status == "completed"


@pytest.mark.parametrize("running", [False, True])
async def test_a_killed_server_leaves_no_process_behind(connect, provider, project, running):
    """Ours: a worker ends with its link, and its commands with it."""
    provider.says(ToolCall("exec_command", {"cmd": "sleep 602", "yield_time_ms": 30_000}))
    client = await connect()
    thread = await client.start(cwd=str(project))
    if running:
        await client.begin(thread)
        await sleeping(connect.server, "602")
    await connect.server.kill()
    await client.gone()
    await connect.server.empty()


async def test_a_message_of_many_pieces_arrives_whole(connect, provider):
    """Ours: no delta is lost or out of order, however they travel together."""
    provider.says(Message("word ", pause=0, repeat=5_000))
    client = await connect()
    await client.begin(await client.start())
    await client.next(TURN_COMPLETED)
    deltas = [h.params.delta for h in client.heard if h.method == AGENT_MESSAGE_DELTA.name]

    assert "".join(deltas) == "word " * 5_000
