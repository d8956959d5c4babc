"""The provider that plays a script."""

from typing import Any

import pytest
import trio

from workers.provider import (
    Completed,
    Created,
    ItemAdded,
    ItemDone,
    ModelRequest,
    ProviderError,
    SummaryDelta,
    SummaryPartAdded,
    TextDelta,
    Usage,
)
from workers.scripted import (
    DEMO,
    END,
    Message,
    Patch,
    Pause,
    Reasoning,
    Script,
    ScriptedProvider,
    Step,
    Tokens,
    ToolCall,
    load,
)

USER = {"type": "message", "role": "user", "content": []}
DEVELOPER = {"type": "message", "role": "developer", "content": []}
ASSISTANT = {"type": "message", "role": "assistant", "content": []}
CALL = {"type": "function_call", "call_id": "c"}
OUTPUT = {"type": "function_call_output", "call_id": "c"}


async def batches(script: Script, items: list[dict[str, Any]]) -> list[Any]:
    async with ScriptedProvider(script).stream(ModelRequest({"input": items})) as stream:
        return [batch async for batch in stream]


async def said(script: Script, items: list[dict[str, Any]]) -> str:
    """The text that the model says."""
    events = [event for batch in await batches(script, items) for event in batch]
    return "".join(event.delta for event in events if isinstance(event, TextDelta))


async def test_a_response_is_told_like_a_models(autojump_clock):
    """Ours: the turn cannot tell a script from a model."""
    steps: list[Step] = [
        Reasoning("Hm so", pause=0),
        Message("Hi you", pause=0),
        ToolCall("exec_command", {"cmd": "ls"}),
        Patch("*** Begin Patch"),
        Tokens(input=10, cached=4, output=5, reasoning=2),
    ]
    thought = {"type": "reasoning", "id": "rs_0_0"}
    message = {"type": "message", "role": "assistant", "id": "msg_0_1"}
    call = {"id": "call_0_2", "call_id": "call_0_2", "type": "function_call"}
    patch = {"id": "call_0_3", "call_id": "call_0_3", "type": "custom_tool_call"}

    assert await batches([steps], []) == [
        [
            Created(),
            ItemAdded({**thought, "summary": []}),
            SummaryPartAdded("rs_0_0", 0),
            SummaryDelta("rs_0_0", 0, "Hm "),
            SummaryDelta("rs_0_0", 0, "so"),
            ItemDone({**thought, "summary": [{"type": "summary_text", "text": "Hm so"}]}),
            ItemAdded({**message, "content": []}),
            TextDelta("msg_0_1", "Hi "),
            TextDelta("msg_0_1", "you"),
            ItemDone({**message, "content": [{"type": "output_text", "text": "Hi you"}]}),
            ItemDone({**call, "name": "exec_command", "arguments": '{"cmd":"ls"}'}),
            ItemDone({**patch, "name": "apply_patch", "input": "*** Begin Patch"}),
            Completed(Usage(10, 4, 5, 2, 15)),
        ]
    ]


async def test_pauses_part_the_batches(autojump_clock):
    """Ours: a demonstration is read by people."""
    steps: list[Step] = [Message("a b", pause=1), Pause(10)]

    parts = await batches([steps], [])

    assert [len(part) for part in parts] == [3, 1, 1, 1]
    assert trio.current_time() == pytest.approx(12)


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([DEVELOPER, USER], "one"),
        ([USER, CALL, OUTPUT], "two"),
        ([USER, ASSISTANT, CALL, CALL, OUTPUT, OUTPUT], "two"),
        ([USER, CALL, OUTPUT, ASSISTANT, DEVELOPER, USER], "three"),
        ([USER, ASSISTANT, USER, ASSISTANT, USER, ASSISTANT, USER], END),
    ],
)
async def test_the_history_chooses_the_response(
    items: list[dict[str, Any]], expected: str, autojump_clock
):
    """Ours: a resumed thread goes on where it was, and at the end the script says so."""
    script: Script = [[Message("one")], [Message("two")], [Message("three")]]

    assert await said(script, items) == expected


async def test_a_long_message_comes_in_several_batches(autojump_clock):
    """Ours: what is played at once is still bounded per step of the turn."""
    parts = await batches([[Message("word ", pause=0, repeat=1000)]], [])

    assert max(len(part) for part in parts) == 256
    assert sum(len(part) for part in parts) == 1004


def test_the_demonstration_says_that_it_is_one():
    """Ours: nobody shall take it for a model."""
    script = load(DEMO)
    first = [step.text for step in script[0] if isinstance(step, Reasoning | Message)]

    assert all("demonstration" in text for text in first)
    assert any(isinstance(step, ToolCall) for step in script[0])
    assert any(isinstance(step, Patch) for step in script[1])


def test_a_script_that_cannot_be_played_is_named(tmp_path):
    """Ours: the error names the file and what is wrong in it."""
    broken = tmp_path / "broken.json"
    broken.write_text('[[{"type": "dance"}]]')

    for path in (tmp_path / "missing.json", broken):
        with pytest.raises(ProviderError, match=f"{path.name} cannot be played"):
            load(path)
