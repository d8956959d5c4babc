"""What the folders of marketplaces and plugins say of themselves.

They are other people's files: names are checked before they become parts of paths, and paths may
not leave their folder.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec
from msgspec import Struct

from protocol.hook import HookEventName
from protocol.plugin import (
    GitSource,
    LocalSource,
    PluginAuthPolicy,
    PluginHookSummary,
    PluginInstallPolicy,
    PluginInterface,
    PluginSource,
)

MARKETPLACES = (".agents/plugins/marketplace.json", ".claude-plugin/marketplace.json")
MANIFESTS = (".codex-plugin/plugin.json", ".claude-plugin/plugin.json")
PROMPTS, PROMPT_CHARS = 3, 128  # the reference server's bounds
FILE_BYTES = 4 << 20
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_VERSION = re.compile(r"(?!\.+$)[A-Za-z0-9._+-]+")

Json = dict[str, Any]


class Broken(Exception):
    """A file that is not what it should be; the text names it."""


class Policy(Struct):
    installation: PluginInstallPolicy = "AVAILABLE"
    authentication: PluginAuthPolicy = "ON_INSTALL"


class Entry(Struct):
    """A plugin as its marketplace offers it."""

    name: str
    source: str | Json
    category: str | None = None
    policy: Policy = msgspec.field(default_factory=Policy)


class Shown(Struct, rename="camel"):
    display_name: str | None = None


class Market(Struct):
    name: str
    plugins: list[Json]
    interface: Shown | None = None


@dataclass(frozen=True)
class Offer:
    """`root` is where the plugin is, None for one that must be fetched."""

    name: str
    source: PluginSource
    category: str | None
    policy: Policy

    @property
    def root(self) -> Path | None:
        return Path(self.source.path) if isinstance(self.source, LocalSource) else None


@dataclass(frozen=True)
class Marketplace:
    name: str
    path: Path
    root: Path
    shown: Shown | None
    offers: list[Offer]

    def offer(self, plugin: str) -> Offer | None:
        return next((offer for offer in self.offers if offer.name == plugin), None)


def is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def read_json(file: Path, what: str) -> bytes:
    """Raises Broken, FileNotFoundError and other OSError."""
    if file.stat().st_size > FILE_BYTES:
        raise Broken(f"invalid {what} `{file}`: it is larger than {FILE_BYTES} bytes")
    return file.read_bytes()


def marketplace_file(root: Path) -> Path | None:
    return next((root / name for name in MARKETPLACES if (root / name).is_file()), None)


def read_marketplace(file: Path) -> Marketplace:
    """Offers that cannot be meant are left out.  Raises Broken, and OSError."""
    what = f"invalid marketplace file `{file}`"
    try:
        told = msgspec.json.decode(read_json(file, "marketplace file"), type=Market)
    except msgspec.DecodeError as error:
        raise Broken(f"{what}: {error}") from None
    if not is_name(told.name):
        raise Broken(
            "invalid marketplace name: only ASCII letters, digits, `_`, and `-` are allowed"
        )
    root = file.parent.parent.parent if file.parent.parent.name == ".agents" else file.parent.parent
    offers = [offer for one in told.plugins if (offer := _offer(one, root)) is not None]
    return Marketplace(told.name, file, root, told.interface, offers)


def _offer(told: Json, root: Path) -> Offer | None:
    try:
        entry = msgspec.convert(told, Entry)
        source = _source(entry.source, root)
    except (msgspec.ValidationError, Broken):
        return None
    return Offer(entry.name, source, entry.category, entry.policy) if is_name(entry.name) else None


def _source(told: str | Json, root: Path) -> PluginSource:
    """Raises Broken."""
    match told:
        case str(path) | {"source": "local", "path": str(path)}:
            return LocalSource(str(within(root, path)))
        case {"source": "url" | "git" | "git-subdir", "url": str(url), **rest}:
            path, ref, sha = rest.get("path"), rest.get("ref"), rest.get("sha")
            return GitSource(url, _text(path), _text(ref), _text(sha))
        case _:
            raise Broken("unknown kind of source")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def within(root: Path, path: str) -> Path:
    """A path as manifests write it: `./…`, and not out of the folder.  Raises Broken."""
    if not path.startswith("./") or ".." in Path(path).parts:
        raise Broken(f"the path {path} must begin with ./ and stay inside {root}")
    return root / Path(path)


# ---- a plugin


@dataclass(frozen=True)
class Plugin:
    root: Path
    name: str
    version: str
    told: Json

    @property
    def description(self) -> str | None:
        return _text(self.told.get("description"))

    @property
    def keywords(self) -> list[str]:
        return [word for word in _list(self.told.get("keywords")) if word]

    @property
    def skills(self) -> Path:
        return self._path("skills", "./skills/")

    def servers(self) -> dict[str, Json]:
        """Its MCP servers by name; those of a broken file are none."""
        told = self._table(self._path("mcpServers", "./.mcp.json"))
        inner = told.get("mcpServers", told)
        found = cast("Json", inner) if isinstance(inner, dict) else {}
        return {name: one for name, one in found.items() if isinstance(one, dict)}

    def apps(self) -> list[str]:
        told = self._table(self._path("apps", "./.app.json")).get("apps")
        apps = cast("Json", told) if isinstance(told, dict) else {}
        return [one["id"] for one in apps.values() if isinstance(one, dict) and "id" in one]

    def hooks(self, id: str) -> list[PluginHookSummary]:
        told = self._table(self._path("hooks", "./hooks/hooks.json")).get("hooks")
        found: list[PluginHookSummary] = []
        for event, groups in (cast("Json", told) if isinstance(told, dict) else {}).items():
            name = event[:1].lower() + event[1:]
            if name in cast("Any", HookEventName).__args__:
                keys = (f"{id}:{event}:{n}" for n, _ in enumerate(_list(groups)))
                found += [PluginHookSummary(cast("HookEventName", name), key) for key in keys]
        return found

    def interface(self, category: str | None = None) -> PluginInterface | None:
        told = self.told.get("interface")
        if not isinstance(told, dict):
            return None
        return _interface(cast("Json", told), self.root, category)

    def _path(self, key: str, usual: str) -> Path:
        try:
            return within(self.root, _text(self.told.get(key)) or usual)
        except Broken:
            return within(self.root, usual)

    def _table(self, file: Path) -> Json:
        try:
            return msgspec.json.decode(read_json(file, "file"), type=dict[str, Any])
        except (OSError, Broken, msgspec.DecodeError):
            return {}


def _list(value: object) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def read_plugin(root: Path) -> Plugin:
    """Raises Broken."""
    if not root.is_dir():
        raise Broken("path does not exist or is not a directory")
    file = next((root / name for name in MANIFESTS if (root / name).is_file()), None)
    if file is None:
        raise Broken("missing plugin.json")
    try:
        told = msgspec.json.decode(read_json(file, "plugin.json"), type=dict[str, Any])
    except (OSError, msgspec.DecodeError) as error:
        raise Broken(f"invalid plugin.json `{file}`: {error}") from None
    name, version = told.get("name") or root.name, told.get("version") or "local"
    if not isinstance(name, str) or not is_name(name):
        raise Broken(f"invalid plugin name in `{file}`: only letters, digits, `_` and `-`")
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise Broken(f"invalid plugin version in `{file}`: {version}")
    return Plugin(root, name, version, told)


def _interface(told: Json, root: Path, category: str | None) -> PluginInterface:
    texts: dict[str, Any] = {
        ours: _text(told.get(theirs))
        for ours, theirs in (
            ("display_name", "displayName"),
            ("short_description", "shortDescription"),
            ("long_description", "longDescription"),
            ("developer_name", "developerName"),
            ("website_url", "websiteURL"),
            ("privacy_policy_url", "privacyPolicyURL"),
            ("terms_of_service_url", "termsOfServiceURL"),
            ("brand_color", "brandColor"),
        )
    }
    return PluginInterface(
        **texts,
        category=category or _text(told.get("category")),
        capabilities=[one for one in _list(told.get("capabilities")) if isinstance(one, str)],
        default_prompt=_prompts(told.get("defaultPrompt")),
        composer_icon=_asset(told.get("composerIcon"), root),
        logo=_asset(told.get("logo"), root),
        screenshot_urls=[],
        screenshots=[
            asset for one in _list(told.get("screenshots")) if (asset := _asset(one, root))
        ],
    )


def _prompts(told: object) -> list[str] | None:
    texts = [told] if isinstance(told, str) else _list(told)
    found = [text for text in texts if isinstance(text, str) and len(text) <= PROMPT_CHARS]
    return found[:PROMPTS] or None


def _asset(told: object, root: Path) -> str | None:
    try:
        return str(within(root, told)) if isinstance(told, str) else None
    except Broken:
        return None
