"""The JSON Schema bundle follows the table."""

from protocol import schema
from protocol.methods import NOTIFICATIONS, QUESTIONS, REQUESTS


def named(union: schema.Schema) -> list[str]:
    return [member["properties"]["method"]["enum"][0] for member in union["oneOf"]]


def test_every_row_of_the_table_is_in_its_union():
    """DESIGN 8: the contract is the table."""
    shapes = schema.definitions(experimental=True)

    assert named(shapes["ClientRequest"]) == list(REQUESTS)
    assert named(shapes["ServerRequest"]) == list(QUESTIONS)
    assert named(shapes["ServerNotification"]) == list(NOTIFICATIONS)


def test_every_reference_has_its_definition():
    """Ours: a document with a hole is of no use to a generator."""
    for experimental in (False, True):
        shapes = schema.definitions(experimental=experimental)
        assert set(schema.references(shapes)) <= set(shapes)


def test_experimental_methods_and_fields_are_left_out_unless_asked_for():
    """Observed: `--experimental`."""
    stable = schema.definitions(experimental=False)
    whole = schema.definitions(experimental=True)

    assert "mock/experimentalMethod" in named(whole["ClientRequest"])
    assert "mock/experimentalMethod" not in named(stable["ClientRequest"])
    assert "collaborationMode" in whole["TurnStartParams"]["properties"]
    assert "collaborationMode" not in stable["TurnStartParams"]["properties"]


def test_a_shape_alone_brings_what_it_refers_to():
    """Observed: each file can be used by itself."""
    shapes = schema.definitions(experimental=False)
    document = schema.alone("TurnStartParams", shapes)

    assert document["title"] == "TurnStartParams"
    assert set(schema.references(document)) == set(document["definitions"])
    assert "definitions" not in schema.alone("TurnInterruptParams", shapes)


def test_a_request_is_described_with_its_envelope():
    """Observed."""
    [member] = [
        member
        for member in schema.definitions(experimental=False)["ClientRequest"]["oneOf"]
        if member["title"] == "Turn/interruptRequest"
    ]
    assert member == {
        "title": "Turn/interruptRequest",
        "type": "object",
        "required": ["id", "method", "params"],
        "properties": {
            "id": {"$ref": "#/definitions/RequestId"},
            "method": {"type": "string", "enum": ["turn/interrupt"]},
            "params": {"$ref": "#/definitions/TurnInterruptParams"},
        },
    }
