"""`[agents]`: how many agents a model may start, and of what kinds.

A kind is a table of `[agents]`, or a file in the `agents` folder beside a config.toml.  A file that
cannot be used does not keep anybody from work: who asks for an agent of its kind is told why.
"""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, assert_never, cast

import msgspec
from msgspec import Struct

from protocol.agent import MAX_DEPTH, MAX_THREADS, AgentSettings, Role
from protocol.config import (
    ConfigLayerSource,
    LegacyManagedConfigTomlFromFileLayer,
    LegacyManagedConfigTomlFromMdmLayer,
    MdmLayer,
    ProjectLayer,
    SessionFlagsLayer,
    SystemLayer,
    UserLayer,
)
from protocol.model import ReasoningEffort, ReasoningSummary
from supervisor.layers import ConfigError, Layer, Table
from supervisor.toml import Toml


class _Declared(Struct):
    """A table of `[agents]`."""

    description: str | None = None
    config_file: str | None = None
    nickname_candidates: list[str] | None = None


class _File(Struct):
    """What of a role's file counts here; it may say more, as any config.toml."""

    name: str | None = None
    description: str | None = None
    nickname_candidates: list[str] | None = None
    model: str | None = None
    model_reasoning_effort: ReasoningEffort | None = None
    model_reasoning_summary: ReasoningSummary | None = None
    developer_instructions: str | None = None


def agents(toml: Toml, layers: list[Layer]) -> AgentSettings:
    """Raises ConfigError."""
    table = toml.agents or {}
    return AgentSettings(
        max_threads=_bound(table, "max_threads", MAX_THREADS),
        max_depth=_bound(table, "max_depth", MAX_DEPTH),
        roles=_roles(layers),
    )


def _bound(table: Table, name: str, usual: int) -> int:
    match table.get(name):
        case None:
            return usual
        case int(number) if number >= 1:
            return number
        case _:
            raise ConfigError(f"agents.{name} must be at least 1", key=f"agents.{name}")


def _roles(layers: list[Layer]) -> dict[str, Role]:
    """By name; those of a higher layer win, and in one layer those that are declared."""
    found: dict[str, Role] = {}
    for layer in reversed([layer for layer in layers if layer.disabled_reason is None]):
        folder = _folder(layer.name)
        found |= dict(_lying(folder / "agents") if folder else ())
        found |= dict(_declared(layer.table, folder or Path.cwd()))
    return found


def _lying(folder: Path) -> Iterator[tuple[str, Role]]:
    """The files of a folder."""
    for path in sorted(folder.glob("*.toml")):
        name, role = _read(path)
        yield name or path.stem, role


def _declared(table: Table, base: Path) -> Iterator[tuple[str, Role]]:
    """The tables of `[agents]`; the other keys are numbers."""
    given: Any = table.get("agents")
    for name, value in cast("Table", given if isinstance(given, dict) else {}).items():
        if isinstance(value, dict):
            yield name, _role(value, base)


def _role(table: Any, base: Path) -> Role:
    try:
        declared = msgspec.convert(table, _Declared)
    except msgspec.ValidationError as error:
        return Role(problem=str(error))
    role = Role()
    if declared.config_file is not None:
        _, role = _read(base / Path(declared.config_file).expanduser())
    role.description = declared.description or role.description
    role.nicknames = declared.nickname_candidates or role.nicknames
    return role


def _read(path: Path) -> tuple[str | None, Role]:
    """The role of a file, and the name that it gives itself."""
    try:
        file = msgspec.convert(tomllib.loads(path.read_text("utf-8")), _File)
    except (OSError, ValueError) as error:  # ValueError: no TOML, no UTF-8, or a wrong type
        return None, Role(problem=f"{path}: {error}")
    role = Role(
        description=file.description,
        nicknames=file.nickname_candidates or [],
        model=file.model,
        effort=file.model_reasoning_effort,
        summary=file.model_reasoning_summary,
        developer_instructions=file.developer_instructions,
    )
    return file.name, role


def _folder(layer: ConfigLayerSource) -> Path | None:
    """Where a layer's file lies; None for one that has none."""
    match layer:
        case UserLayer(file) | SystemLayer(file) | LegacyManagedConfigTomlFromFileLayer(file):
            return Path(file).parent
        case ProjectLayer(folder):
            return Path(folder)
        case SessionFlagsLayer() | MdmLayer() | LegacyManagedConfigTomlFromMdmLayer():
            return None
        case _:
            assert_never(layer)
