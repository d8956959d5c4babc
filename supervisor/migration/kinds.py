"""The kinds of things that are taken over, in the order in which they are offered."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from protocol.external import (
    ExternalAgentConfigMigrationItem,
    ExternalAgentConfigMigrationItemType,
    MigrationDetails,
)
from supervisor.config import Config
from supervisor.migration import documents, sessions, settings, shop
from supervisor.migration.place import Place, Unreadable

Found = MigrationDetails | bool | None
"""What there is, by name where names are told; None or False for nothing."""


@dataclass(frozen=True)
class Kind:
    name: ExternalAgentConfigMigrationItemType
    find: Callable[[Place], Found]
    describe: Callable[[Place], str]
    carry: Callable[[Place], None] | None = None
    """None for what is imported in steps of its own."""


def kinds(config: Config) -> list[Kind]:
    return [
        Kind("CONFIG", lambda p: bool(settings.config(p)), _settings, settings.import_config),
        Kind("MCP_SERVER_CONFIG", settings.servers_details, _servers, settings.import_servers),
        Kind("HOOKS", settings.hooks_details, _hooks, settings.import_hooks),
        Kind(
            "SKILLS",
            lambda p: bool(documents.skills(p)),
            _folder("skills"),
            documents.import_skills,
        ),
        Kind(
            "COMMANDS", documents.commands_details, _folder("commands"), documents.import_commands
        ),
        Kind(
            "SUBAGENTS", documents.subagents_details, _folder("agents"), documents.import_subagents
        ),
        Kind(
            "AGENTS_MD",
            lambda p: documents.instructions(p) is not None,
            _instructions,
            documents.import_instructions,
        ),
        Kind("PLUGINS", partial(shop.details, config=config), _plugins),
        Kind("SESSIONS", _sessions_of_home, _sessions),
    ]


def _sessions_of_home(place: Place) -> Found:
    return sessions.sessions_details(place) if place.is_home else None


def detect(config: Config, place: Place) -> list[ExternalAgentConfigMigrationItem]:
    """A file that cannot be read offers nothing; the others do all the same."""
    found: list[ExternalAgentConfigMigrationItem] = []
    for kind in kinds(config):
        try:
            there = kind.find(place)
            if there:
                details = there if isinstance(there, MigrationDetails) else None
                text = kind.describe(place)
                found.append(ExternalAgentConfigMigrationItem(kind.name, text, place.cwd, details))
        except (Unreadable, OSError):
            continue
    return found


# ---- what a user reads


def _settings(place: Place) -> str:
    return f"Migrate {place.source / 'settings.json'} into {place.config}"


def _servers(place: Place) -> str:
    return f"Migrate MCP servers from {place.root} into {place.config}"


def _hooks(place: Place) -> str:
    return f"Migrate hooks from {place.source} to {place.target / 'hooks.json'}"


def _folder(name: str) -> Callable[[Place], str]:
    def describe(place: Place) -> str:
        what = {"agents": "subagents"}.get(name, name)
        target = place.target / "agents" if name == "agents" else place.skills
        return f"Migrate {what} from {place.source / name} to {target}"

    return describe


def _instructions(place: Place) -> str:
    folder = place.target if place.is_home else place.root
    return f"Migrate {documents.instructions(place)} to {folder / 'AGENTS.md'}"


def _plugins(place: Place) -> str:
    return f"Install the plugins that {place.source / 'settings.json'} enables"


def _sessions(place: Place) -> str:
    return f"Migrate recent sessions from {place.source / 'projects'}"
