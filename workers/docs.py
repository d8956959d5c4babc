"""AGENTS.md: what the user and the project want every agent to know.

Observed (release 0.130.0): the user's own file comes first and whole, then one file per folder
from the project's root down to the working folder, with a limit on their sum.  They are read when
a thread is loaded, not when it moves to another folder.
"""

import codecs
import os
import stat
from pathlib import Path

from msgspec import Struct

from protocol.placeholder import is_placeholder
from protocol.settings import Settings

OVERRIDE, USUAL = "AGENTS.override.md", "AGENTS.md"


class Docs(Struct, frozen=True):
    """`text` is empty without any; `sources` are the files' paths, for `instructionSources`."""

    text: str = ""
    sources: tuple[str, ...] = ()


def read(settings: Settings) -> Docs:
    """Find and read the files; one that cannot be read is passed over."""
    own, own_source = _own(settings.home)
    texts: list[str] = []
    sources: list[str] = [own_source] if own_source else []
    left = settings.project_doc_max_bytes
    for path in project_docs(settings) if left > 0 else []:
        data = _bytes(path, left)
        if data is None:
            continue
        left -= len(data)
        sources.append(str(path))
        text = _text(data)
        if text.strip():
            texts.append(text)
    project = "\n\n".join(texts)
    both = [part for part in (own, project) if part]
    return Docs("\n\n--- project-doc ---\n\n".join(both), tuple(sources))


def wrapped(docs: Docs, cwd: str) -> str:
    """The text as it goes to the model."""
    return f"# AGENTS.md instructions for {cwd}\n\n<INSTRUCTIONS>\n{docs.text}\n</INSTRUCTIONS>"


def project_docs(settings: Settings) -> list[Path]:
    """The file of each folder from the project's root down to the cwd, where there is one."""
    names = [OVERRIDE, USUAL, *settings.project_doc_fallback_filenames]
    found: list[Path] = []
    for folder in _folders(Path(settings.cwd), settings.project_root_markers):
        file = next((folder / name for name in names if _is_file(folder / name)), None)
        if file is not None:
            found.append(file)
    return found


def _folders(cwd: Path, markers: list[str]) -> list[Path]:
    upward = [cwd, *cwd.parents]
    for depth, folder in enumerate(upward):
        there = [folder / marker for marker in markers if os.path.lexists(folder / marker)]
        if any(not is_placeholder(path) for path in there):
            return upward[: depth + 1][::-1]
    return [cwd]


def _own(home: str) -> tuple[str, str | None]:
    for name in (OVERRIDE, USUAL):
        path = Path(home, name)
        text = _text(_bytes(path, None) or b"").strip()
        if text:
            return text, str(path)
    return "", None


def _is_file(path: Path) -> bool:
    """False for a FIFO too: reading one would hold the worker for ever."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _bytes(path: Path, limit: int | None) -> bytes | None:
    if not _is_file(path):
        return None
    try:
        with path.open("rb") as file:
            return file.read() if limit is None else file.read(limit)
    except OSError:
        return None


def _text(data: bytes) -> str:
    """A character that the limit has cut in two is left out."""
    return codecs.getincrementaldecoder("utf-8")("replace").decode(data)
