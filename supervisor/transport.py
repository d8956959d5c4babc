"""What a transport needs of the host, and what the host needs of a transport that listens."""

from contextlib import AbstractContextManager
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
    """A listening socket.  Shut, it lets nobody in, and those who are inside stay."""

    url: str
    _shut: trio.Event = field(default_factory=trio.Event)

    def shut(self) -> None:
        self._shut.set()

    async def wait_shut(self) -> None:
        await self._shut.wait()
