"""A client puts items of its own into what the model is told."""

import pytest

from protocol.errors import RpcError
from protocol.maintenance import ThreadInjectItemsParams
from protocol.methods import THREAD_INJECT_ITEMS, TURN_COMPLETED

PLANTED = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "planted answer"}],
}


def inject(thread, *items):
    return ThreadInjectItemsParams(items=list(items), thread_id=thread.id)


async def test_what_is_injected_stands_between_the_context_and_the_question(connect, provider):
    """Observed: the context is told first, whoever speaks first."""
    client = await connect()
    thread = await client.start()
    await client.call(THREAD_INJECT_ITEMS, inject(thread, PLANTED))

    provider.says("fine")
    await client.begin(thread, "first question")
    await client.next(TURN_COMPLETED)

    asked = provider.requests[-1]["input"]
    assert [item["role"] for item in asked] == ["developer", "user", "assistant", "user"]
    assert asked[2] == PLANTED


@pytest.mark.parametrize(
    ("items", "problem"),
    [
        ([], "items must not be empty"),
        ([5], "items[0] is not a valid response item: it is no object"),
        ([PLANTED, {"x": 1}], "items[1] is not a valid response item: missing field `type`"),
        (
            [{"type": "message"}],
            "items[0] is not a valid response item: missing field `role`",
        ),
    ],
)
async def test_items_that_no_request_could_carry_are_refused(connect, items, problem):
    """Observed: the codes; the words are ours."""
    client = await connect()
    thread = await client.start()

    with pytest.raises(RpcError) as refused:
        await client.call(THREAD_INJECT_ITEMS, inject(thread, *items))

    assert refused.value.message == problem


async def test_items_of_an_unknown_kind_are_taken_and_not_sent(connect, provider):
    """Observed: a newer client may know kinds that we do not."""
    client = await connect()
    thread = await client.start()
    await client.call(THREAD_INJECT_ITEMS, inject(thread, {"type": "riddle", "x": 1}))

    provider.says("fine")
    await client.begin(thread, "question")
    await client.next(TURN_COMPLETED)

    assert {item["type"] for item in provider.requests[-1]["input"]} == {"message"}
