"""Which plugins there are, which are installed, and what the installed ones bring.

Installed is what lies in the cache, `plugins/cache/MARKETPLACE/PLUGIN/VERSION`; enabled is what the
configuration does not switch off, `[plugins."PLUGIN@MARKETPLACE"]`.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from protocol.plugin import (
    AppSummary,
    MarketplaceInterface,
    PluginDetail,
    PluginMarketplaceEntry,
    PluginSummary,
    SkillSummary,
)
from supervisor.config import Config
from supervisor.layers import ConfigError, Table
from supervisor.manifest import (
    Broken,
    Marketplace,
    Offer,
    Plugin,
    is_name,
    marketplace_file,
    read_marketplace,
    read_plugin,
)
from supervisor.project import folders

FEATURE = "plugins"


def cache(home: Path) -> Path:
    return home / "plugins" / "cache"


def checkouts(home: Path) -> Path:
    """Where marketplaces of git repositories are."""
    return home / ".tmp" / "marketplaces"


def is_on(config: Config) -> bool:
    try:
        return config.feature(FEATURE)
    except ConfigError:
        return False


# ---- marketplaces


def marketplaces(
    config: Config, cwds: list[str]
) -> tuple[list[Marketplace], list[tuple[Path, str]]]:
    """Those that are configured, the user's, and those of the repositories around `cwds`; and the
    files that are none, with what is wrong with them."""
    found: dict[Path, Marketplace] = {}
    broken: list[tuple[Path, str]] = []
    for root in _roots(config, cwds):
        file = marketplace_file(root)
        if file is None or file in found:
            continue
        try:
            market = read_marketplace(file)
        except (Broken, OSError) as error:
            broken.append((file, str(error)))
        else:
            found[file] = market
    return [market for market in found.values() if market.offers], broken


def _roots(config: Config, cwds: list[str]) -> Iterator[Path]:
    for name in configured(config):
        if (folder := root(config, name)) is not None:
            yield folder
    yield Path.home()
    for cwd in cwds:
        yield folders(cwd)[0]


def root(config: Config, market: str) -> Path | None:
    """Where a configured marketplace is."""
    told = configured(config).get(market, {})
    if told.get("source_type") == "git":
        return checkouts(config.home) / market
    source = told.get("source")
    return Path(source) if isinstance(source, str) else None


def configured(config: Config) -> dict[str, Table]:
    """`[marketplaces]`, by name."""
    try:
        told = config.toml().marketplaces
    except ConfigError:
        return {}
    return {name: cast("Table", one) for name, one in told.items() if isinstance(one, dict)}


# ---- what is installed


def switches(config: Config) -> dict[str, bool]:
    """`[plugins]`: whether each that is named there is enabled."""
    try:
        told = config.toml().plugins
    except ConfigError:
        return {}
    return {
        id: cast("Table", one).get("enabled") is not False
        for id, one in told.items()
        if isinstance(one, dict)
    }


def installed(home: Path, id: str) -> Plugin | None:
    """What the cache has of a plugin, the newest version of it."""
    plugin, _, market = id.partition("@")
    folder = cache(home) / market / plugin
    if not is_name(plugin) or not is_name(market):
        return None
    try:
        versions = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        return read_plugin(versions[-1]) if versions else None
    except (OSError, Broken):
        return None


def active(config: Config) -> dict[str, Plugin]:
    """Those whose parts take effect, by id."""
    if not is_on(config):
        return {}
    found = {id: installed(config.home, id) for id, on in switches(config).items() if on}
    return {id: plugin for id, plugin in found.items() if plugin is not None}


def servers(config: Config) -> dict[str, Table]:
    """The MCP servers that plugins bring, as `[mcp_servers]` would have them."""
    found: dict[str, Table] = {}
    for plugin in active(config).values():
        for name, told in plugin.servers().items():
            found.setdefault(name, _server(told, plugin.root))
    return found


def _server(told: Table, root: Path) -> Table:
    """Its folder counts from the plugin's."""
    table: dict[str, Any] = {key: value for key, value in told.items() if key != "type"}
    if isinstance(cwd := table.get("cwd"), str):
        table["cwd"] = os.path.normpath(root / cwd)
    return table


# ---- what clients are shown


def entry(config: Config, market: Marketplace) -> PluginMarketplaceEntry:
    shown = market.shown and MarketplaceInterface(market.shown.display_name)
    plugins = [summary(config, market, offer) for offer in market.offers]
    return PluginMarketplaceEntry(market.name, plugins, shown, str(market.path))


def summary(config: Config, market: Marketplace, offer: Offer) -> PluginSummary:
    id = f"{offer.name}@{market.name}"
    here = installed(config.home, id)
    try:
        told = here if offer.root is None else read_plugin(offer.root)
    except Broken:
        told = None
    return PluginSummary(
        auth_policy=offer.policy.authentication,
        enabled=here is not None and switches(config).get(id, False),
        id=id,
        install_policy=offer.policy.installation,
        installed=here is not None,
        name=offer.name,
        source=offer.source,
        interface=told and told.interface(offer.category),
        keywords=told.keywords if told else [],
    )


def detail(config: Config, market: Marketplace, offer: Offer, plugin: Plugin) -> PluginDetail:
    id = f"{offer.name}@{market.name}"
    return PluginDetail(
        apps=[app(one) for one in plugin.apps()],
        hooks=plugin.hooks(id),
        marketplace_name=market.name,
        marketplace_path=str(market.path),
        mcp_servers=sorted(plugin.servers()),
        skills=list(_skills(plugin)),
        summary=summary(config, market, offer),
        description=plugin.description,
    )


def _skills(plugin: Plugin) -> Iterator[SkillSummary]:
    from supervisor.skills import of_plugin  # noqa: PLC0415 - it imports what imports us

    for skill in of_plugin(plugin):
        yield SkillSummary(skill.description, enabled=True, name=skill.name, path=skill.path)


def app(id: str) -> AppSummary:
    slug = "".join(char if char.isalnum() else "-" for char in id.lower()).strip("-")
    return AppSummary(id, id, True, install_url=f"https://chatgpt.com/apps/{slug}/{id}")


# ---- installing


def install(home: Path, market: str, plugin: Plugin) -> None:
    """Copy it into the cache, whole or not at all.  Raises Broken, and OSError."""
    folder = cache(home) / market / plugin.name
    cache(home).mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=cache(home), prefix=".new-"))
    try:
        _copy(plugin.root, staging / plugin.version)
        uninstall(home, f"{plugin.name}@{market}")
        folder.parent.mkdir(exist_ok=True)
        staging.rename(folder)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _copy(source: Path, target: Path) -> None:
    """Links that lead out of the plugin would bring what is not its own."""
    for folder, names, files in os.walk(source):
        for name in (*names, *files):
            path = Path(folder, name)
            if path.is_symlink() and not path.resolve().is_relative_to(source.resolve()):
                raise Broken(f"the link {path} leads out of the plugin")
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(".git"))


def uninstall(home: Path, id: str) -> None:
    """Raises OSError."""
    plugin, _, market = id.partition("@")
    folder = cache(home) / market / plugin
    if folder.is_dir():
        gone = Path(tempfile.mkdtemp(dir=cache(home), prefix=".old-"))
        folder.rename(gone / plugin)
        shutil.rmtree(gone, ignore_errors=True)
    try:
        folder.parent.rmdir()
    except OSError:
        return  # others of the same marketplace are there, or none ever was
