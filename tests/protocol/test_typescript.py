"""TypeScript types follow the schema."""

import pytest

from protocol import schema, typescript


@pytest.mark.parametrize(
    ("described", "written"),
    [
        ({"type": "string"}, "string"),
        ({"type": "integer", "minimum": 0}, "number"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string | null"),
        ({"anyOf": [{"type": "integer"}, {"type": "number"}]}, "number"),
        ({"enum": ["a", None, 1]}, '"a" | null | 1'),
        ({"type": "array", "items": {"$ref": "#/definitions/Turn"}}, "Array<Turn>"),
        ({"type": "array"}, "Array<unknown>"),
        ({"type": "array", "prefixItems": [{"type": "string"}], "items": False}, "[string]"),
        ({"type": "object"}, "{ [key: string]: unknown }"),
        (
            {"type": "object", "additionalProperties": {"type": "boolean"}},
            "{ [key: string]: boolean }",
        ),
        ({"type": "object", "properties": {}}, "Record<string, never>"),
        (
            {
                "type": "object",
                "required": ["a"],
                "properties": {"a": {"type": "null"}, "b-c": {}},
            },
            '{ "a": null, "b-c"?: unknown }',
        ),
        ({}, "unknown"),
    ],
)
def test_each_kind_of_schema_has_its_type(described, written):
    """Ours."""
    assert typescript.expression(described) == written


def test_a_file_imports_what_it_names_and_not_itself():
    """Observed: one file per shape."""
    tree = {
        "type": "array",
        "items": {"anyOf": [{"$ref": "#/definitions/Tree"}, {"$ref": "#/definitions/Leaf"}]},
    }
    text = typescript.file("Tree", tree)

    assert text.splitlines()[1:] == [
        'import type { Leaf } from "./Leaf";',
        "",
        "export type Tree = Array<Tree | Leaf>;",
    ]


def test_every_shape_of_the_protocol_can_be_written():
    """Ours."""
    for name, described in schema.definitions(experimental=True).items():
        assert f"export type {name} = " in typescript.file(name, described)
