"""plugin/*: what marketplaces offer, installed and taken away again."""

import os
import shutil
from pathlib import Path

import trio

from protocol.errors import INTERNAL_ERROR, RpcError, invalid
from protocol.methods import PLUGIN_INSTALL, PLUGIN_LIST, PLUGIN_READ, PLUGIN_UNINSTALL
from protocol.overrides import RELATIVE
from protocol.plugin import (
    GitSource,
    MarketplaceLoadErrorInfo,
    PluginInstallParams,
    PluginInstallResponse,
    PluginListParams,
    PluginListResponse,
    PluginReadParams,
    PluginReadResponse,
    PluginUninstallParams,
    PluginUninstallResponse,
)
from supervisor import plugins
from supervisor.connection import Connection
from supervisor.git_source import Refused, Repository, fetch
from supervisor.handlers import serves
from supervisor.handlers.mcp import equip
from supervisor.host import Host
from supervisor.manifest import Broken, Marketplace, Offer, is_name, read_marketplace, read_plugin
from supervisor.rewriting import rewrite
from supervisor.shared_plugins import Catalogue, catalogue

OFF = "plugins feature is disabled"


@serves(PLUGIN_LIST)
async def plugin_list(
    host: Host, client: Connection, params: PluginListParams
) -> PluginListResponse:
    """What the user is logged in to offers is asked for when a client names its kind."""
    cwds = params.cwds or []
    _check_absolute(*cwds)
    if not plugins.is_on(host.config):
        return PluginListResponse([])
    kinds = params.marketplace_kinds
    answer = PluginListResponse([])
    if kinds is None or "local" in kinds:
        answer = await trio.to_thread.run_sync(_local, host, cwds)
    for kind in kinds or ():
        if kind != "local":
            shared = await catalogue(host, client, "list remote plugins")
            answer.marketplaces += await shared.marketplaces(kind)
    return answer


def _local(host: Host, cwds: list[str]) -> PluginListResponse:
    found, broken = plugins.marketplaces(host.config, cwds)
    return PluginListResponse(
        marketplaces=[plugins.entry(host.config, market) for market in found],
        marketplace_load_errors=[
            MarketplaceLoadErrorInfo(str(file), problem) for file, problem in broken
        ],
    )


def _check_absolute(*paths: str | None) -> None:
    if not all(os.path.isabs(path) for path in paths if path is not None):  # noqa: PTH117
        raise invalid(RELATIVE)


def _one_of(method: str, path: str | None, remote: str | None) -> None:
    _check_absolute(path)
    if (path is None) == (remote is None):
        raise invalid(f"{method} requires exactly one of marketplacePath or remoteMarketplaceName")


def _offer(path: str, name: str) -> tuple[Marketplace, Offer]:
    """Raises RpcError."""
    try:
        market = read_marketplace(Path(path))
    except FileNotFoundError:
        raise invalid(f"marketplace file `{path}` does not exist") from None
    except (Broken, OSError) as error:
        raise invalid(str(error)) from None
    if (offer := market.offer(name)) is None:
        raise invalid(f"plugin `{name}` was not found in marketplace `{market.name}`")
    return market, offer


@serves(PLUGIN_READ)
async def plugin_read(
    host: Host, client: Connection, params: PluginReadParams
) -> PluginReadResponse:
    _one_of("plugin/read", params.marketplace_path, params.remote_marketplace_name)
    if params.marketplace_path is None:
        shared = await catalogue(host, client, "read remote plugin details")
        return PluginReadResponse(await shared.detail(params.plugin_name))
    if not plugins.is_on(host.config):
        raise invalid(OFF)
    market, offer = _offer(params.marketplace_path, params.plugin_name)
    try:
        plugin = await trio.to_thread.run_sync(_of, host, market, offer)
    except Broken as error:
        raise invalid(str(error)) from None
    return PluginReadResponse(plugins.detail(host.config, market, offer, plugin))


def _of(host: Host, market: Marketplace, offer: Offer) -> plugins.Plugin:
    """Raises Broken."""
    if offer.root is not None:
        return read_plugin(offer.root)
    here = plugins.installed(host.home, f"{offer.name}@{market.name}")
    if here is None:
        raise Broken("it comes from a git repository; install it to see what it brings")
    return here


@serves(PLUGIN_INSTALL)
async def plugin_install(
    host: Host, client: Connection, params: PluginInstallParams
) -> PluginInstallResponse:
    _one_of("plugin/install", params.marketplace_path, params.remote_marketplace_name)
    if params.marketplace_path is None:
        shared = await catalogue(host, client, "read remote plugin details before install")
        return await shared.install(params.plugin_name)
    return await install(host, params.marketplace_path, params.plugin_name)


async def install(host: Host, path: str, name: str) -> PluginInstallResponse:
    """One of the marketplace whose file is at `path`.  Raises RpcError."""
    if not plugins.is_on(host.config):
        raise invalid(OFF)
    market, offer = _offer(path, name)
    if offer.policy.installation == "NOT_AVAILABLE":
        raise invalid(
            f"plugin `{offer.name}` is not available for install in marketplace `{market.name}`"
        )
    try:
        await _install(host, market, offer)
    except (Broken, Refused) as error:
        raise invalid(str(error)) from None
    except OSError as error:
        raise RpcError(
            INTERNAL_ERROR, f"plugin `{offer.name}` was not installed: {error}"
        ) from None
    await _switch(host, f"{offer.name}@{market.name}", {"enabled": True})
    equip(host)
    return PluginInstallResponse([], offer.policy.authentication)


async def _install(host: Host, market: Marketplace, offer: Offer) -> None:
    """Raises Broken, Refused, and OSError."""
    if isinstance(offer.source, GitSource):
        source = offer.source
        into = plugins.checkouts(host.home)
        folder, _ = await fetch(Repository(source.url, source.sha or source.ref_name), into)
        try:
            root = folder / (source.path or ".").removeprefix("./")
            await trio.to_thread.run_sync(_copy, host, market, root)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return
    assert offer.root is not None
    if not offer.root.is_dir():
        raise Broken("missing plugin.json")
    await trio.to_thread.run_sync(_copy, host, market, offer.root)


def _copy(host: Host, market: Marketplace, root: Path) -> None:
    plugins.cache(host.home).mkdir(parents=True, exist_ok=True)
    plugins.install(host.home, market.name, read_plugin(root))


async def _switch(host: Host, id: str, value: dict[str, bool] | None) -> None:
    from supervisor.edit import edited  # noqa: PLC0415 - tomlkit costs 15 ms

    await rewrite(host.config, lambda text: edited(text, [(["plugins", id], value)], prune=True))


@serves(PLUGIN_UNINSTALL)
async def plugin_uninstall(
    host: Host, client: Connection, params: PluginUninstallParams
) -> PluginUninstallResponse:
    """One that is not installed is gone all the same (observed)."""
    name, at, market = params.plugin_id.partition("@")
    if not at:
        if not Catalogue.is_id(params.plugin_id):
            raise invalid("invalid remote plugin id")
        shared = await catalogue(host, client, "uninstall remote plugin")
        await shared.uninstall(params.plugin_id)
        return PluginUninstallResponse()
    if not is_name(name) or not is_name(market):
        raise invalid(f"invalid plugin id: {params.plugin_id}")
    try:
        await trio.to_thread.run_sync(plugins.uninstall, host.home, params.plugin_id)
    except OSError as error:
        raise RpcError(INTERNAL_ERROR, f"{params.plugin_id} was not uninstalled: {error}") from None
    await _switch(host, params.plugin_id, None)
    equip(host)
    return PluginUninstallResponse()
