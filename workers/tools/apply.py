"""What a patch would do to the files, worked out in full before anything is written.

Models write patches from memory: spaces, quotes and line endings differ from the file's.  So lines
are compared in four steps, from exact to lenient, and context lines keep the file's own text.
Nothing here touches a disk: `plan` is given a function that reads, and `write` does the writing.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from workers.tools.hunk import AddFile, Chunk, DeleteFile, Patch, PatchError, Sign, UpdateFile


@dataclass(frozen=True)
class Edit:
    """What becomes of one file.  Paths are absolute, contents whole; None stands for no file.

    An `add` has an `old` when it replaces a file; `covered` is what stood at `move_path`.
    """

    path: str
    kind: Literal["add", "delete", "update"]
    old: str | None
    new: str | None
    move_path: str | None = None
    covered: str | None = None


# ---- fitting it to the files


@dataclass
class Contents:
    """Files before and after a number of edits, and where moved ones came from."""

    before: dict[str, str | None] = field(default_factory=dict[str, str | None])
    after: dict[str, str | None] = field(default_factory=dict[str, str | None])
    source: dict[str, str] = field(default_factory=dict[str, str])

    def see(self, path: str, content: str | None) -> None:
        """Note what is at `path`, unless an edit has been there."""
        if path not in self.before:
            self.before[path] = self.after[path] = content

    def put(self, path: str, content: str | None) -> None:
        self.after[path] = content
        if content is None:
            self.source.pop(path, None)

    def move(self, path: str, move_path: str, content: str) -> None:
        origin = self.source.pop(path, path)
        self.after[path] = None
        self.after[move_path] = content
        if origin != move_path and self.before[origin] is not None:
            self.source[move_path] = origin

    def moves(self) -> dict[str, str]:
        """Old path to new one, of the files that really went away."""
        return {old: new for new, old in self.source.items() if self.after[old] is None}


Read = Callable[[str], str | None]


def plan(patch: Patch, cwd: str, read: Read) -> list[Edit]:
    """One edit per file; hunks of the same file see what earlier ones did to it.

    `read` gives None for a file that is not there and may raise OSError or UnicodeDecodeError.
    Raises PatchError when any part does not fit.
    """
    files, added = Contents(), set[str]()
    for hunk in patch.hunks:
        path = absolute(cwd, hunk.path)
        match hunk:
            case AddFile(content=content):
                files.see(path, _covered(read, path))
                files.put(path, content)
                added.add(path)
            case DeleteFile():
                _existing(files, read, path, "Failed to read")
                files.put(path, None)
            case UpdateFile(chunks=chunks, move_to=move_to):
                old = _existing(files, read, path, "Failed to read file to update")
                new = _updated(path, old, chunks)
                target = path if move_to is None else absolute(cwd, move_to)
                if target == path:
                    files.put(path, new)
                else:
                    files.see(target, _covered(read, target))
                    files.move(path, target, new)
    return _edits(files, added)


def absolute(cwd: str, path: str) -> str:
    """By name only: links stay as they are."""
    return os.path.normpath(Path(cwd, path))


def _existing(files: Contents, read: Read, path: str, failed: str) -> str:
    try:
        if path not in files.after:
            files.see(path, read(path))
    except OSError as error:
        raise PatchError(f"{failed} {path}: {os_error(error)}") from None
    except UnicodeDecodeError as error:
        raise PatchError(f"{failed} {path}: {_not_text(error)}") from None
    if (content := files.after[path]) is None:
        raise PatchError(f"{failed} {path}: No such file or directory (os error 2)")
    return content


def _covered(read: Read, path: str) -> str | None:
    """What a new file would replace.  What is no file at all will fail when it is written."""
    try:
        return read(path)
    except OSError:
        return None
    except UnicodeDecodeError as error:
        raise PatchError(f"Failed to replace {path}: {_not_text(error)}") from None


def _not_text(error: UnicodeDecodeError) -> str:
    return f"not UTF-8 text (byte {error.start}); change it with a command instead"


def os_error(error: OSError) -> str:
    return f"{error.strerror} (os error {error.errno})"


def _edits(files: Contents, added: set[str]) -> list[Edit]:
    edits, moves = list[Edit](), files.moves()
    arrived = set(moves.values())
    for path, old in files.before.items():
        new = files.after[path]
        if path in moves:
            target = moves[path]
            new, covered = files.after[target], files.before[target]
            edits.append(Edit(path, "update", old, new, target, covered))
        elif path in arrived or (old is None and new is None):
            continue
        elif new is None:
            edits.append(Edit(path, "delete", old, None))
        else:
            kind = "add" if old is None or path in added else "update"
            edits.append(Edit(path, kind, old, new))
    return edits


# ---- finding the lines

_PLAIN = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-")
    | dict.fromkeys("\u2018\u2019\u201a\u201b", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f", '"')
    | dict.fromkeys("\u00a0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f", " ")
    | {"\u3000": " ", "\ufeff": None}
)


def _plainly(line: str) -> str:
    return line.translate(_PLAIN).strip()


_STEPS: tuple[Callable[[str], str], ...] = (str, str.rstrip, str.strip, _plainly)


class _Lines:
    """A file's lines, searched from exact to lenient."""

    def __init__(self, content: str) -> None:
        self.raw = split_lines(content)
        crlf = sum(line.endswith("\r\n") for line in self.raw)
        self.newline = "\r\n" if crlf * 2 > len(self.raw) else "\n"
        self._text = [line.removesuffix("\n").removesuffix("\r") for line in self.raw]
        self._views: dict[int, list[str]] = {}

    def find(self, wanted: Sequence[str], start: int, *, at_end: bool = False) -> int | None:
        last = len(self.raw) - len(wanted)
        first = max(last, 0) if at_end else start
        for step, simplify in enumerate(_STEPS):
            if step not in self._views:
                self._views[step] = [simplify(line) for line in self._text]
            view, pattern = self._views[step], [simplify(line) for line in wanted]
            for at in range(first, last + 1):
                if view[at] == pattern[0] and view[at : at + len(pattern)] == pattern:
                    return at
        return None

    def insertion(self) -> int:
        """Where lines without a place go: the end, but before a last empty line."""
        return len(self.raw) - (bool(self._text) and not self._text[-1])


def split_lines(content: str) -> list[str]:
    """Lines with their ends.  Only \\n ends a line; str.splitlines knows a dozen more."""
    lines = [f"{line}\n" for line in content.split("\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def _updated(path: str, content: str, chunks: list[Chunk]) -> str:
    lines, at = _Lines(content), 0
    changes: list[tuple[int, int, list[str]]] = []
    for chunk in chunks:
        for anchor in chunk.anchors:
            if (found := lines.find([anchor], at)) is None:
                raise PatchError(f"Failed to find context '{anchor}' in {path}")
            at = found + 1
        if all(sign == "+" for sign, _ in chunk.lines):
            place = at if chunk.anchors and not chunk.at_end else lines.insertion()
            changes.append((place, place, _replacement(lines, place, chunk.lines)))
            continue
        start, used = _find(path, lines, chunk, at)
        at = start + sum(sign != "+" for sign, _ in used)
        changes.append((start, at, _replacement(lines, start, used)))
    raw = list(lines.raw)
    for start, end, new in sorted(changes, key=lambda change: change[0])[::-1]:
        raw[start:end] = new
    return "".join(line if line.endswith("\n") else line + lines.newline for line in raw)


def _find(path: str, lines: _Lines, chunk: Chunk, at: int) -> tuple[int, list[tuple[Sign, str]]]:
    """Where the chunk's old lines stand; an empty last one may have meant the end of the file."""
    wanted = [text for sign, text in chunk.lines if sign != "+"]
    if (found := lines.find(wanted, at, at_end=chunk.at_end)) is not None:
        return found, chunk.lines
    sign, text = chunk.lines[-1]
    if sign != "+" and not text and wanted[:-1]:
        found = lines.find(wanted[:-1], at, at_end=chunk.at_end)
        if found is not None:
            return found, chunk.lines[:-1]
    raise PatchError(f"Failed to find expected lines in {path}:\n" + "\n".join(wanted))


def _replacement(lines: _Lines, start: int, wanted: list[tuple[Sign, str]]) -> list[str]:
    """New lines with the file's line ending; context as the file has it."""
    new: list[str] = []
    for sign, text in wanted:
        if sign == "+":
            new.append(text + lines.newline)
        elif sign == " ":
            new.append(lines.raw[start])
        start += sign != "+"
    return new
