"""The one root nursery: order of start, order of stop.

Start: the wire is claimed, the nursery process is launched beside everything else, then clients
are let in.  Stop: nobody new is let in, running turns may finish, every worker leaves its rollout
whole, the nursery process ends last.
"""

import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from pathlib import Path

import trio

from supervisor.accounts import Accounts
from supervisor.agents import Agents
from supervisor.asks import Asks
from supervisor.commands import Commands
from supervisor.config import Config, ConfigError
from supervisor.connection import Connection, Form
from supervisor.host import Host
from supervisor.options import VERSION, Options, Refused, Stdio, Tcp, Unix, codex_home
from supervisor.router import Router
from supervisor.searches import Searches
from supervisor.services import Services
from supervisor.skill_watch import SkillWatch
from supervisor.stdio import Wire, claim, serve_stdio
from supervisor.store import Store
from supervisor.threads import Threads
from supervisor.transport import Door
from supervisor.watches import Watches
from supervisor.worker import NurseryProcess

DRAIN_SECONDS = 600.0  # a running turn may take this long to finish after the first signal

GOODBYE_SECONDS = 3.0  # for last messages and close frames to reach the clients

log = logging.getLogger("atrio")


def run(options: Options) -> int:
    """Serve until the client or a signal ends it.  Returns the exit status."""
    logging.basicConfig(
        stream=sys.stderr,
        level=os.environ.get("ATRIO_LOG", "WARNING").upper(),
        format="atrio: %(levelname)s %(name)s: %(message)s",
    )
    home = codex_home()
    try:
        home.mkdir(parents=True, exist_ok=True)
        config = Config.load(home, options.overrides)
        config.check()
    except (ConfigError, OSError) as error:
        raise Refused(str(error)) from None
    wire = claim() if isinstance(options.listen, Stdio) else None
    return trio.run(_Server(options, home, config, wire).run)


class Hall:
    """Where transports bring their clients in."""

    def __init__(self, host: Host, router: Router) -> None:
        self._host = host
        self._router = router

    @contextmanager
    def connect(self, form: Form) -> Generator[Connection]:
        client = Connection(self._router, form)
        self._host.clients.add(client)
        try:
            yield client
        finally:
            client.close()


class _Server:
    def __init__(self, options: Options, home: Path, config: Config, wire: Wire | None) -> None:
        self._options = options
        self._home = home
        self._config = config
        self._wire = wire

    async def run(self) -> int:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async with trio.open_nursery() as cradle:
                births = NurseryProcess(minimum=self._config.sandbox_minimum())
                await cradle.start(births.run)
                async with trio.open_nursery() as tasks:
                    await self._host(births, tasks, signals)
                    tasks.cancel_scope.cancel()
                cradle.cancel_scope.cancel()
        return 0

    async def _host(
        self, births: NurseryProcess, tasks: trio.Nursery, signals: AsyncIterator[int]
    ) -> None:
        threads = Threads(births, tasks, self._config.unload_grace_seconds())
        commands = Commands(births, tasks)
        agents = Agents(tasks, self._config.max_agents())
        searches = Searches(births, tasks)
        accounts = Accounts(tasks)
        services = Services(births, tasks, str(self._home), VERSION)
        skill_watch = SkillWatch(tasks)
        store = Store(self._home)
        host = Host(
            home=self._home,
            version=VERSION,
            config=self._config,
            store=store,
            threads=threads,
            asks=Asks(),
            commands=commands,
            agents=agents,
            watches=Watches(tasks),
            searches=searches,
            services=services,
            accounts=accounts,
            skill_watch=skill_watch,
        )
        for part in (threads, agents, services, accounts, skill_watch):
            part.host = host
        await store.open(tasks)
        try:
            await self._serve(Hall(host, Router(host, tasks)), threads, signals)
        finally:
            with trio.CancelScope(shield=True):
                async with trio.open_nursery() as ending:
                    ending.start_soon(threads.unload_all)
                    ending.start_soon(commands.close)
                    ending.start_soon(searches.close)
                    ending.start_soon(services.close)
                await store.close()

    async def _serve(self, hall: Hall, threads: Threads, signals: AsyncIterator[int]) -> None:
        """Return when the one client has gone, or a signal has ended it for the many."""
        async with trio.open_nursery() as transport:
            if self._wire is not None:
                transport.start_soon(_cancel_at_signal, signals, transport.cancel_scope)
                await serve_stdio(hall, self._wire)
            else:
                door = await self._open_door(hall, transport)
                log.warning("signal %s: waiting for running turns", await anext(signals))
                door.shut()
                await _drain(threads, signals)
                door.dismiss()
                transport.cancel_scope.deadline = trio.current_time() + GOODBYE_SECONDS
                return
            transport.cancel_scope.cancel()

    async def _open_door(self, hall: Hall, transport: trio.Nursery) -> Door:
        from supervisor.websocket import serve_unix, serve_websocket  # noqa: PLC0415

        match self._options.listen:
            case Tcp() as address:
                return await transport.start(serve_websocket, hall, address, self._options.auth)
            case Unix(path):
                return await transport.start(serve_unix, hall, Path(path) if path else None)
            case Stdio():
                raise AssertionError("stdio has no door")


async def _cancel_at_signal(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    await anext(signals)
    scope.cancel()


async def _drain(threads: Threads, signals: AsyncIterator[int]) -> None:
    """Let running turns finish, until a second signal or the bound."""
    async with trio.open_nursery() as waiting:
        waiting.cancel_scope.deadline = trio.current_time() + DRAIN_SECONDS
        waiting.start_soon(_cancel_at_signal, signals, waiting.cancel_scope)
        await threads.drain()
        waiting.cancel_scope.cancel()
