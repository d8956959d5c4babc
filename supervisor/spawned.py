"""One process of a client's own, as the supervisor sees it: what its client has not been told yet.

A client that does not read must not fill the server's memory, nor lose output, nor slow others.
So what its processes say is held back while its outbox is filled, and their worker, which may be
ahead of the client by a window only, is told how much has been taken.
"""

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from protocol.envelope import Request
from protocol.errors import INTERNAL_ERROR, RpcError
from protocol.frames import Event, Failed, Reply, Spawn, Taken
from protocol.methods import PROCESS_EXITED
from protocol.process import ProcessExitedNotification
from supervisor.connection import Connection

if TYPE_CHECKING:
    from supervisor.commands import Commands, Name, Station


@dataclass(frozen=True, slots=True)
class Pending:
    """A call that a worker has not answered yet."""

    client: Connection
    request: Request


class Spawned:
    """`name` is None when its client has given it no id; `begun` once its worker knows of it."""

    ROOM_BYTES = 1 << 20  # in the outbox; beyond it output waits here
    GRANT_BYTES = 256 << 10  # is said at once: a worker may be ahead by twice as much

    def __init__(
        self,
        commands: "Commands",
        station: "Station",
        client: Connection,
        spec: Spawn,
        name: "Name | None",
    ) -> None:
        self.station = station
        self.client = client
        self.spec = spec
        self.name = name
        self.begun = False
        self.held: deque[Event | Reply | Failed] = deque()
        self._commands = commands
        self._taken = 0

    def call(self, client: Connection, request: Request) -> None:
        """Let the worker answer this request."""
        self._commands.call(self, client, request)

    def hear(self, frame: Event | Reply | Failed) -> None:
        self.held.append(frame)
        self.release(len(self.held))

    def release(self, count: int) -> None:
        """Tell the client up to `count` of what is held, while it has room."""
        while self.held and count and self.client.outbox.size <= self.ROOM_BYTES:
            self._tell(self.held.popleft())
            count -= 1

    def _tell(self, frame: Event | Reply | Failed) -> None:
        match frame:
            case Event(_, method, body):
                if method == PROCESS_EXITED.name:
                    self._commands.forget(self)
                self.client.tell(method, body)
                self._grant(len(body))
            case Reply(n, body):
                if self.spec.answer == "atEnd":
                    self._commands.forget(self)
                if pending := self.station.settle(n):
                    pending.client.reply(pending.request.id, body)
            case Failed(n, code, message, data):
                self._commands.forget(self)
                if pending := self.station.settle(n):
                    pending.client.refuse(pending.request.id, RpcError(code, message, data))

    def _grant(self, size: int) -> None:
        self._taken += size
        if self._taken >= self.GRANT_BYTES:
            self.station.send(Taken(self.spec.n, self._taken))
            self._taken = 0

    def lost(self, reason: str) -> None:
        """Its worker has died.  What it had said comes first."""
        n = self.spec.n
        if n in self.station.pending:
            end = Failed(n, INTERNAL_ERROR, reason)
        else:
            exited = ProcessExitedNotification(
                process_handle=self.spec.id,
                exit_code=-1,
                stdout="",
                stdout_cap_reached=False,
                stderr=reason,
                stderr_cap_reached=False,
            )
            end = Event(0, PROCESS_EXITED.name, PROCESS_EXITED.encode(exited), n)
        self.held.append(end)
        while self.held:
            self._tell(self.held.popleft())
