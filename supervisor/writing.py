"""Writes into the user's configuration: checked as a whole before a byte is changed.

Two writers at once are kept apart by a lock in this process, and by the version that a client may
name.  The file is replaced at once; a link stays a link.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from protocol.config import (
    ConfigEdit,
    ConfigWriteResponse,
    LegacyManagedConfigTomlFromFileLayer,
    LegacyManagedConfigTomlFromMdmLayer,
    OverriddenMetadata,
    SessionFlagsLayer,
    UserLayer,
)
from protocol.errors import INTERNAL_ERROR, INVALID_REQUEST, RpcError
from supervisor import check
from supervisor.config import Config
from supervisor.edit import edited
from supervisor.layers import ConfigError, Layer, Table, merged, parsed, segments

CONFLICT = "Configuration was modified since last read. Fetch latest version and retry."


def write(
    config: Config,
    edits: Sequence[ConfigEdit],
    *,
    file_path: str | None,
    expected_version: str | None,
) -> ConfigWriteResponse:
    """All of the edits or none.  Raises RpcError with a `config_write_error_code`."""
    if file_path is not None and not _is_users(config, file_path):
        raise refused("configLayerReadonly", "Only writes to the user config are allowed")
    text, before = _before(config)
    if expected_version is not None and expected_version != _user(config, before).version:
        raise refused("configVersionConflict", CONFLICT)
    paths = [_path(edit) for edit in edits]
    after = _edited(text, edits, paths)
    if after != text:
        _check(config, after)
        _save(config, after)
    layer = _user(config, parsed(after))
    over = next(filter(None, (_overridden(config, layer, path) for path in paths)), None)
    return ConfigWriteResponse(
        file_path=str(config.file),
        status="ok" if over is None else "okOverridden",
        version=layer.version,
        overridden_metadata=over,
    )


def refused(code: str, message: str) -> RpcError:
    return RpcError(INVALID_REQUEST, message, {"config_write_error_code": code})


def _is_users(config: Config, file_path: str) -> bool:
    absolute = os.path.isabs(file_path)  # noqa: PTH117
    return absolute and Path(file_path).resolve() == config.file.resolve()


def _before(config: Config) -> tuple[str, Table]:
    """The text and what it says.  A value of the wrong type may be what is to be repaired."""
    try:
        text = config.file.read_text("utf-8")
        return text, parsed(text)
    except FileNotFoundError:
        return "", {}
    except (OSError, ValueError) as error:
        problem = f"failed to load configuration: {config.file}: {error}"
        raise RpcError(INTERNAL_ERROR, problem) from None


def _user(config: Config, table: Table) -> Layer:
    return Layer(UserLayer(str(config.file)), table)


def _path(edit: ConfigEdit) -> list[str]:
    if not edit.key_path.strip():
        raise refused("configValidationError", "keyPath must not be empty")
    return segments(edit.key_path)


def _edited(text: str, edits: Sequence[ConfigEdit], paths: list[list[str]]) -> str:
    try:
        for edit, path in zip(edits, paths, strict=True):
            text = edited(text, [(path, edit.value)], merge=edit.merge_strategy == "upsert")
    except KeyError:
        message = "cannot set value on non-table parent"
        raise refused("configValidationError", message) from None
    except (ValueError, TypeError) as error:
        raise refused("configValidationError", f"Invalid configuration: {error}") from None
    return text


def _check(config: Config, text: str) -> None:
    """What the file will say must be usable by itself, and under what an administrator requires."""
    try:
        table = parsed(text)
        toml = check.verified(table)
        config.requirements().check_features(toml.features or {})
    except (ConfigError, ValueError) as error:
        raise refused("configValidationError", f"Invalid configuration: {error}") from None


def _save(config: Config, text: str) -> None:
    try:
        config.source(config.file).write(text)
    except OSError as error:
        problem = f"{config.file} cannot be written: {error.strerror or error}"
        raise RpcError(INTERNAL_ERROR, problem) from None


def _overridden(config: Config, user: Layer, path: list[str]) -> OverriddenMetadata | None:
    """Who has the last word on this key, if that is not the user's file (observed)."""
    try:
        layers = config.layers()
    except ConfigError:
        return None
    effective = _at(merged(layers), path)
    if effective is None or effective == _at(user.table, path):
        return None
    for layer in layers:
        if layer.name != user.name and _at(layer.table, path) is not None:
            return OverriddenMetadata(
                effective_value=effective,
                message=f"Overridden by {_called(layer)}",
                overriding_layer=layer.metadata(),
            )
    return None


def _at(table: Table, path: list[str]) -> Any:
    found: Any = table
    for key in path:
        found = found.get(key) if hasattr(found, "get") else None
    return found


def _called(layer: Layer) -> str:
    match layer.name:
        case SessionFlagsLayer():
            return "session flags"
        case LegacyManagedConfigTomlFromFileLayer(file=file):
            return f"legacy managed_config.toml: {file}"
        case LegacyManagedConfigTomlFromMdmLayer():
            return "legacy managed configuration"
        case name:
            return f"the configuration of {getattr(name, 'file', 'the system')}"
