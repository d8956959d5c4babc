"""The skills that a project's threads can use: folders with a SKILL.md, told to the model by name.

Looked up at each use, because skills come and go under a running server.  A repository's are found
from its root down to the cwd, the user's in the home and in `~/.agents`; the bundled ones of the
reference server, if it has left any in this home, count as the system's.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import msgspec
from msgspec import UNSET

from protocol.skill import (
    SkillDependencies,
    SkillErrorInfo,
    SkillInterface,
    SkillMetadata,
    SkillScope,
    SkillToolDependency,
)
from supervisor.config import Config
from supervisor.layers import ConfigError, Table
from supervisor.manifest import Plugin
from supervisor.plugins import active
from supervisor.project import folders

FILE = "SKILL.md"
NAME_MAX, DESCRIPTION_MAX = 64, 1024  # characters; the reference server's bounds
DEPTH_MAX = 6  # folders below a root; deep enough for all that was seen, shallow enough for a scan
FOLDERS_MAX = 2000  # per root, so that a link into a big tree cannot stall the server
ORDER: tuple[SkillScope, ...] = ("repo", "user", "system", "admin")
INTERFACE = ("display_name", "short_description", "brand_color", "default_prompt")
ICONS = ("icon_small", "icon_large")
_FRONT = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)


class Unusable(Exception):
    """A SKILL.md that is no skill; the text says why."""


def skills_for(config: Config, cwd: str) -> list[dict[str, Any]]:
    """What the model is told: name, description and path of each enabled skill."""
    found, _ = discover(config, cwd)
    return [
        {"name": skill.name, "description": skill.description, "path": skill.path}
        for skill in found
        if skill.enabled
    ]


def discover(config: Config, cwd: str) -> tuple[list[SkillMetadata], list[SkillErrorInfo]]:
    """Every skill by scope and name, switched off or not, and the files that are none."""
    off = _switched_off(config)
    skills: dict[str, SkillMetadata] = {}
    errors: dict[str, SkillErrorInfo] = {}
    for scope, root in roots(config.home, cwd):
        for file in _files(root, system=scope == "system"):
            path = str(file)
            try:
                skill = read(file, scope)
            except Unusable as error:
                errors[path] = SkillErrorInfo(message=str(error), path=path)
            else:
                skill.enabled = not off.intersection((skill.name, path))
                skills.setdefault(path, skill)
    for plugin in active(config).values():
        for skill in of_plugin(plugin):
            skill.enabled = not off.intersection((skill.name, skill.path))
            skills.setdefault(skill.path, skill)
    ordered = sorted(skills.values(), key=lambda s: (ORDER.index(s.scope), s.name, s.path))
    return ordered, list(errors.values())


def of_plugin(plugin: Plugin) -> list[SkillMetadata]:
    """A plugin's skills, named after it."""
    found: list[SkillMetadata] = []
    for file in _files(plugin.skills, system=True):
        try:
            skill = read(file, "user")
        except Unusable:
            continue
        skill.name = f"{plugin.name}:{skill.name}"
        found.append(skill)
    return found


def _switched_off(config: Config) -> set[str]:
    """Names and paths of `[[skills.config]]` entries that say `enabled = false`."""
    try:
        skills = _table(config.table().get("skills"))
    except ConfigError:
        return set()
    off: set[str] = set()
    for rule in cast("list[Table]", skills.get("config") or []):
        if rule.get("enabled") is False:
            off |= {str(rule[key]) for key in ("name", "path") if key in rule}
    return off


def roots(home: Path, cwd: str) -> Iterator[tuple[SkillScope, Path]]:
    for folder in folders(cwd):
        for name in (".agents", ".codex"):
            if folder / name != home:
                yield "repo", folder / name / "skills"
    yield "user", home / "skills"
    yield "user", Path.home() / ".agents" / "skills"
    yield "system", home / "skills" / ".system"
    yield "admin", Path("/etc/codex/skills")


def _files(root: Path, *, system: bool) -> Iterator[Path]:
    """Every SKILL.md below a root.  A link to a folder is followed once, one to a file is not."""
    if not root.is_dir():
        return
    waiting, seen = [(root.resolve(), 0)], set[Path]()
    while waiting and len(seen) < FOLDERS_MAX:
        folder, depth = waiting.pop()
        if folder in seen:
            continue
        seen.add(folder)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            if entry.name == FILE and entry.is_file(follow_symlinks=False):
                yield folder / FILE
            elif depth < DEPTH_MAX and not entry.name.startswith(".") and entry.is_dir():
                linked = entry.is_symlink() and not system
                if linked or not entry.is_symlink():
                    waiting.append((Path(entry.path).resolve(), depth + 1))


_kept: dict[Path, tuple[tuple[int, ...], SkillMetadata | Unusable]] = {}


def read(file: Path, scope: SkillScope) -> SkillMetadata:
    """One skill; parsed again only when its files have changed.  Raises Unusable."""
    extra = file.parent / "agents" / "openai.yaml"
    stamp = _stamp(file) + _stamp(extra)
    kept = _kept.get(file)
    if kept is None or kept[0] != stamp:
        try:
            result: SkillMetadata | Unusable = _parse(file, extra)
        except Unusable as error:
            result = error
        kept = _kept[file] = (stamp, result)
    if isinstance(kept[1], Unusable):
        raise kept[1]
    return msgspec.structs.replace(kept[1], scope=scope)


def _stamp(file: Path) -> tuple[int, ...]:
    try:
        stat = file.stat()
    except OSError:
        return (0, 0)
    return (stat.st_mtime_ns, stat.st_size)


def _parse(file: Path, extra: Path) -> SkillMetadata:
    front = _front(file)
    name = _line(front.get("name")) or file.parent.name
    description = _line(front.get("description"))
    if not description:
        raise Unusable("missing field `description`")
    for what, text, most in (
        ("name", name, NAME_MAX),
        ("description", description, DESCRIPTION_MAX),
    ):
        if len(text) > most:
            raise Unusable(f"invalid {what}: exceeds maximum length of {most} characters")
    more = _table(front.get("metadata"))
    about = _yaml(extra)
    return SkillMetadata(
        description=description,
        enabled=True,
        name=name,
        path=str(file),
        scope="user",
        dependencies=_dependencies(_table(about.get("dependencies"))) or UNSET,
        interface=_interface(_table(about.get("interface")), file.parent) or UNSET,
        short_description=_line(more.get("short-description")) or UNSET,
    )


def _front(file: Path) -> Table:
    import yaml  # noqa: PLC0415 - 14 ms, and many homes have no skills

    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"cannot be read: {error}") from None
    front = _FRONT.match(text)
    if front is None:
        raise Unusable("missing YAML frontmatter delimited by ---")
    try:
        return _table(yaml.safe_load(front[1]))
    except yaml.YAMLError as error:
        raise Unusable(f"invalid YAML: {' '.join(str(error).split())}") from None


def _yaml(file: Path) -> Table:
    """What a skill says of itself to user interfaces; without it the skill works all the same."""
    if not file.is_file():
        return {}
    import yaml  # noqa: PLC0415

    try:
        return _table(yaml.safe_load(file.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}


def _table(value: Any) -> Table:
    return cast("Table", value) if isinstance(value, dict) else {}


def _line(value: Any) -> str:
    """A scalar as one line of text."""
    return " ".join(str(value).split()) if isinstance(value, str | int | float) else ""


def _interface(table: Table, folder: Path) -> SkillInterface | None:
    texts = {name: _line(table.get(name)) or None for name in INTERFACE}
    icons = {name: _asset(_line(table.get(name)), folder) for name in ICONS}
    given = {**texts, **icons}
    return SkillInterface(**given) if any(given.values()) else None


def _asset(relative: str, folder: Path) -> str | None:
    """An icon's path, if it lies in the skill's `assets`."""
    path = os.path.normpath(folder / relative)
    return path if relative and Path(path).is_relative_to(folder / "assets") else None


def _dependencies(table: Table) -> SkillDependencies | None:
    tools: list[SkillToolDependency] = []
    for tool in cast("list[Any]", table.get("tools") or []):
        try:
            said = {key: value for key, value in _table(tool).items() if value is not None}
            tools.append(msgspec.convert(said, SkillToolDependency))
        except msgspec.ValidationError:
            continue
    return SkillDependencies(tools) if tools else None
