"""The state that the whole host shares: one instance, made by `server`, handed to every handler."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from protocol.app import AppInfo
from supervisor.connection import Connection

if TYPE_CHECKING:
    from supervisor.accounts import Accounts
    from supervisor.agents import Agents
    from supervisor.asks import Asks
    from supervisor.commands import Commands
    from supervisor.config import Config
    from supervisor.searches import Searches
    from supervisor.services import Services
    from supervisor.skill_watch import SkillWatch
    from supervisor.store import Store
    from supervisor.threads import Threads
    from supervisor.watches import Watches


@dataclass(eq=False)
class Host:
    """`home` is CODEX_HOME; `config` answers for the arguments and the files under it."""

    home: Path
    version: str
    config: "Config"
    store: "Store"
    threads: "Threads"
    asks: "Asks"
    commands: "Commands"
    agents: "Agents"
    watches: "Watches"
    searches: "Searches"
    services: "Services"
    accounts: "Accounts"
    skill_watch: "SkillWatch"
    clients: set[Connection] = field(default_factory=set[Connection])
    apps: list[AppInfo] | None = None
    """Those of the directory, once they were asked for."""
    accessible: dict[str, AppInfo] = field(default_factory=dict[str, AppInfo])
    """Those whose tools threads have, by id."""
    in_flight: int = 0
    """Requests of all clients, gone ones too, that wait for an answer."""

    def tell_all(self, method: str, message: bytes, *, answering: Connection | None = None) -> None:
        """Send a notification to every client that has said hello.

        The client that is being answered gets it right behind its answer.
        """
        for client in self.clients:
            if client is answering:
                client.follow(method, message)
            else:
                client.tell(method, message)
