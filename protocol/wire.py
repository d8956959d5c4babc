"""The conventions of the wire: snake_case here, camelCase there.

Unknown fields are ignored, because newer clients send more than we know.  A field that may be
left out *and* may be null has three states, spelled `T | None | UnsetType = UNSET`.  Ids are `str`,
`*_at` are Unix seconds, `*_ms` milliseconds.
"""

from typing import Annotated

from msgspec import Meta, Struct

U32 = Annotated[int, Meta(ge=0, le=(1 << 32) - 1)]
I64 = Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)]


class Wire(Struct, rename="camel"):
    """A shape that a client sends or receives."""


class OneKey(Wire):
    """An object with exactly one of its fields, which is how the reference server tags a value."""


class Nothing(Wire):
    """The empty object: params of a method without any, or an answer that only says "done"."""


# Marks a field that needs the `experimentalApi` capability: Annotated[T, EXPERIMENTAL].
EXPERIMENTAL = Meta(extra={"experimental": True})
