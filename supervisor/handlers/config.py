"""config/read and its neighbours: what is configured, and which file says so."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import msgspec
import trio
from msgspec import UNSET

from protocol.config import (
    ConfigBatchWriteParams,
    ConfigEdit,
    ConfigReadParams,
    ConfigReadResponse,
    ConfigRequirementsReadResponse,
    ConfigValueWriteParams,
    ConfigWriteResponse,
    ExperimentalFeatureEnablementSetParams,
    ExperimentalFeatureEnablementSetResponse,
    ExperimentalFeatureListParams,
    ExperimentalFeatureListResponse,
)
from protocol.errors import INTERNAL_ERROR, RpcError, invalid
from protocol.methods import (
    CONFIG_BATCH_WRITE,
    CONFIG_READ,
    CONFIG_REQUIREMENTS_READ,
    CONFIG_VALUE_WRITE,
    EXPERIMENTAL_FEATURE_ENABLEMENT_SET,
    EXPERIMENTAL_FEATURE_LIST,
)
from protocol.overrides import absolute
from protocol.wire import Nothing
from supervisor import check, features
from supervisor.config import Config
from supervisor.connection import Connection
from supervisor.handlers import serves
from supervisor.handlers.mcp import equip
from supervisor.handlers.model import page
from supervisor.host import Host
from supervisor.layers import ConfigError, Layer, Table, merged, origins
from supervisor.toml import Toml


@serves(CONFIG_READ)
def config_read(host: Host, _client: Connection, params: ConfigReadParams) -> ConfigReadResponse:
    """Without a `cwd` no project counts; profiles are shown, not applied (observed)."""
    cwd = None if params.cwd is None else absolute(params.cwd, str(Path.cwd()))
    layers = _layers(host, cwd)
    try:
        shown = known(host.config, merged(layers))
    except ConfigError as error:
        raise RpcError(INTERNAL_ERROR, f"invalid configuration: {error}") from None
    return ConfigReadResponse(
        config=shown,
        origins=origins(layers),
        layers=[layer.shown() for layer in layers] if params.include_layers else UNSET,
    )


def _layers(host: Host, cwd: str | None) -> list[Layer]:
    try:
        return host.config.layers(cwd)
    except ConfigError as error:
        text = f"failed to read configuration layers: {error}"
        raise RpcError(INTERNAL_ERROR, text) from None


def known(config: Config, table: Table) -> Table:
    """Every key that config.toml may have, null where it is unset.  Raises ConfigError."""
    toml = check.typed(table)
    shown = cast("Table", msgspec.to_builtins(toml))
    for ours, at in ((shown, "atrio"), *((p, "script") for p in shown["model_providers"].values())):
        if ours[at] is None:
            del ours[at]
    if toml.tools is not None and isinstance(toml.tools.web_search, bool):
        shown["tools"]["web_search"] = None  # the old switch is not shown (observed)
    for server in shown["mcp_servers"].values():
        server.setdefault("tool_timeout_sec", None)
    shown["features"] = _features(config, toml)
    return shown


def _features(config: Config, toml: Toml) -> dict[str, Any]:
    """Those that are configured, and how each stands that clients may switch (observed)."""
    stand = config.features(toml)
    return (toml.features or {}) | {name: stand[name] for name in features.SETTABLE}


@serves(CONFIG_VALUE_WRITE)
async def config_value_write(
    host: Host, _client: Connection, params: ConfigValueWriteParams
) -> ConfigWriteResponse:
    return await _write(host, [params], params.file_path, params.expected_version)


@serves(CONFIG_BATCH_WRITE)
async def config_batch_write(
    host: Host, _client: Connection, params: ConfigBatchWriteParams
) -> ConfigWriteResponse:
    """What can change under a loaded thread are MCP servers and hooks; all else is for the next."""
    done = await _write(host, params.edits, params.file_path, params.expected_version)
    if params.reload_user_config:
        equip(host)
    return done


async def _write(
    host: Host, edits: Sequence[ConfigEdit], file_path: str | None, version: str | None
) -> ConfigWriteResponse:
    """One write at a time, beside the event loop: parsing with comments takes a while."""
    from supervisor.writing import write  # noqa: PLC0415 - tomlkit costs 15 ms

    done = partial(write, host.config, edits, file_path=file_path, expected_version=version)
    async with host.config.writing:
        return await trio.to_thread.run_sync(done)


@serves(CONFIG_REQUIREMENTS_READ)
def config_requirements_read(
    host: Host, _client: Connection, _params: Nothing
) -> ConfigRequirementsReadResponse:
    """What the administrator's `requirements.toml` says."""
    try:
        return ConfigRequirementsReadResponse(host.config.requirements().asked)
    except ConfigError as error:
        raise RpcError(INTERNAL_ERROR, str(error)) from None


@serves(EXPERIMENTAL_FEATURE_LIST)
def experimental_feature_list(
    host: Host, _client: Connection, params: ExperimentalFeatureListParams
) -> ExperimentalFeatureListResponse:
    try:
        stand = host.config.features(host.config.toml())
    except ConfigError:
        stand = features.enabled(Toml(), host.config.switched)
    data, cursor = page(features.listed(stand), params.cursor, params.limit, "feature flags")
    return ExperimentalFeatureListResponse(list(data), cursor)


@serves(EXPERIMENTAL_FEATURE_ENABLEMENT_SET)
def experimental_feature_enablement_set(
    host: Host, _client: Connection, params: ExperimentalFeatureEnablementSetParams
) -> ExperimentalFeatureEnablementSetResponse:
    for name in params.enablement:
        if name not in features.FEATURES:
            raise invalid(f"invalid feature enablement `{name}`")
        if name not in features.SETTABLE:
            supported = ", ".join(features.SETTABLE)
            raise invalid(
                f"unsupported feature enablement `{name}`: "
                f"currently supported features are {supported}"
            )
    host.config.switched |= params.enablement
    return ExperimentalFeatureEnablementSetResponse(params.enablement)
