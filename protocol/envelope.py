"""The four shapes of JSON-RPC, without its `jsonrpc` member.

Decoding is in two stages: first the envelope, with `params` left as bytes, so that a request
whose params are wrong can still be answered by its id; then the params, by their method's row.
"""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from protocol.errors import DECODE_ERRORS, RpcError

RequestId = int | str


class Envelope(Struct):
    """Any message of a client.  What it is follows from which members are there."""

    id: Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)] | str | UnsetType = UNSET  # observed
    method: str | UnsetType = UNSET
    params: Raw | UnsetType = UNSET
    result: Raw | UnsetType = UNSET
    error: Raw | UnsetType = UNSET


class Request(Struct):
    id: RequestId
    method: str
    params: bytes


class Answer(Struct):
    """A client's answer to a question of ours; exactly one of `result` and `error` is set."""

    id: RequestId
    result: bytes | None = None
    error: bytes | None = None


_decode = msgspec.json.Decoder(Envelope).decode
_encode = msgspec.json.Encoder().encode
NULL = b"null"


def decode(message: bytes) -> Request | Answer | None:
    """Read one message; None for notifications and for all that is no message at all.

    The reference server is silent about both, and so are we: without an id there is
    nobody to tell.
    """
    try:
        envelope = _decode(message)
    except DECODE_ERRORS:
        return None
    id = envelope.id
    if isinstance(id, UnsetType):
        return None
    if not isinstance(envelope.method, UnsetType):
        params = NULL if isinstance(envelope.params, UnsetType) else bytes(envelope.params)
        return Request(id, envelope.method, params)
    if not isinstance(envelope.error, UnsetType):
        return Answer(id, error=bytes(envelope.error))
    if not isinstance(envelope.result, UnsetType):
        return Answer(id, result=bytes(envelope.result))
    return None


def result(id: RequestId, body: bytes) -> bytes:
    """An answer around a body that is JSON already."""
    return b'{"id":%b,"result":%b}' % (_encode(id), body)


def error(id: RequestId, problem: RpcError) -> bytes:
    detail: dict[str, Any] = {"code": problem.code, "message": problem.message}
    if problem.data is not None:
        detail["data"] = problem.data
    return _encode({"id": id, "error": detail})


def question(id: RequestId, method: str, params: bytes) -> bytes:
    """A request of ours to the client."""
    return b'{"id":%b,"method":"%b","params":%b}' % (_encode(id), method.encode(), params)


def notification(method: str, params: Struct) -> bytes:
    """The final bytes of a notification: encoded once, then handed to every subscriber."""
    return b'{"method":"%b","params":%b}' % (method.encode(), _encode(params))
