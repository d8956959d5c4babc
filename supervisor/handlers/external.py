"""externalAgentConfig/*: taking over what the user has in another coding agent."""

from functools import partial
from pathlib import Path

import trio

from protocol.errors import INTERNAL_ERROR, RpcError
from protocol.external import (
    ExternalAgentConfigDetectParams,
    ExternalAgentConfigDetectResponse,
    ExternalAgentConfigImportCompletedNotification,
    ExternalAgentConfigImportParams,
    ExternalAgentConfigImportResponse,
    ExternalAgentConfigMigrationItem,
)
from protocol.marketplace import MarketplaceAddParams
from protocol.methods import (
    EXTERNAL_AGENT_CONFIG_DETECT,
    EXTERNAL_AGENT_CONFIG_IMPORT,
    EXTERNAL_AGENT_CONFIG_IMPORT_COMPLETED,
)
from supervisor import plugins
from supervisor.connection import Connection
from supervisor.handlers import serves
from supervisor.handlers.marketplace import add
from supervisor.handlers.mcp import equip
from supervisor.handlers.plugin import install
from supervisor.host import Host
from supervisor.manifest import marketplace_file
from supervisor.migration import shop
from supervisor.migration.kinds import detect, kinds
from supervisor.migration.place import Place, Unreadable, home, repository
from supervisor.migration.sessions import import_sessions


@serves(EXTERNAL_AGENT_CONFIG_DETECT)
async def external_agent_config_detect(
    host: Host, _client: Connection, params: ExternalAgentConfigDetectParams
) -> ExternalAgentConfigDetectResponse:
    """The home first, then the repositories around `cwds`; what is no folder is passed over."""
    places = [home(host.home)] if params.include_home else []
    for cwd in params.cwds or []:
        if (place := repository(cwd)) is not None and place not in places:
            places.append(place)
    found = await trio.to_thread.run_sync(
        lambda: [item for place in places for item in detect(host.config, place)]
    )
    return ExternalAgentConfigDetectResponse(found)


@serves(EXTERNAL_AGENT_CONFIG_IMPORT)
async def external_agent_config_import(
    host: Host, client: Connection, params: ExternalAgentConfigImportParams
) -> ExternalAgentConfigImportResponse:
    """Ours: what one item meets does not keep the others from being taken over, and it is said."""
    problems: list[str] = []
    for item in params.migration_items:
        try:
            await _carry(host, item)
        except (Unreadable, OSError, RpcError, ValueError) as error:
            text = error.message if isinstance(error, RpcError) else str(error)
            problems.append(f"{item.item_type}: {text}")
    equip(host)
    if problems:
        raise RpcError(INTERNAL_ERROR, f"not everything was imported: {'; '.join(problems)}")
    if params.migration_items:
        row = EXTERNAL_AGENT_CONFIG_IMPORT_COMPLETED
        done = row.encode(ExternalAgentConfigImportCompletedNotification())
        host.tell_all(row.name, done, answering=client)
    return ExternalAgentConfigImportResponse()


async def _carry(host: Host, item: ExternalAgentConfigMigrationItem) -> None:
    place = home(host.home) if item.cwd is None else repository(item.cwd)
    if place is None:
        return  # the folder is gone, and with it what was found there (observed)
    if item.item_type == "SESSIONS":
        await _sessions(host, place, item)
    elif item.item_type == "PLUGINS":
        await _plugins(host, place, item)
    else:
        kind = next(kind for kind in kinds(host.config) if kind.name == item.item_type)
        assert kind.carry is not None
        async with host.config.writing:
            await trio.to_thread.run_sync(kind.carry, place)


async def _sessions(host: Host, place: Place, item: ExternalAgentConfigMigrationItem) -> None:
    details = item.details
    wanted = None if details is None else {session.path for session in details.sessions}
    provider = host.config.model_provider()
    do = partial(import_sessions, place, wanted, host.version, provider)
    for id, name in await trio.to_thread.run_sync(lambda: list(do())):
        await host.store.set_name(id, name)


async def _plugins(host: Host, place: Place, item: ExternalAgentConfigMigrationItem) -> None:
    for market, name in list(shop.wanted(item.details, place, host.config)):
        root = plugins.root(host.config, market)
        if root is None:
            source = shop.source(place, market)
            assert source is not None, "it would not have been offered"
            added = await add(host, MarketplaceAddParams(source))
            root = Path(added.installed_root)
        file = marketplace_file(root)
        if file is None:
            raise Unreadable(f"{root} holds no marketplace")
        await install(host, str(file), name)
