"""The managed network of a thread: its namespace, its proxy, and who of its commands is in there.

It is made when the first command needs it, and nothing is paid before; so what belongs to the
proxy is imported then.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from protocol.network import ManagedNetwork
from protocol.settings import Settings
from sandbox import Namespace
from sandbox.netns import unshare
from workers.process import Process
from workers.rules import Rules

if TYPE_CHECKING:
    from workers.proxy.gate import Ask
    from workers.proxy.refusal import Blocked
    from workers.thread import LoadedThread

ADVICE = 5  # times in a turn that the model is told of what was blocked


class Network:
    """A namespace, and the sockets of its proxy."""

    def __init__(self, managed: ManagedNetwork) -> None:
        """Must be made in the main thread.  Raises Unenforceable."""
        self.managed = managed
        ports = [managed.http_port, managed.socks_port]
        self.namespace, sockets = unshare([port for port in ports if port is not None])
        self._ports = [sock.getsockname()[1] for sock in sockets]
        self._listeners = [
            trio.SocketListener(trio.socket.from_stdlib_socket(sock)) for sock in sockets
        ]

    @property
    def env(self) -> dict[str, str]:
        """How commands are told of the proxy."""
        from workers.proxy.variables import proxy_variables  # noqa: PLC0415 - see above

        http, *socks = self._ports
        local = self.managed.allow_local_binding
        return proxy_variables(http, socks[0] if socks else None, local=local)

    async def serve(
        self,
        rules: Rules,
        ask: "Ask",
        tell: "Callable[[Blocked], None]",
        report: Callable[[Exception], None],
    ) -> None:
        """Be the proxy until that is cancelled."""
        from workers.proxy.gate import Gate  # noqa: PLC0415 - see above
        from workers.proxy.policy import Policy  # noqa: PLC0415
        from workers.proxy.serve import serve  # noqa: PLC0415

        def policy() -> Policy:
            rules.refresh()
            return Policy(self.managed, rules.hosts)

        await serve(self._listeners, Gate(policy, ask, tell), report)

    def close(self) -> None:
        """Let the namespace go, and the sockets, if nobody has begun to serve them."""
        self.namespace.close()
        for listener in self._listeners:
            listener.socket.close()


@dataclass(frozen=True)
class Joined:
    """What a command needs to be in a managed network; `started` is told of its process."""

    namespace: Namespace
    env: dict[str, str]
    started: Callable[[Process], None]


class ThreadNetwork:
    """The network of a thread, once one of its commands has needed it."""

    def __init__(self, thread: "LoadedThread") -> None:
        self._thread = thread
        self._network: Network | None = None
        self._commands: list[tuple[Process, str]] = []
        self._told: tuple[str, set[str]] = ("", set())  # the turn, and what its model was told

    def join(self, settings: Settings, item_id: str) -> Joined | None:
        """For the command of an item; None when its profile has no managed network.

        Must be called in the main thread.  Raises Unenforceable.
        """
        if settings.network is None:
            return None
        if self._network is None:
            self._network = self._begin(settings.network)
        network = self._network
        network.managed = settings.network  # the last one to come in counts for all
        return Joined(
            network.namespace, network.env, lambda process: self._started(process, item_id)
        )

    def _begin(self, managed: ManagedNetwork) -> Network:
        from workers.hosts import Hosts  # noqa: PLC0415 - see above

        network, thread = Network(managed), self._thread
        ask = Hosts(thread, self._owner).may_reach
        thread.nursery.start_soon(
            network.serve, thread.approvals.rules, ask, self._tell, thread.report
        )
        return network

    def _started(self, process: Process, item_id: str) -> None:
        self._commands = [(p, item) for p, item in self._commands if p.exit_code is None]
        self._commands.append((process, item_id))

    def _owner(self) -> str | None:
        """The item of the one command that runs; of several, nobody knows whose a connection is."""
        running = {item for process, item in self._commands if process.exit_code is None}
        return running.pop() if len(running) == 1 else None

    def _tell(self, blocked: "Blocked") -> None:
        """Let the model know: of a tunnel that is refused, programs tell no more than a number."""
        turn = self._thread.turn
        if turn is None:
            return
        told = self._told[1] if self._told[0] == turn.id else set[str]()
        self._told = turn.id, told
        if len(told) < ADVICE and blocked.message not in told:
            told.add(blocked.message)
            turn.advise(blocked.message)

    def close(self) -> None:
        if self._network is not None:
            self._network.close()
            self._network = None
