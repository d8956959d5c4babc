"""Plugins that Claude Code has enabled, by the marketplaces that they come from."""

from collections.abc import Iterator

from protocol.external import MigrationDetails, PluginsMigration
from supervisor.config import Config
from supervisor.migration.place import Place, table
from supervisor.plugins import configured, switches


def enabled(place: Place, config: Config) -> dict[str, list[str]]:
    """Names of plugins not yet switched on or off here, by marketplace.  Raises Unreadable."""
    found: dict[str, list[str]] = {}
    known = switches(config)
    for id, on in table(place.settings().get("enabledPlugins")).items():
        name, at, market = id.partition("@")
        if (
            on is True
            and at
            and id not in known
            and (market in configured(config) or source(place, market))
        ):
            found.setdefault(market, []).append(name)
    return found


def source(place: Place, market: str) -> str | None:
    """Where the marketplace is, as `marketplace/add` takes it.  Raises Unreadable."""
    known = table(place.settings().get("extraKnownMarketplaces"))
    told = table(table(known.get(market)).get("source"))
    match told:
        case {"source": "github", "repo": str(repo)}:
            return repo
        case {"source": "git", "url": str(url)}:
            return url
        case {"source": "directory", "path": str(path)}:
            return str(place.root / path)
        case _:
            return None


def details(place: Place, config: Config) -> MigrationDetails | None:
    found = [PluginsMigration(market, names) for market, names in enabled(place, config).items()]
    return MigrationDetails(plugins=found) if found else None


def wanted(
    told: MigrationDetails | None, place: Place, config: Config
) -> Iterator[tuple[str, str]]:
    """Marketplace and name of each plugin to install: the enabled ones that the client chose."""
    chosen = (
        None
        if told is None
        else {(m.marketplace_name, n) for m in told.plugins for n in m.plugin_names}
    )
    for market, names in enabled(place, config).items():
        for name in names:
            if chosen is None or (market, name) in chosen:
                yield market, name
