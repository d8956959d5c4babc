"""The protocol as JSON Schema, made from the table: what clients in other languages build on.

Beside each shape stand three unions, one for all requests of a client, one for all our questions,
one for all our notifications; their names and those of the shapes are the reference server's.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import Struct

from protocol.methods import NOTIFICATIONS, QUESTIONS, REQUESTS
from protocol.row import Method, Notification, experimental_fields
from protocol.wire import Nothing, OneKey

Schema = dict[str, Any]

DRAFT = "http://json-schema.org/draft-07/schema#"
REF = "#/definitions/"
REQUEST_ID: Schema = {"anyOf": [{"type": "string"}, {"type": "integer", "format": "int64"}]}


def definitions(*, experimental: bool) -> dict[str, Schema]:
    """Every shape by its name.  Without `experimental`, only what needs no capability."""
    requests = [row for row in REQUESTS.values() if experimental or not row.experimental]
    shapes = dict(_shapes([*requests, *QUESTIONS.values(), *NOTIFICATIONS.values()]))
    schemas, found = msgspec.json.schema_components(shapes.values(), ref_template=REF + "{name}")
    for name, schema in zip(shapes, schemas, strict=True):
        found.setdefault(name, {key: schema[key] for key in schema if key != "discriminator"})
    if not experimental:
        _leave_out_fields(shapes.values(), found)
    for shape in OneKey.__subclasses__():
        if shape.__name__ in found:
            found[shape.__name__] = _one_of(found[shape.__name__])
    unions = {
        "RequestId": REQUEST_ID,
        "ClientRequest": _union(requests, "Request", answered=True),
        "ServerRequest": _union(QUESTIONS.values(), "Request", answered=True),
        "ServerNotification": _union(NOTIFICATIONS.values(), "Notification", answered=False),
    }
    return dict(sorted({**found, **unions}.items()))


def alone(name: str, everything: dict[str, Schema]) -> Schema:
    """One shape as a document of its own, with the definitions that it needs."""
    needed: dict[str, Schema] = {}
    waiting = list(references(everything[name]))
    while waiting:
        other = waiting.pop()
        if other not in needed:
            needed[other] = everything[other]
            waiting += references(everything[other])
    document = {"$schema": DRAFT, "title": name, **everything[name]}
    return {**document, "definitions": dict(sorted(needed.items()))} if needed else document


def together(everything: dict[str, Schema]) -> Schema:
    """All shapes as one document."""
    title = "CodexAppServerProtocol"
    return {"$schema": DRAFT, "title": title, "type": "object", "definitions": everything}


def references(node: Any) -> Iterator[str]:
    """The names of the definitions that a schema points to, repeated as often as it does."""
    match node:
        case {"$ref": str(ref)}:
            yield ref.removeprefix(REF)
        case dict():
            for value in node.values():  # pyright: ignore[reportUnknownVariableType]
                yield from references(value)
        case list():
            for value in node:  # pyright: ignore[reportUnknownVariableType]
                yield from references(value)
        case _:
            pass


def _shapes(
    rows: Iterable[Method[Any, Any] | Notification[Any]],
) -> Iterator[tuple[str, type[Struct]]]:
    for row in rows:
        yield row.params_name, row.params
        if isinstance(row, Method):
            yield row.result_name, row.result


def _leave_out_fields(shapes: Iterable[type[Struct]], found: dict[str, Schema]) -> None:
    for shape in shapes:
        for _, name, _ in experimental_fields(shape):
            found[shape.__name__]["properties"].pop(name, None)


def _one_of(schema: Schema) -> Schema:
    """Each key as an object of its own, which is what the class stands for."""
    return {
        "oneOf": [
            {"type": "object", "required": [name], "properties": {name: value}}
            for name, value in schema["properties"].items()
        ]
    }


def _union(
    rows: Iterable[Method[Any, Any] | Notification[Any]], kind: str, *, answered: bool
) -> Schema:
    return {"oneOf": [_envelope(row, kind, answered=answered) for row in rows]}


def _envelope(row: Method[Any, Any] | Notification[Any], kind: str, *, answered: bool) -> Schema:
    members = {
        "id": {"$ref": REF + "RequestId"},
        "method": {"type": "string", "enum": [row.name]},
        "params": {"$ref": REF + row.params_name},
    }
    required = [name for name in members if answered or name != "id"]
    if row.params is Nothing:
        members["params"] = {"type": "null"}
        required.remove("params")
    if not answered:
        del members["id"]
    title = row.name[0].upper() + row.name[1:] + kind
    return {"title": title, "type": "object", "required": required, "properties": members}
