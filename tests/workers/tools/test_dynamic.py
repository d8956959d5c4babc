"""A client's tools as the model is offered them, and their calls as both sides see them."""

import json

import msgspec
import pytest
import trio

from protocol.dynamic import DynamicToolCallParams, DynamicToolCallResponse
from protocol.item import DynamicToolCall, InputImageContent, InputTextContent
from protocol.methods import DYNAMIC_TOOL_CALL
from protocol.thread import DynamicToolSpec
from workers.tools import Call, ToolFailure, Unasked
from workers.tools.dynamic import DynamicTools, serve_dynamic

SCHEMA = {"type": "object", "properties": {"word": {"type": "string"}}}
OWL = {"word": "owl"}


def spec(name, schema=SCHEMA, **others):
    return DynamicToolSpec(description="Looks.", input_schema=schema, name=name, **others)


class Client:
    """A turn whose client gives one answer; `heard` is what it is told and asked."""

    id = "turn"
    thread_id = "thread"

    def __init__(self, *content, success=True, error=None):
        self.response = error or DynamicToolCallResponse(list(content), success)
        self.heard = []

    def started(self, item):
        self.heard.append(("started", item))

    def completed(self, item):
        self.heard.append(("completed", item))

    async def ask(self, row, params):
        await trio.sleep(2)
        self.heard.append((row.name, params))
        if isinstance(self.response, Exception):
            raise self.response
        return self.response

    async def call(self, arguments='{"word":"owl"}', namespace=None):
        return await serve_dynamic(self, Call("c1", "lookup", arguments, namespace))


async def test_a_call_is_an_item_and_a_question_to_the_client(autojump_clock):
    """Observed: both with the arguments as JSON."""
    client = Client(InputTextContent("a bird"))
    output = await client.call(namespace="words")

    begun = DynamicToolCall(OWL, "c1", "inProgress", "lookup", namespace="words")
    done = DynamicToolCall(
        OWL, "c1", "completed", "lookup", client.response.content_items, 2000, "words", success=True
    )
    asked = DynamicToolCallParams(OWL, "c1", "thread", "lookup", "turn", "words")
    assert client.heard == [
        ("started", begun),
        (DYNAMIC_TOOL_CALL.name, asked),
        ("completed", done),
    ]
    assert output == "a bird"


async def test_the_model_gets_images_and_several_texts_as_content(autojump_clock):
    """Observed: one text alone is not wrapped."""
    see, more, url = InputTextContent("see"), InputTextContent("more"), "data:image/png;base64,AA=="

    assert await Client(see, InputImageContent(url)).call() == [
        {"type": "input_text", "text": "see"},
        {"type": "input_image", "image_url": url, "detail": "high"},
    ]
    assert await Client(see, more).call() == [
        {"type": "input_text", "text": "see"},
        {"type": "input_text", "text": "more"},
    ]
    assert await Client().call() == []


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ({"success": False}, "no such word"),
        ({"error": Unasked("boom")}, "dynamic tool request failed"),
        ({"error": msgspec.ValidationError("?")}, "dynamic tool response was invalid"),
    ],
)
async def test_what_goes_wrong_is_an_output_and_a_failed_item(how, text, autojump_clock):
    """Observed."""
    client = Client(InputTextContent("no such word"), **how)

    assert await client.call() == text
    _, done = client.heard[-1]
    assert (done.status, done.success) == ("failed", False)
    assert done.content_items == [InputTextContent(text)]


async def test_arguments_that_are_no_json_never_reach_the_client():
    """Observed."""
    client = Client()
    with pytest.raises(ToolFailure, match="failed to parse function arguments"):
        await client.call("{oops")

    assert client.heard == []


def test_tools_are_offered_as_given_and_those_in_namespaces_last():
    """Observed: the order, and one entry for each namespace."""
    tools = DynamicTools(
        [spec("b"), spec("x", namespace="words"), spec("a"), spec("y", namespace="words")]
    )
    names = [
        (spec["name"], [inner["name"] for inner in spec.get("tools", [])])
        for spec in tools.offered(set())
    ]

    assert names == [("b", []), ("a", []), ("words", ["x", "y"])]
    assert tools.offered(set())[0] == {
        "type": "function",
        "name": "b",
        "description": "Looks.",
        "strict": False,
        "parameters": SCHEMA,
    }


def test_a_name_that_is_taken_is_not_offered_twice():
    """Ours: a provider refuses two tools of one name."""
    tools = DynamicTools([spec("update_plan"), spec("a"), spec("update_plan", namespace="n")])

    assert [spec["name"] for spec in tools.offered({"update_plan"})] == ["a", "n"]


def test_a_tool_is_found_by_namespace_and_name():
    """Observed: a namespace does not spill over."""
    tools = DynamicTools([spec("x", namespace="words")])

    assert tools.find(Call("c", "x", "{}", "words")) is not None
    assert tools.find(Call("c", "x", "{}")) is None


@pytest.mark.parametrize(
    ("schema", "sent"),
    [
        ({}, {"type": "object", "properties": {}}),
        (True, {"type": "object", "properties": {}}),
        ({"type": "object"}, {"type": "object", "properties": {}}),
        ({"type": "object", "properties": {"a": {"minimum": 3}}},) * 2,
        ({"type": ["object", "null"]},) * 2,
    ],
)
def test_a_schema_is_completed_to_an_object_and_else_left_alone(schema, sent):
    """Ours: the Responses API refuses an object without properties."""
    [offered] = DynamicTools([spec("a", schema)]).offered(set())

    assert json.loads(json.dumps(offered["parameters"])) == sent
