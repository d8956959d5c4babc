"""The arguments of a function call: JSON that the model wrote, so anything may be wrong with it."""

import re
from typing import TypeVar

import msgspec
from msgspec import Struct

from protocol.errors import DECODE_ERRORS
from workers.tools import ToolFailure

P = TypeVar("P", bound=Struct)

_MISSING = re.compile(r"^Object missing required field (`.+?`)")


def arguments(shape: type[P], text: str) -> P:
    """Raises ToolFailure, which tells the model what is wrong and where."""
    try:
        return msgspec.json.decode(text, type=shape)
    except DECODE_ERRORS as error:
        found = _MISSING.sub(r"missing field \1", str(error))
        raise ToolFailure(f"failed to parse function arguments: {found}") from None
