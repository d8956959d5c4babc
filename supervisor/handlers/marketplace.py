"""marketplace/*: where plugins come from."""

import shutil
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import trio

from protocol.errors import INTERNAL_ERROR, RpcError, invalid
from protocol.marketplace import (
    MarketplaceAddParams,
    MarketplaceAddResponse,
    MarketplaceRemoveParams,
    MarketplaceRemoveResponse,
    MarketplaceUpgradeErrorInfo,
    MarketplaceUpgradeParams,
    MarketplaceUpgradeResponse,
)
from protocol.methods import MARKETPLACE_ADD, MARKETPLACE_REMOVE, MARKETPLACE_UPGRADE
from supervisor import plugins
from supervisor.connection import Connection
from supervisor.git_source import Folder, Refused, Repository, fetch, parse
from supervisor.handlers import serves
from supervisor.handlers.mcp import equip
from supervisor.host import Host
from supervisor.layers import Table
from supervisor.manifest import Broken, Marketplace, is_name, marketplace_file, read_marketplace
from supervisor.rewriting import rewrite

RESERVED = ("openai-curated", "openai-bundled", "chatgpt-global", "chatgpt-workspace")


@serves(MARKETPLACE_ADD)
async def marketplace_add(
    host: Host, _client: Connection, params: MarketplaceAddParams
) -> MarketplaceAddResponse:
    return await add(host, params)


async def add(host: Host, params: MarketplaceAddParams) -> MarketplaceAddResponse:
    """Raises RpcError."""
    try:
        source = parse(params.source, params.ref_name, params.sparse_paths)
        if isinstance(source, Folder):
            return await _add_folder(host, source)
        return await _add_repository(host, source)
    except (Refused, Broken) as error:
        raise invalid(str(error)) from None
    except OSError as error:
        raise RpcError(INTERNAL_ERROR, f"the marketplace was not added: {error}") from None


async def _add_folder(host: Host, source: Folder) -> MarketplaceAddResponse:
    market = _read(source.path)
    told = {"source_type": "local", "source": str(source.path)}
    known = _is_known(host, market.name, told)
    if not known:
        await _keep(host, market.name, told)
    return MarketplaceAddResponse(known, str(source.path), market.name)


async def _add_repository(host: Host, source: Repository) -> MarketplaceAddResponse:
    """Fetched to see what it is called; what was there under that name stays until it is."""
    told = _told(source)
    for name, known in plugins.configured(host.config).items():
        if _same(known, told) and (plugins.checkouts(host.home) / name).is_dir():
            return MarketplaceAddResponse(True, str(plugins.checkouts(host.home) / name), name)
    folder, _ = await fetch(source, plugins.checkouts(host.home))
    try:
        market = _read(folder)
        _is_known(host, market.name, told)
        root = plugins.checkouts(host.home) / market.name
        await trio.to_thread.run_sync(_swap, folder, root)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    await _keep(host, market.name, told)
    return MarketplaceAddResponse(False, str(root), market.name)


def _read(root: Path) -> Marketplace:
    """Raises Broken, and OSError."""
    file = marketplace_file(root)
    if file is None:
        problem = "marketplace root does not contain a supported manifest"
        raise Broken(f"invalid marketplace file `{root}`: {problem}")
    market = read_marketplace(file)
    if market.name in RESERVED:
        raise Broken(
            f"marketplace '{market.name}' is reserved and cannot be added from this source"
        )
    return market


def _told(source: Repository) -> Table:
    told: Table = {"source_type": "git", "source": source.url}
    if source.ref is not None:
        told["ref"] = source.ref
    if source.sparse:
        told["sparse_paths"] = source.sparse
    return told


def _same(known: Table, told: Table) -> bool:
    keys = ("source_type", "source", "ref", "sparse_paths")
    return all(known.get(key) == told.get(key) for key in keys)


def _is_known(host: Host, name: str, told: Table) -> bool:
    """Raises Refused when the name belongs to another source."""
    known = plugins.configured(host.config).get(name)
    if known is not None and not _same(known, told):
        raise Refused(
            f"marketplace '{name}' is already added from a different source; "
            "remove it before adding this source"
        )
    return known is not None


async def _keep(host: Host, name: str, told: Table, **more: Any) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    await _edit(host, ["marketplaces", name], {"last_updated": now, **more, **told})


async def _edit(host: Host, path: list[str], value: Table | None) -> None:
    from supervisor.edit import edited  # noqa: PLC0415 - tomlkit costs 15 ms

    await rewrite(host.config, lambda text: edited(text, [(path, value)], prune=True))


def _swap(folder: Path, root: Path) -> None:
    """Put a checkout where it belongs; the one that was there goes once the new one is."""
    old = root.with_name(f".old-{folder.name}")
    if root.exists():
        root.rename(old)
    folder.rename(root)
    shutil.rmtree(old, ignore_errors=True)


@serves(MARKETPLACE_REMOVE)
async def marketplace_remove(
    host: Host, _client: Connection, params: MarketplaceRemoveParams
) -> MarketplaceRemoveResponse:
    """A folder of the user's is not ours to remove."""
    name = params.marketplace_name
    if not name:
        raise invalid("invalid marketplace name: must not be empty")
    root = plugins.checkouts(host.home) / name
    if not is_name(name) or not (name in plugins.configured(host.config) or root.is_dir()):
        raise invalid(f"marketplace `{name}` is not configured or installed")
    there = root.is_dir()
    await _edit(host, ["marketplaces", name], None)
    await trio.to_thread.run_sync(partial(shutil.rmtree, root, ignore_errors=True))
    equip(host)
    return MarketplaceRemoveResponse(name, str(root) if there else None)


@serves(MARKETPLACE_UPGRADE)
async def marketplace_upgrade(
    host: Host, _client: Connection, params: MarketplaceUpgradeParams
) -> MarketplaceUpgradeResponse:
    """All git marketplaces, or one.  What fails leaves its checkout as it was."""
    known = {
        name: told
        for name, told in plugins.configured(host.config).items()
        if told.get("source_type") == "git" and is_name(name)
    }
    wanted = params.marketplace_name
    if wanted is not None and wanted not in known:
        raise invalid(f"marketplace `{wanted}` is not configured as a Git marketplace")
    names = sorted(known) if wanted is None else [wanted]
    done = MarketplaceUpgradeResponse([], names, [])
    for name in names:
        try:
            if await _upgrade(host, name, known[name]):
                done.upgraded_roots.append(str(plugins.checkouts(host.home) / name))
        except (Refused, Broken, OSError) as error:
            done.errors.append(MarketplaceUpgradeErrorInfo(name, str(error)))
    if done.upgraded_roots:
        equip(host)
    return done


async def _upgrade(host: Host, name: str, told: Table) -> bool:
    """Whether there was anything new.  Raises Refused, Broken, and OSError."""
    source = parse(told["source"], told.get("ref"), told.get("sparse_paths"))
    assert isinstance(source, Repository), "it is configured as one"
    root = plugins.checkouts(host.home) / name
    folder, revision = await fetch(source, plugins.checkouts(host.home))
    try:
        market = _read(folder)
        if market.name != name:
            raise Broken(f"marketplace `{name}` calls itself `{market.name}` now")
        if revision == told.get("last_revision") and root.is_dir():
            return False
        await trio.to_thread.run_sync(_swap, folder, root)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    await trio.to_thread.run_sync(_refresh, host, _read(root))
    await _keep(host, name, _told(source), last_revision=revision)
    return True


def _refresh(host: Host, market: Marketplace) -> None:
    """Bring what is installed of a marketplace to its newest.  Raises Broken, and OSError."""
    for offer in market.offers:
        id = f"{offer.name}@{market.name}"
        if offer.root is not None and plugins.installed(host.home, id) is not None:
            plugins.install(host.home, market.name, plugins.read_plugin(offer.root))
