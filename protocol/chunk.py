"""Base64 of what a client types or writes, as the standard has it, without leniency.

A client that cuts its bytes in the wrong place is told so, in the words of the reference server
(observed), instead of losing a few bits of it.
"""

import base64
import binascii
import string

from protocol.errors import INVALID_PARAMS, RpcError

_SYMBOLS = (string.ascii_letters + string.digits + "+/").encode()


def decode(text: str | None) -> bytes:
    """A `deltaBase64`.  Raises RpcError."""
    try:
        return plain(text or "")
    except ValueError as fault:
        raise RpcError(INVALID_PARAMS, f"invalid deltaBase64: {fault}") from None


def plain(text: str) -> bytes:
    """Raises ValueError, which says the fault."""
    encoded = text.encode()
    try:
        data = binascii.a2b_base64(encoded, strict_mode=True)
    except ValueError:
        pass
    else:
        if base64.b64encode(data[(len(data) - 1) // 3 * 3 :]) == encoded[-4:]:  # no bit to spare
            return data
    raise ValueError(_fault(encoded))


def _fault(encoded: bytes) -> str:
    """What is wrong with it: somewhere before its last group, in it, or with it as a whole."""
    start = (len(encoded) - 1) // 4 * 4
    group = encoded[start:]
    if len(group) == 1 and group not in _SYMBOLS + b"=":  # a line end, for example
        return _symbol(encoded, len(encoded) - 1)
    for place, symbol in enumerate(encoded[:start]):
        if symbol not in _SYMBOLS:
            return _symbol(encoded, place)
    symbols = group.partition(b"=")[0]
    for place, symbol in enumerate(symbols, start):
        if symbol not in _SYMBOLS:
            return _symbol(encoded, place)
    if group.strip(b"=") != symbols or (len(symbols) < 2 and symbols != group):
        return _symbol(encoded, start + len(symbols))  # padding where none can be
    if len(symbols) < 2:
        return f"Invalid input length: {len(encoded)}"
    if len(group) < 4:
        return "Invalid padding"
    return f"Invalid last symbol {symbols[-1]}, offset {start + len(symbols) - 1}."


def _symbol(encoded: bytes, place: int) -> str:
    return f"Invalid symbol {encoded[place]}, offset {place}."
