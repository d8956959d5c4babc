"""What differs between two JSON Schemas in what they let through, whatever they call their parts.

A schema is taken apart into its alternatives: null, plain types, single values, lists, objects.
Objects of a union are paired by their tag, the property with one possible value.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

Schema = dict[str, Any]
PREFIX = "#/definitions/"
PLAIN = {"null", "string", "integer", "number", "boolean"}


@dataclass(frozen=True, slots=True)
class Bundle:
    """Definitions by the name that a `$ref` gives after its prefix."""

    definitions: dict[str, Any]

    def at(self, name: str) -> Any:
        """Raises KeyError.  The reference server keeps most of its own one level deeper."""
        found: Any = self.definitions
        for part in name.split("/"):
            found = found[part]
        return found

    def either(self, name: str) -> Any:
        """Raises KeyError.  A name alone, wherever it stands."""
        return self.definitions[name] if name in self.definitions else self.at(f"v2/{name}")


@dataclass(slots=True)
class Shape:
    """The alternatives that one schema leaves."""

    plain: set[str] = field(default_factory=set[str])
    values: set[str] = field(default_factory=set[str])
    lists: list[Any] = field(default_factory=list[Any])
    objects: dict[str, Schema] = field(default_factory=dict[str, Schema])
    anything: bool = False


@dataclass(slots=True)
class Comparison:
    theirs: Bundle
    ours: Bundle
    seen: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])

    def differences(self, path: str, theirs: Any, ours: Any) -> Iterator[tuple[str, str]]:
        """(path, what is different there).

        A shape of theirs that has a name begins a path of its own, and is looked at once beside
        each of ours.
        """
        match theirs:
            case {"$ref": str(ref)}:
                path = ref.rpartition("/")[2]
            case _:
                pass
        pair = (str(theirs), str(ours))
        if pair in self.seen:
            return
        self.seen.add(pair)
        a, b = shape(theirs, self.theirs), shape(ours, self.ours)
        if a.anything or b.anything:
            if a.anything != b.anything:
                yield path, f"{_who(a.anything)} anything"
            return
        for what in sorted((a.plain | a.values) ^ (b.plain | b.values)):
            yield path, f"{_who(what in a.plain | a.values)} {what}"
        yield from self._lists(path, a.lists, b.lists)
        yield from self._objects(path, a.objects, b.objects)

    def _lists(self, path: str, a: list[Any], b: list[Any]) -> Iterator[tuple[str, str]]:
        if len(a) != len(b):
            yield path, f"{_who(len(a) > len(b))} a list"
        for one, other in zip(a, b, strict=False):
            yield from self.differences(f"{path}[]", one, other)

    def _objects(
        self, path: str, a: dict[str, Schema], b: dict[str, Schema]
    ) -> Iterator[tuple[str, str]]:
        if len(a) == len(b) == 1:  # nothing to tell apart, so no tag to go by
            yield from self._fields(path, *a.values(), *b.values())
            return
        for tag in sorted(a.keys() ^ b.keys()):
            yield path, f"{_who(tag in a)} an object {tag}"
        for tag in sorted(a.keys() & b.keys()):
            yield from self._fields(f"{path}<{tag}>", a[tag], b[tag])

    def _fields(self, path: str, a: Schema, b: Schema) -> Iterator[tuple[str, str]]:
        mine, others = a.get("properties", {}), b.get("properties", {})
        for name in sorted(mine.keys() ^ others.keys()):
            yield f"{path}.{name}", f"{_who(name in mine)} this field"
        for name in sorted(mine.keys() & others.keys()):
            required = name in a.get("required", ())
            if required != (name in b.get("required", ())):
                yield f"{path}.{name}", f"{_who(required)} it required"
            yield from self.differences(f"{path}.{name}", mine[name], others[name])
        rest = [side.get("additionalProperties", False) for side in (a, b)]
        if all(isinstance(one, dict) for one in rest):
            yield from self.differences(f"{path}.*", *rest)


def shape(node: Any, bundle: Bundle) -> Shape:
    found = Shape()
    for part in _alternatives(node, bundle):
        match part:
            case True:
                found.anything = True
            case {"enum": values}:
                found.values |= set(map(repr, cast("list[Any]", values)))
            case {"type": "array"}:
                found.lists.append(part.get("items", True))
            case {"type": "object"} | {"properties": _}:
                found.objects[_tag(part, bundle)] = part
            case {"type": str(name)}:
                found.plain.add(name)
            case _:
                raise ValueError(f"a schema of unknown form: {part}")
    return found


def _alternatives(node: Any, bundle: Bundle) -> Iterator[Any]:
    match node:
        case {"$ref": str(ref)}:
            yield from _alternatives(bundle.at(ref.removeprefix(PREFIX)), bundle)
        case {"allOf": [only]}:
            yield from _alternatives(only, bundle)
        case {"anyOf": options} | {"oneOf": options}:
            for option in options:
                for part in _alternatives(option, bundle):
                    yield _with_shared(part, node)
        case {"type": names} if isinstance(names, list):
            for name in cast("list[str]", names):
                yield from _alternatives({**node, "type": name}, bundle)
        case {"enum": _} | {"type": _} | {"properties": _} | bool():
            yield node
        case dict():
            yield True  # descriptions and defaults at most: whatever JSON there is
        case _:
            raise ValueError(f"a schema of unknown form: {node}")


def _with_shared(part: Any, union: Schema) -> Any:
    """A union may have fields of its own beside its alternatives, which then hold for each."""
    if "properties" not in union:
        return part
    return {
        **part,
        "properties": {**union["properties"], **part.get("properties", {})},
        "required": [*union.get("required", ()), *part.get("required", ())],
    }


def _tag(part: Schema, bundle: Bundle) -> str:
    fixed: list[str] = []
    for name, value in sorted(part.get("properties", {}).items()):
        values = [one for way in _alternatives(value, bundle) for one in _values(way)]
        if len(values) == 1 and name in part.get("required", ()):
            fixed.append(f"{name}={values[0]}")
    return ", ".join(fixed) or "with " + ", ".join(sorted(part.get("required", ())))


def _values(way: Any) -> list[Any]:
    match way:
        case {"enum": values}:
            return cast("list[Any]", values)
        case _:
            return [None, None]  # more than one


def _who(theirs: object) -> str:
    return "only the reference has" if theirs else "only Atrio has"
