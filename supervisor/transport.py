"""What a transport needs of the host, and what the host needs of a transport that listens."""

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import trio

from supervisor.connection import Connection, Form


class Host(Protocol):
    """Takes clients in."""

    def connect(self, form: Form) -> AbstractContextManager[Connection]:
        """A new client; it is gone when the context ends."""
        ...


@dataclass(eq=False)
class Door:
    """A listening socket: first it is shut, then those who are inside are sent home."""

    url: str
    inside: set[Connection] = field(default_factory=set[Connection])
    _shut: trio.Event = field(default_factory=trio.Event)

    def shut(self) -> None:
        """Let nobody in any more; those who are inside stay."""
        self._shut.set()

    def dismiss(self) -> None:
        """Tell everybody what is queued for them, then goodbye; the transport ends with the last.

        A client that does not read holds it up: the caller bounds the time.
        """
        self.shut()
        for connection in self.inside:
            connection.outbox.close()

    @contextmanager
    def holding(self, connection: Connection) -> Generator[None]:
        self.inside.add(connection)
        try:
            yield
        finally:
            self.inside.discard(connection)

    async def wait_shut(self) -> None:
        await self._shut.wait()
