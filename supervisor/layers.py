"""Configuration in layers: each is one TOML table with a name, and a higher one wins key by key.

The layer's name and version travel to clients, who cite the version when they write.  Everything
here is pure; `config` finds the files.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from msgspec import UNSET

from protocol.config import ConfigLayer, ConfigLayerMetadata, ConfigLayerSource

Table = dict[str, Any]


class ConfigError(Exception):
    """The configuration cannot be used; the text names the place, the key and the problem."""

    def __init__(
        self, problem: str, *, key: str = "", file: Path | None = None, at: "Place | None" = None
    ) -> None:
        self.problem, self.key, self.file, self.at = problem, key, file, at
        super().__init__(str(self))

    def __str__(self) -> str:
        where = "".join(f"{part}:" for part in (self.file, *(self.at or ())) if part)
        return " ".join(filter(None, [where, self.problem])) + (
            f"\nin `{self.key}`\n" if self.key else ""
        )


Place = tuple[int, int]
"""Line and column, both counted from 1."""


@dataclass(frozen=True)
class Layer:
    """`disabled_reason` says why a layer is shown but not obeyed: its project is not trusted."""

    name: ConfigLayerSource
    table: Table
    disabled_reason: str | None = None

    @cached_property
    def version(self) -> str:
        """`sha256:` of the table's compact, key-sorted JSON (observed)."""
        text = json.dumps(
            self.table, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str
        )
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()

    def metadata(self) -> ConfigLayerMetadata:
        return ConfigLayerMetadata(self.name, self.version)

    def shown(self) -> ConfigLayer:
        return ConfigLayer(self.table, self.name, self.version, self.disabled_reason or UNSET)


def merged(layers: Iterable[Layer]) -> Table:
    """What the layers, highest first, amount to; disabled ones do not count."""
    table: Table = {}
    for layer in reversed([layer for layer in layers if layer.disabled_reason is None]):
        table = over(table, layer.table)
    return table


def over(low: Table, high: Table) -> Table:
    """`high` laid over `low`: tables are merged, all other values replaced."""
    table = dict(low)
    for key, value in high.items():
        below = table.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        table[key] = over(cast("Table", below), cast("Table", value)) if both else value
    return table


def origins(layers: Iterable[Layer]) -> dict[str, ConfigLayerMetadata]:
    """Which layer each value that counts comes from, by its dotted path."""
    layers = [layer for layer in layers if layer.disabled_reason is None]
    effective = set(_leaves(merged(layers)))
    found: dict[str, ConfigLayerMetadata] = {}
    for layer in layers:
        for path in effective.intersection(_leaves(layer.table)):
            found.setdefault(path, layer.metadata())
    return found


def _leaves(value: Any, path: str = "") -> Iterator[str]:
    match value:
        case dict():
            for key, below in cast("Table", value).items():
                yield from _leaves(below, f"{path}.{key}" if path else key)
        case list():
            for index, below in enumerate(cast("list[Any]", value)):
                yield from _leaves(below, f"{path}.{index}")
        case _:
            yield path


def parsed(text: str) -> Table:
    """Raises ValueError."""
    return tomllib.loads(text)


def flag(pair: str) -> Table:
    """The table of one `key=value` of the command line.

    The value is TOML where it parses as such, else the text itself; shells eat the quotes.
    Raises ConfigError.
    """
    key, equals, value = pair.partition("=")
    if not equals:
        raise ConfigError(f"-c {pair}: there is no `=`; write -c key=value")
    if not key.strip():
        raise ConfigError(f"-c {pair}: the key before `=` is empty; write -c key=value")
    return nested(key.strip(), _value(value.strip()))


def _value(text: str) -> Any:
    try:
        table = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text.strip("\"'")
    return table["value"] if len(table) == 1 else text


def nested(key: str, value: Any) -> Table:
    """The tables that a dotted key stands for: `a.b` is b in a."""
    for name in reversed(segments(key)):
        value = {name: value}
    return value


def segments(key: str) -> list[str]:
    """The names of a dotted key; a quoted one may hold dots.

    What TOML would refuse is split at every dot, as the reference server splits all keys.
    """
    try:
        table: Table | int = tomllib.loads(f"{key} = 0") if "\n" not in key else {}
    except tomllib.TOMLDecodeError:
        table = {}
    names: list[str] = []
    while isinstance(table, dict) and len(table) == 1:
        [(name, table)] = table.items()
        names.append(name)
    return names or key.split(".")


def dotted(names: Iterable[str]) -> str:
    """The key that `segments` takes apart; names that TOML would quote are quoted."""
    return ".".join(n if re.fullmatch(r"[\w-]+", n, re.ASCII) else json.dumps(n) for n in names)


_HEADER = re.compile(r"\s*\[+\s*([^\[\]]+?)\s*\]+")
_PAIR = re.compile(r"\s*((?:\"[^\"]*\"|'[^']*'|[^=#\"'])+?)\s*=\s*")


def locate(text: str, key: str) -> Place | None:
    """Where in a TOML text the value of a dotted key begins, or the inline table that holds it."""
    wanted, table = segments(key), list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = segments(header[1])
        elif pair := _PAIR.match(line):
            path = table + segments(pair[1])
            if wanted[: len(path)] == path:
                return number, pair.end() + 1
    return None
