"""One row of the table of methods: its name, its shapes, and who serves it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar, get_type_hints

import msgspec
from msgspec import Struct

from protocol.envelope import notification
from protocol.errors import DECODE_ERRORS, invalid, undecodable
from protocol.thread import ThreadActiveFlag
from protocol.wire import EXPERIMENTAL, Nothing

P = TypeVar("P", bound=Struct)
R = TypeVar("R", bound=Struct)
Scope = Literal["here", "thread_id"]


@dataclass(frozen=True, slots=True, eq=False)
class Method(Generic[P, R]):
    """A request: a client's to us, or a question of ours to a client."""

    name: str
    params: type[P]
    result: type[R]
    by: Scope = "here"
    experimental: bool = False
    called: tuple[str, str] | None = None
    """The names of params and result where these are unions, which have none of their own."""
    waiting: ThreadActiveFlag | None = None
    """Of a question to a person: what the thread's status says while it is open."""

    @property
    def params_name(self) -> str:
        return self.called[0] if self.called else self.params.__name__

    @property
    def result_name(self) -> str:
        return self.called[1] if self.called else self.result.__name__

    def decode(self, params: bytes) -> P:
        """Raises RpcError in the reference server's words."""
        try:
            if params == b"null":
                return _nothing(self.params)
            if self.params is Nothing and msgspec.json.decode(params, type=dict[str, msgspec.Raw]):
                raise invalid("Invalid request: invalid type: map, expected unit")
            return _decoder(self.params)(params)
        except DECODE_ERRORS as error:
            raise undecodable(error) from None

    def decode_result(self, result: bytes) -> R:
        """Raises one of DECODE_ERRORS."""
        return _decoder(self.result)(result)


@dataclass(frozen=True, slots=True, eq=False)
class Notification(Generic[P]):
    name: str
    params: type[P]

    @property
    def params_name(self) -> str:
        return self.params.__name__

    def encode(self, params: P) -> bytes:
        return notification(self.name, params)


REQUESTS: dict[str, Method[Any, Any]] = {}
QUESTIONS: dict[str, Method[Any, Any]] = {}
NOTIFICATIONS: dict[str, Notification[Any]] = {}
_decoders: dict[type[Struct], Callable[[bytes], Any]] = {}


def _nothing(shape: type[P]) -> P:
    """Params that are left out, which only methods without any allow (observed)."""
    if shape is Nothing:
        return shape()
    raise invalid("Invalid request: missing field `params`")


def _decoder(shape: type[P]) -> Callable[[bytes], P]:
    if (
        shape not in _decoders
    ):  # built at first use: 100 decoders cost 3 ms that a start can do without
        _decoders[shape] = msgspec.json.Decoder(shape).decode
    return _decoders[shape]


def request(
    name: str,
    params: type[P],
    result: type[R],
    *,
    by: Scope = "here",
    experimental: bool = False,
    called: tuple[str, str] | None = None,
) -> Method[P, R]:
    assert by == "here" or by in params.__struct_fields__, f"{name} cannot be routed by {by}"
    row = Method(name, params, result, by, experimental, called)
    assert REQUESTS.setdefault(name, row) is row, f"{name} declared twice"
    return row


def ask(
    name: str,
    params: type[P],
    result: type[R],
    *,
    waiting: ThreadActiveFlag | None = "waitingOnApproval",
) -> Method[P, R]:
    row = Method(name, params, result, waiting=waiting)
    assert QUESTIONS.setdefault(name, row) is row, f"{name} declared twice"
    return row


def notify(name: str, params: type[P]) -> Notification[P]:
    row = Notification(name, params)
    assert NOTIFICATIONS.setdefault(name, row) is row, f"{name} declared twice"
    return row


_gates: dict[type[Struct], list[tuple[str, str, Any]]] = {}


def experimental_fields(shape: Any) -> list[tuple[str, str, Any]]:
    """(attribute, name on the wire, default) of each field that needs `experimentalApi`."""
    if not isinstance(shape, type):
        return []  # a union; none of ours has such fields
    if shape not in _gates:
        hints = get_type_hints(shape, include_extras=True)
        _gates[shape] = [
            (f.name, f.encode_name, f.default)
            for f in msgspec.structs.fields(shape)
            if EXPERIMENTAL in getattr(hints[f.name], "__metadata__", ())
        ]
    return _gates[shape]


def check_experimental(row: Method[Any, Any], params: Struct) -> None:
    """Refuse what a client without the `experimentalApi` capability may not use."""
    uses = [row.name] if row.experimental else []
    uses += [
        f"{row.name}.{name}"
        for at, name, default in experimental_fields(row.params)
        if getattr(params, at) != default
    ]
    if isinstance(getattr(params, "approval_policy", None), Struct):
        uses.append("askForApproval.granular")
    if uses:
        raise invalid(f"{uses[0]} requires experimentalApi capability")
