"""The items that a model is told again, as far as we must rely on their shape.

They are the Responses API's own JSON, and come from files, from clients and from other programs.
One that no request could carry would make every later turn of its thread fail.
"""

from typing import Any

import msgspec
from msgspec import Struct

from protocol.errors import DECODE_ERRORS


class _Part(Struct):
    type: str
    text: str | None = None
    image_url: str | None = None


class _Item(Struct):
    type: str
    role: str | None = None
    content: list[_Part] | None = None
    summary: list[_Part] | None = None
    call_id: str | None = None
    name: str | None = None
    output: str | list[_Part] | None = None


# What the provider would refuse the whole request for, were it missing.
_NEEDED: dict[str, tuple[str, ...]] = {
    "message": ("role", "content"),
    "reasoning": ("summary",),
    "function_call": ("name", "arguments", "call_id"),
    "function_call_output": ("call_id", "output"),
    "custom_tool_call": ("call_id", "name", "input"),
    "custom_tool_call_output": ("call_id", "output"),
    "local_shell_call": ("status", "action"),
}


def fault(item: Any) -> str | None:
    """What keeps this from being an item; None when nothing does."""
    match item:
        case {"type": str(kind)}:
            given: dict[str, Any] = item
        case {"type": _}:
            return "`type` is no text"
        case {}:
            return "missing field `type`"
        case _:
            return "it is no object"
    try:
        msgspec.convert(given, _Item)
    except DECODE_ERRORS as error:
        return str(error)
    missing = (name for name in _NEEDED.get(kind, ()) if given.get(name) is None)
    return next((f"missing field `{name}`" for name in missing), None)
