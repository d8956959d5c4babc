"""One encoding for all who hear the same.

Events that came together are laid out once per form and per set of opt-outs, and the same bytes go
to every client: what a delta costs hardly depends on how many listen.
"""

from collections.abc import Iterable

from protocol.frames import Event
from supervisor.connection import LAY_OUT, Connection, Form

_NOTHING: frozenset[str] = frozenset()


def spread(events: list[Event], clients: Iterable[Connection]) -> None:
    """Give `events`, in their order, to each client that has not opted out of them."""
    methods = {event.method for event in events}
    laid_out: dict[tuple[Form, frozenset[str]], bytes] = {}
    for client in clients:
        deaf = client.opted_out & methods if client.opted_out else _NOTHING
        key = (client.form, deaf)
        data = laid_out.get(key)
        if data is None:
            lay_out = LAY_OUT[client.form]
            data = b"".join([lay_out(e.body) for e in events if e.method not in deaf])
            laid_out[key] = data
        if data:
            client.put(data)
