"""One TOML file of the configuration: read when it has changed, written without losing comments."""

import os
import re
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from supervisor import check
from supervisor.layers import ConfigError, Table, locate

# What a project's own file may not decide even when it is trusted: where requests and credentials
# go, and what runs outside a turn (observed for the first five; the rest follow from those).
FOR_USERS_ONLY = (
    "openai_base_url",
    "model_provider",
    "notify",
    "profile",
    "profiles",
    "chatgpt_base_url",
    "model_providers",
    "otel",
    "projects",
    "atrio",
)
_WHERE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


@dataclass
class Source:
    """`table` costs one stat while the file stays the same; nothing watches it."""

    path: Path
    _seen: tuple[int, ...] | None = None
    _table: Table | ConfigError | None = None

    def table(self) -> Table:
        """What the file says; an empty table if there is none.  Raises ConfigError."""
        try:
            stat = self.path.stat()
        except OSError:
            self._seen, self._table = None, {}
        else:
            seen = (stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino)
            if seen != self._seen:
                self._seen, self._table = seen, self._read()
        if isinstance(self._table, ConfigError):
            raise self._table
        return self._table or {}

    def _read(self) -> Table | ConfigError:
        try:
            text = self.path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            return ConfigError(f"cannot be read: {error}", file=self.path)
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            return self._broken(str(error), text)
        try:
            check.typed(table)
        except ConfigError as error:
            at = locate(text, error.key)
            return ConfigError(error.problem, key=error.key, file=self.path, at=at)
        return based(table, self.path.parent)

    def _broken(self, problem: str, text: str) -> ConfigError:
        where = _WHERE.search(problem)
        line, column = where.groups() if where else (None, None)
        at = (int(line), int(column)) if line and column else (text.count("\n") + 1, 1)
        return ConfigError(_WHERE.sub("", problem), file=self.path, at=at)

    def write(self, text: str) -> None:
        """Replace the file at once, readable by its owner only; a link stays a link (observed).

        Raises OSError.
        """
        target = Path(os.path.realpath(self.path))
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".config-", suffix=".toml")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def based(table: Table, base: Path) -> Table:
    """The table with its relative paths made absolute: they count from the file's folder."""
    table = dict(table)
    for key in (
        "model_instructions_file",
        "experimental_instructions_file",
        "experimental_compact_prompt_file",
    ):
        if key in table:
            table[key] = from_folder(table[key], base)
    match table.get("sandbox_workspace_write"):
        case {"writable_roots": [*_]} as workspace:
            workspace = cast("dict[str, Any]", workspace)
            roots = [from_folder(root, base) for root in workspace["writable_roots"]]
            table["sandbox_workspace_write"] = {**workspace, "writable_roots": roots}
        case _:
            pass
    return table


def from_folder(path: str, base: Path) -> str:
    return os.path.normpath(base / Path(path).expanduser())
