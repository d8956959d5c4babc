"""The configuration of the host: files and arguments, asked anew at each use.

Nothing here is a snapshot.  Every file is looked at again when somebody asks, so an edit holds from
the next thread on, and a file that breaks later is told of then.
"""

import os
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any, cast

import trio
from msgspec import UNSET

from protocol.config import (
    ConfigWarningNotification,
    LegacyManagedConfigTomlFromFileLayer,
    ProjectLayer,
    SessionFlagsLayer,
    SystemLayer,
    TextPosition,
    TextRange,
    UserLayer,
)
from protocol.methods import CONFIG_WARNING
from protocol.policy import Minimum
from protocol.settings import Limits
from supervisor import check, features
from supervisor.layers import ConfigError, Layer, Table, flag, merged, nested, over
from supervisor.login import Login, login
from supervisor.project import folders, trust_key, trust_level
from supervisor.providers import DEFAULT
from supervisor.requirements import Requirements, disallowed, read
from supervisor.source import FOR_USERS_ONLY, Source, based
from supervisor.toml import GRACE_SECONDS, MAX_AGENTS, Atrio, Toml

ETC = Path("/etc/codex")
UNTRUSTED = (
    "To load project-local config, hooks, and exec policies, "
    "add {project} as a trusted project in {file}."
)
DISTRUSTED = (
    "{project} is marked as untrusted in {file}. "
    "To load project-local config, hooks, and exec policies, mark it trusted."
)


@dataclass(eq=False)
class Config:
    """`flags` is the layer of the command line."""

    home: Path
    flags: Table = field(default_factory=Table)
    etc: Path = ETC
    switched: dict[str, bool] = field(default_factory=dict[str, bool])
    """Features that clients have switched; that ends with the server."""
    login_in_memory: Login | None = None
    """One that must not be stored."""
    writing: trio.Lock = field(default_factory=trio.Lock)
    _sources: dict[Path, Source] = field(default_factory=dict[Path, Source])

    @classmethod
    def load(cls, home: Path, overrides: list[str]) -> "Config":
        """`overrides` are `key=value` texts, later ones win.  Raises ConfigError for bad ones."""
        flags = reduce(over, map(flag, overrides), Table())
        check.typed(flags)
        return cls(home, based(flags, Path.cwd()))

    @property
    def file(self) -> Path:
        return self.home / "config.toml"

    def layers(self, cwd: str | None = None, extra: Table | None = None) -> list[Layer]:
        """Every layer that there is, highest first; those of `cwd`'s project too.

        `extra` lies over the flags: what a client overrides for one thread.  Raises ConfigError.
        """
        managed = self.etc / "managed_config.toml"
        high: list[Layer] = []
        if table := self._table(managed):
            high.append(Layer(LegacyManagedConfigTomlFromFileLayer(str(managed)), table))
        if session := over(self.flags, extra or {}):
            high.append(Layer(SessionFlagsLayer(), session))
        system = self.etc / "config.toml"
        low = [
            Layer(UserLayer(str(self.file)), self._table(self.file)),
            Layer(SystemLayer(str(system)), self._table(system)),
        ]
        project = self._project(cwd, merged(high + low)) if cwd else []
        return high + project + low

    def table(self, cwd: str | None = None, extra: Table | None = None) -> Table:
        """What all layers amount to.  Raises ConfigError."""
        return merged(self.layers(cwd, extra))

    def toml(self, cwd: str | None = None, extra: Table | None = None) -> Toml:
        """The same as `table`, verified and with its profile applied.  Raises ConfigError."""
        return check.verified(self.table(cwd, extra))

    def check(self) -> None:
        """Raises ConfigError if the arguments cannot be meant.

        A file at fault does not stop the server: it starts with defaults and `warnings` tell.
        """
        try:
            self.toml()
        except ConfigError:
            if not self.flags or Config(self.home, etc=self.etc)._problem() is not None:
                return
            raise

    def _problem(self, cwd: str | None = None) -> ConfigError | None:
        try:
            self.toml(cwd)
        except ConfigError as error:
            return error
        return None

    def trust_level(self, cwd: str) -> str | None:
        """Whether the user has said `trusted` or `untrusted` of the project around `cwd`."""
        return trust_level(self.table(), cwd)

    def trust(self, cwd: str) -> None:
        """Write down that the project around `cwd` is trusted.  Raises ConfigError and OSError."""
        self.set(["projects", trust_key(cwd), "trust_level"], "trusted")

    def set(self, path: list[str], value: Any) -> None:
        """Write one value into the user's file.  Raises ConfigError and OSError."""
        from supervisor.edit import edited  # noqa: PLC0415 - tomlkit costs 15 ms

        source = self.source(self.file)
        source.table()
        text = self.file.read_text("utf-8") if self.file.exists() else ""
        source.write(edited(text, [(path, value)]))

    def requirements(self) -> Requirements:
        """What the administrator requires.  Raises ConfigError."""
        return read(self.etc / "requirements.toml")

    def login(self) -> Login | None:
        """Who the host is logged in as."""
        return self.login_in_memory or login(self.home)

    def forced_login(self) -> tuple[str | None, str | None]:
        """The only method that is allowed, and the only workspace."""
        toml = self._toml_or_defaults()
        workspace = toml.forced_chatgpt_workspace_id
        return toml.forced_login_method, workspace if isinstance(workspace, str) else None

    def credentials_store(self) -> str:
        return self._toml_or_defaults().cli_auth_credentials_store or "file"

    def chatgpt_base_url(self) -> str | None:
        return self._toml_or_defaults().chatgpt_base_url

    def model_provider(self) -> str:
        """The provider whose threads are listed where a client names none."""
        return self._toml_or_defaults().model_provider or DEFAULT

    def feature(self, name: str) -> bool:
        """Whether a feature is on where no thread says otherwise."""
        return self.features(self._toml_or_defaults()).get(name, False)

    def features(self, toml: Toml) -> dict[str, bool]:
        """How every feature stands.  Raises ConfigError when the requirements cannot be read."""
        return features.enabled(toml, self.switched, self.requirements().features)

    def unload_grace_seconds(self) -> float:
        """How long a thread stays loaded that nobody listens to."""
        atrio = self._toml_or_defaults().atrio
        return GRACE_SECONDS if atrio is None else atrio.unload_grace_seconds

    def sandbox_minimum(self) -> Minimum:
        """The weakest sandbox that the operator puts up with, where the full one does not work.

        A project has no say in it: its configuration may be what must be kept from harm.
        """
        atrio = self._toml_or_defaults().atrio
        return "full" if atrio is None else atrio.sandbox_minimum

    def takes_feedback(self) -> bool:
        """`[feedback]`: whether users may send any."""
        return (self._toml_or_defaults().feedback or {}).get("enabled") is not False

    def feedback_url(self) -> str | None:
        """Where it goes; nowhere unless the operator says so."""
        atrio = self._toml_or_defaults().atrio
        return None if atrio is None else atrio.feedback_url

    def limits(self) -> Limits:
        """What bounds a process that belongs to no thread."""
        return (self._toml_or_defaults().atrio or Atrio()).limits

    def max_agents(self) -> int:
        """How many agents all threads may have open."""
        atrio = self._toml_or_defaults().atrio
        return MAX_AGENTS if atrio is None else atrio.max_agents

    def _toml_or_defaults(self) -> Toml:
        try:
            return self.toml()
        except ConfigError:
            return Toml()

    def warnings(self) -> list[tuple[str, bytes]]:
        """The notifications that a client should get when it connects, encoded."""
        row = CONFIG_WARNING
        return [(row.name, row.encode(warning)) for warning in self.problems()]

    def problems(self, cwd: str | None = None) -> list[ConfigWarningNotification]:
        """What is wrong with the configuration, here or in the server's own folder."""
        cwd = cwd or os.getcwd()  # noqa: PTH109
        if error := self._problem(cwd):
            return [_invalid(error)]
        layers = [layer for layer in self.layers(cwd) if isinstance(layer.name, ProjectLayer)]
        off = [layer for layer in layers if layer.disabled_reason]
        found = self._disallowed(cwd)
        found += [_disabled(off)] if off else []
        return found + [w for layer in layers if layer not in off and (w := self._ignored(layer))]

    def _disallowed(self, cwd: str) -> list[ConfigWarningNotification]:
        """Configured values that an administrator does not allow."""
        try:
            given = disallowed(self.toml(cwd), self.requirements())
        except ConfigError as error:
            return [_invalid(error)]
        return [ConfigWarningNotification(text) for text in given]

    def _ignored(self, layer: Layer) -> ConfigWarningNotification | None:
        assert isinstance(layer.name, ProjectLayer)
        file = Path(layer.name.dot_codex_folder) / "config.toml"
        keys = ", ".join(sorted(set(FOR_USERS_ONLY).intersection(self._table(file))))
        if not keys:
            return None
        return ConfigWarningNotification(
            f"Ignored keys that a project may not set in {file}: {keys}. "
            f"To have them, set them in {self.file}."
        )

    def _project(self, cwd: str, rest: Table) -> list[Layer]:
        """One layer for each `.codex` folder from the project's root to `cwd`, inner first."""
        layers: list[Layer] = []
        for folder in folders(cwd, rest.get("project_root_markers")):
            dot_codex = folder / ".codex"
            if not dot_codex.is_dir() or dot_codex.resolve() == self.home.resolve():
                continue
            reason = self._distrust(rest, str(folder))
            table = self._theirs(dot_codex / "config.toml", obeyed=reason is None)
            layers.insert(0, Layer(ProjectLayer(str(dot_codex)), table, reason))
        return layers

    def _theirs(self, file: Path, *, obeyed: bool) -> Table:
        """A project's table; a broken file that is not obeyed must not keep anybody from work."""
        try:
            table = self._table(file)
        except ConfigError:
            if obeyed:
                raise
            return {}
        return {key: value for key, value in table.items() if key not in FOR_USERS_ONLY}

    def _distrust(self, rest: Table, folder: str) -> str | None:
        level = trust_level(rest, folder)
        if level == "trusted":
            return None
        text = UNTRUSTED if level is None else DISTRUSTED
        return text.format(project=trust_key(folder), file=self.file)

    def _table(self, path: Path) -> Table:
        return self.source(path).table()

    def source(self, path: Path) -> Source:
        known = self._sources.get(path)
        if known is None:
            known = Source(path)
            if path.parent in (self.home, self.etc) or path.exists():
                self._sources[path] = known
        return known


def request_table(config: dict[str, Any] | None, cwd: str) -> Table:
    """The table of a request's `config`: keys may be dotted, values are JSON.

    Raises ConfigError.
    """
    given = _without_null(config or {})
    tables = (nested(key, value) for key, value in given.items())
    table = reduce(over, tables, Table())
    check.typed(table)
    return based(table, Path(cwd))


def _without_null(value: Any) -> Any:
    """TOML has no null: an entry that is null is one that is not set."""
    if isinstance(value, dict):
        entries = cast("Table", value).items()
        return {key: _without_null(below) for key, below in entries if below is not None}
    return value


def _invalid(error: ConfigError) -> ConfigWarningNotification:
    at = error.at and TextPosition(column=error.at[1], line=error.at[0])
    return ConfigWarningNotification(
        "Invalid configuration; using defaults.",
        details=str(error).strip(),
        path=str(error.file) if error.file else UNSET,
        range=TextRange(end=at, start=at) if at else UNSET,
    )


def _disabled(layers: list[Layer]) -> ConfigWarningNotification:
    entries = [
        f"    {number}. {cast('ProjectLayer', layer.name).dot_codex_folder}\n"
        f"       {layer.disabled_reason}\n"
        for number, layer in enumerate(layers, 1)
    ]
    return ConfigWarningNotification(
        "Configuration, hooks and command rules of these folders stay off until their project "
        "is trusted; its skills load all the same.\n" + "".join(entries)
    )
