"""What is said of a client's tools before a thread starts with them."""

import pytest

from protocol.dynamic import check
from protocol.errors import INVALID_REQUEST, RpcError
from protocol.thread import DynamicToolSpec

SCHEMA = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}


def spec(name="lookup", schema=SCHEMA, **others):
    return DynamicToolSpec(description="Looks.", input_schema=schema, name=name, **others)


def refusal(*specs):
    with pytest.raises(RpcError) as refused:
        check(list(specs))
    assert refused.value.code == INVALID_REQUEST
    return refused.value.message


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "must not be empty"),
        (" ", "must not be empty"),
        (" x", "has leading/trailing whitespace:  x"),
        ("a b", "must match ^[a-zA-Z0-9_-]+$ to match Responses API: a b"),
        ("mcp", "is reserved: mcp"),
        ("mcp__x", "is reserved: mcp__x"),
        ("x" * 129, f"must be at most 128 characters to match Responses API: {'x' * 129}"),
    ],
)
def test_a_name_must_suit_the_provider(name, words):
    """Observed."""
    assert refusal(spec(name)) == f"dynamic tool name {words}"


@pytest.mark.parametrize(
    ("namespace", "words"),
    [
        ("", "must not be empty for lookup"),
        (" a", "has leading/trailing whitespace for lookup: a"),
        ("a b", "must match ^[a-zA-Z0-9_-]+$ to match Responses API: a b"),
        ("mcp__a", "is reserved for lookup: mcp__a"),
        ("web", "collides with a reserved Responses API namespace for lookup: web"),
        ("x" * 65, f"must be at most 64 characters to match Responses API: {'x' * 65}"),
    ],
)
def test_a_namespace_must_suit_the_provider(namespace, words):
    """Observed."""
    assert refusal(spec(namespace=namespace)) == f"dynamic tool namespace {words}"


def test_a_name_stands_for_one_tool_of_its_namespace():
    """Observed."""
    a, b = spec(namespace="a"), spec(namespace="b")
    check([a, b, spec(), spec("other")])

    assert refusal(spec(), spec()) == "duplicate dynamic tool name: lookup"
    assert refusal(a, b, a) == "duplicate dynamic tool name in namespace a: lookup"


def test_a_tool_to_be_searched_for_needs_a_namespace():
    """Observed."""
    check([spec(namespace="a", defer_loading=True), spec("b", defer_loading=False)])

    words = "deferred dynamic tool must include a namespace: lookup"
    assert refusal(spec(defer_loading=True)) == words


@pytest.mark.parametrize(
    "schema",
    [
        SCHEMA,
        True,
        {},
        {"type": ["object", "null"]},
        {"properties": {"a": {"type": "null"}, "b": True, "c": {"anyOf": [{"$ref": "#/x"}]}}},
        {"type": "object", "additionalProperties": False},
        {"type": 3, "items": {"enum": [1]}},
    ],
)
def test_most_schemas_are_taken_as_they_are(schema):
    """Observed."""
    check([spec(schema=schema)])


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "null"}, "tool input schema must not be a singleton null type"),
        ({"type": ["null"]}, "tool input schema must not be a singleton null type"),
        (None, "Expected `bool | object`, got `null`"),
        ([], "Expected `bool | object`, got `array`"),
        ({"properties": 3}, "Expected `object | null`, got `int` - at `$.properties`"),
        ({"required": "word"}, "Expected `array | null`, got `str` - at `$.required`"),
        ({"description": 3}, "Expected `str | null`, got `int` - at `$.description`"),
        ({"type": "array", "items": [{}]}, "Expected `bool | object | null`, got `array`"),
    ],
)
def test_a_schema_that_is_none_is_refused(schema, words):
    """Observed: the same schemas are; ours: where it is wrong."""
    message = refusal(spec(schema=schema))

    assert message.startswith(f"dynamic tool input schema is not supported for lookup: {words}")


def test_a_schema_without_a_bottom_is_refused():
    """Ours: it came from a stranger."""
    deep = {}
    for _ in range(100_000):
        deep = {"items": deep}

    assert "is not supported for lookup" in refusal(spec(schema=deep))
