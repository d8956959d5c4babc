"""Bytes inside JSON: base64, and what is wrong with it, in the words that Codex clients know."""

import binascii
import re

_STRANGE = re.compile(rb"[^A-Za-z0-9+/]")
_SYMBOLS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def decode(text: str) -> bytes:
    """Raises ValueError, with the fault as its text, for all but canonical base64."""
    given = text.encode()
    try:
        data = binascii.a2b_base64(given, strict_mode=True)
    except binascii.Error:
        raise ValueError(_fault(given)) from None
    if given.endswith(b"=") and (fault := _last(given.rstrip(b"="))):
        raise ValueError(fault)
    return data


def _fault(given: bytes) -> str:
    found = _STRANGE.search(given)
    if found is None:
        return f"Invalid input length: {len(given)}" if len(given) % 4 == 1 else "Invalid padding"
    at, padding = found.start(), given[found.start() :]
    is_padding = at % 4 >= 2 and padding.strip(b"=") == b""
    if is_padding and at % 4 + len(padding) < 4:
        return "Invalid padding"
    return f"Invalid symbol {given[at]}, offset {at}."


def _last(symbols: bytes) -> str | None:
    """The last symbol carries bits beyond the last byte, and they must be zero."""
    spare = 0b1111 if len(symbols) % 4 == 2 else 0b11
    if _SYMBOLS.index(symbols[-1]) & spare:
        return f"Invalid last symbol {symbols[-1]}, offset {len(symbols) - 1}."
    return None
