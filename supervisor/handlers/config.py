"""config/read and its neighbours: what is configured, and which file says so."""

import tomllib
from pathlib import Path
from typing import Any, cast

import msgspec
from msgspec import UNSET, Struct

from protocol.config import (
    ConfigReadParams,
    ConfigReadResponse,
    ConfigRequirements,
    ConfigRequirementsReadResponse,
    ExperimentalFeatureListParams,
    ExperimentalFeatureListResponse,
    NetworkRequirements,
)
from protocol.errors import INTERNAL_ERROR, RpcError
from protocol.methods import CONFIG_READ, CONFIG_REQUIREMENTS_READ, EXPERIMENTAL_FEATURE_LIST
from protocol.overrides import absolute
from protocol.wire import Nothing
from supervisor import check, features
from supervisor.connection import Connection
from supervisor.handlers import serves
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
        shown = known(merged(layers))
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


def known(table: Table) -> Table:
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
    shown["features"] = _features(toml)
    return shown


def _features(toml: Toml) -> dict[str, Any]:
    """Those that are configured, and how each stands that clients may switch (observed)."""
    stand = features.enabled(toml)
    return (toml.features or {}) | {name: stand[name] for name in features.SETTABLE}


@serves(CONFIG_REQUIREMENTS_READ)
def config_requirements_read(
    host: Host, _client: Connection, _params: Nothing
) -> ConfigRequirementsReadResponse:
    """What the administrator's `requirements.toml` says; shown here, not yet enforced."""
    file = host.config.etc / "requirements.toml"
    try:
        table = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return ConfigRequirementsReadResponse()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RpcError(INTERNAL_ERROR, f"{file} cannot be read: {error}") from None
    return ConfigRequirementsReadResponse(requirements(table, file))


def requirements(table: Table, file: Path) -> ConfigRequirements:
    """Raises RpcError for a file of the wrong shape."""
    modes = table.get("allowed_web_search_modes")
    given: Table = _pick(ConfigRequirements, table) | {
        "feature_requirements": table.get("features"),
        # Where a search may be cached it may be switched off as well (observed).
        "allowed_web_search_modes": modes and list(dict.fromkeys([*modes, "disabled"])),
        "network": NetworkRequirements(**_pick(NetworkRequirements, table.get("network") or {})),
    }
    if "network" not in table:
        given["network"] = None
    try:
        return msgspec.convert(msgspec.to_builtins(ConfigRequirements(**given)), ConfigRequirements)
    except msgspec.ValidationError as error:
        raise RpcError(INTERNAL_ERROR, f"{file}: {error}") from None


def _pick(shape: type[Struct], table: Table) -> Table:
    return {name: table[name] for name in shape.__struct_fields__ if name in table}


@serves(EXPERIMENTAL_FEATURE_LIST)
def experimental_feature_list(
    host: Host, _client: Connection, params: ExperimentalFeatureListParams
) -> ExperimentalFeatureListResponse:
    try:
        toml = host.config.toml()
    except ConfigError:
        toml = Toml()
    data, cursor = page(features.listed(toml), params.cursor, params.limit, "feature flags")
    return ExperimentalFeatureListResponse(list(data), cursor)
