"""The two kinds of places things are taken over in, and how their files are read and written."""

import json
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from supervisor.layers import Table
from supervisor.project import git_root

FILE_BYTES = 4 << 20  # what people write by hand is smaller
_DOCUMENT = re.compile(r"\bCLAUDE\.md\b", re.IGNORECASE)
_AGENT = re.compile(r"(?<![./\w-])claude(?:[ _-]?code)?(?![\w/]|-\w)", re.IGNORECASE)


class Unreadable(Exception):
    """A file that is not what it should be; the text names it."""


@dataclass(frozen=True)
class Place:
    """`source` is the other agent's folder, `target` ours, `skills` where skills go."""

    root: Path
    source: Path
    target: Path
    skills: Path
    cwd: str | None

    @property
    def is_home(self) -> bool:
        return self.cwd is None

    @property
    def config(self) -> Path:
        return self.target / "config.toml"

    def settings(self) -> Table:
        """Those a user keeps to himself over those of the repository.  Raises Unreadable."""
        told = read_json(self.source / "settings.json")
        return told | ({} if self.is_home else read_json(self.source / "settings.local.json"))


def home(codex_home: Path) -> Place:
    user = Path.home()
    return Place(user, user / ".claude", codex_home, user / ".agents/skills", None)


def repository(cwd: str) -> Place | None:
    """None for what is no folder."""
    if not cwd.startswith("/") or not Path(cwd).is_dir():
        return None
    root = git_root(cwd) or Path(cwd)
    return Place(root, root / ".claude", root / ".codex", root / ".agents/skills", str(root))


def read_text(file: Path) -> str:
    """ "" for what is not there.  Raises Unreadable."""
    try:
        if file.stat().st_size > FILE_BYTES:
            raise Unreadable(f"{file} is larger than {FILE_BYTES} bytes")
        return file.read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{file} cannot be read: {error}") from None


def read_json(file: Path) -> Table:
    """Raises Unreadable."""
    text = read_text(file)
    try:
        return table(json.loads(text)) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{file} is no JSON: {error}") from None


def table(value: object) -> Table:
    return cast("Table", value) if isinstance(value, dict) else {}


def tables(value: object) -> list[Table]:
    return [table(one) for one in cast("list[Any]", value)] if isinstance(value, list) else []


def texts(value: object) -> list[str]:
    """The words of a list; numbers and truth values in words."""
    found = cast("list[Any]", value) if isinstance(value, list) else []
    return [word for one in found if (word := text(one)) is not None]


def text(value: object) -> str | None:
    match value:
        case bool():
            return str(value).lower()
        case str() | int() | float():
            return str(value)
        case _:
            return None


def front(document: str, file: Path) -> tuple[Table, str]:
    """What stands between the `---` at the top, and what comes after.  Raises Unreadable."""
    import yaml  # noqa: PLC0415 - 14 ms, for what is asked once

    found = re.match(r"---[ \t]*\r?\n(.*?)^---[ \t]*\r?$\n?", document, re.DOTALL | re.MULTILINE)
    if found is None:
        return {}, document
    try:
        return table(yaml.safe_load(found[1])), document[found.end() :]
    except yaml.YAMLError as error:
        raise Unreadable(f"{file} begins with invalid YAML: {error}") from None


def renamed(document: str) -> str:
    """The text, for the agent that reads it from now on; paths stay as they are."""
    return _AGENT.sub("Codex", _DOCUMENT.sub("AGENTS.md", document))


def write(file: Path, content: str) -> None:
    """Whole or not at all.  Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as new:
            new.write(content)
        Path(name).chmod(0o644)
        Path(name).rename(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def is_empty(file: Path) -> bool:
    """Whether there is room for a new text.  Raises Unreadable."""
    return not read_text(file).strip()
