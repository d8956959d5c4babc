"""Texts of Claude Code: instructions, skills, subagents and commands."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from protocol.external import CommandMigration, MigrationDetails, SubagentMigration
from supervisor.layers import Table
from supervisor.migration.place import (
    Place,
    Unreadable,
    front,
    is_empty,
    read_text,
    renamed,
    write,
)

NAME_CHARS = 64  # of a skill
MODES = {"acceptEdits": "workspace-write", "plan": "read-only"}
EFFORTS = {"low": "low", "medium": "medium", "high": "high", "max": "xhigh"}
_FILLED_IN = re.compile(r"\$ARGUMENTS|\$\d|!`|^@\S", re.MULTILINE)

# ---- instructions


def instructions(place: Place) -> Path | None:
    """The file to take over, where there are none yet.  Raises Unreadable."""
    if not is_empty(place.target / "AGENTS.md" if place.is_home else place.root / "AGENTS.md"):
        return None
    files = [place.source / "CLAUDE.md"]
    if not place.is_home:
        files.insert(0, place.root / "CLAUDE.md")
    return next((file for file in files if not is_empty(file)), None)


def import_instructions(place: Place) -> None:
    """Raises Unreadable, and OSError."""
    if (file := instructions(place)) is not None:
        folder = place.target if place.is_home else place.root
        write(folder / "AGENTS.md", renamed(read_text(file)))


# ---- skills


def skills(place: Place) -> list[Path]:
    """Folders of skills whose names are free."""
    found = _entries(place.source / "skills")
    return [
        folder
        for folder in found
        if (folder / "SKILL.md").is_file() and not (place.skills / folder.name).exists()
    ]


def import_skills(place: Place) -> None:
    """Each whole or not at all; links in them are not followed.  Raises OSError."""
    for folder in skills(place):
        place.skills.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(dir=place.skills, prefix=".new-"))
        try:
            copy = shutil.copytree(folder, staging / folder.name, symlinks=True)
            for file in Path(copy).rglob("*.md"):
                if file.is_file() and not file.is_symlink():
                    write(file, renamed(read_text(file)))
            Path(copy).rename(place.skills / folder.name)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


# ---- subagents


def subagents(place: Place) -> Iterator[tuple[Path, Table]]:
    """The files to be made, and what they say."""
    for file in _entries(place.source / "agents"):
        target = place.target / "agents" / f"{file.stem}.toml"
        if file.suffix == ".md" and not target.exists() and (told := _subagent(file)) is not None:
            yield target, told


def _subagent(file: Path) -> Table | None:
    """None for one that would not say who it is, or what to do."""
    try:
        about, body = front(read_text(file), file)
    except Unreadable:
        return None
    name, description, body = about.get("name"), about.get("description"), body.strip()
    if not isinstance(name, str) or not isinstance(description, str) or not body:
        return None
    told: Table = {"name": name, "description": description}
    if mode := MODES.get(str(about.get("permissionMode"))):
        told["sandbox_mode"] = mode
    if effort := EFFORTS.get(str(about.get("effort"))):
        told["model_reasoning_effort"] = effort
    told["developer_instructions"] = renamed(body)
    return told


def subagents_details(place: Place) -> MigrationDetails | None:
    found = [SubagentMigration(told["name"]) for _, told in subagents(place)]
    return MigrationDetails(subagents=found) if found else None


def import_subagents(place: Place) -> None:
    """Raises OSError."""
    import tomlkit  # noqa: PLC0415 - 15 ms, for what is asked once

    for file, told in subagents(place):
        write(file, tomlkit.dumps(told))


# ---- commands


def commands(place: Place) -> dict[str, str]:
    """Skills to be made, by name.  What a command's user would fill in has no place in a skill."""
    root = place.source / "commands"
    found: dict[str, str] = {}
    for folder, _, names in os.walk(root):
        for file in sorted(Path(folder, name) for name in names if name.endswith(".md")):
            called = "-".join(file.relative_to(root).with_suffix("").parts)
            name = "source-command-" + re.sub(r"[^a-z0-9]+", "-", called.lower()).strip("-")
            skill = _skill(file, name, called)
            if skill and len(name) <= NAME_CHARS and not (place.skills / name).exists():
                found.setdefault(name, skill)
    return dict(sorted(found.items()))


def _skill(file: Path, name: str, called: str) -> str | None:
    import yaml  # noqa: PLC0415

    try:
        about, body = front(read_text(file), file)
    except Unreadable:
        return None
    description, body = about.get("description"), body.strip()
    if not isinstance(description, str) or not body or _FILLED_IN.search(body):
        return None
    head = yaml.safe_dump({"name": name, "description": renamed(description)}, sort_keys=False)
    when = f"Follow this when the user asks for the command `{called}`."
    return f"---\n{head}---\n\n# {name}\n\n{when}\n\n{renamed(body)}\n"


def commands_details(place: Place) -> MigrationDetails | None:
    found = [CommandMigration(name) for name in commands(place)]
    return MigrationDetails(commands=found) if found else None


def import_commands(place: Place) -> None:
    """Raises OSError."""
    for name, skill in commands(place).items():
        write(place.skills / name / "SKILL.md", skill)
