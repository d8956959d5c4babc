"""The language of patches: sections per file, chunks per place, a sign before each line.

Models know it by heart, but not always by the letter: a patch may come wrapped as a shell's
here-document, with blank lines between its sections, or with a unified diff's line numbers.
"""

import re
from dataclasses import dataclass
from typing import Literal

BEGIN = "*** Begin Patch"
END = "*** End Patch"
ADD = "*** Add File: "
DELETE = "*** Delete File: "
UPDATE = "*** Update File: "
MOVE = "*** Move to: "
END_OF_FILE = "*** End of File"

Sign = Literal[" ", "-", "+"]
_SIGNS: dict[str, Sign] = {" ": " ", "-": "-", "+": "+"}


class PatchError(Exception):
    """The patch cannot be read, or does not fit the files; the text is for the model."""


@dataclass(frozen=True)
class Chunk:
    """One place of a file: where to look for it, its old lines and its new ones."""

    anchors: list[str]
    lines: list[tuple[Sign, str]]
    at_end: bool = False


@dataclass(frozen=True)
class AddFile:
    path: str
    content: str


@dataclass(frozen=True)
class DeleteFile:
    path: str


@dataclass(frozen=True)
class UpdateFile:
    path: str
    chunks: list[Chunk]
    move_to: str | None = None


@dataclass(frozen=True)
class Patch:
    hunks: list[AddFile | DeleteFile | UpdateFile]


_HEREDOC = re.compile(r"<<(['\"]?)EOF\1")


def parse(text: str) -> Patch:
    """Raises PatchError, which counts lines from the one that begins the patch."""
    lines = [line.removesuffix("\r") for line in text.strip().split("\n")]
    if len(lines) >= 4 and _HEREDOC.fullmatch(lines[0].strip()) and lines[-1].endswith("EOF"):
        lines = "\n".join(lines[1:-1]).strip().split("\n")
    if lines[0].strip() != BEGIN:
        raise PatchError(f"invalid patch: The first line of the patch must be '{BEGIN}'")
    if lines[-1].strip() != END:
        raise PatchError(f"invalid patch: The last line of the patch must be '{END}'")
    return _Reader(lines[:-1]).patch()


class _Reader:
    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._at = 1

    def patch(self) -> Patch:
        hunks: list[AddFile | DeleteFile | UpdateFile] = []
        while self._at < len(self._lines):
            if hunks and not self._lines[self._at].strip():
                self._at += 1
                continue
            hunks.append(self._hunk())
        return Patch(hunks)

    def _hunk(self) -> AddFile | DeleteFile | UpdateFile:
        header = self._lines[self._at].strip()
        if header.startswith(ADD):
            self._at += 1
            return AddFile(header.removeprefix(ADD).strip(), self._added())
        if header.startswith(DELETE):
            self._at += 1
            return DeleteFile(header.removeprefix(DELETE).strip())
        if header.startswith(UPDATE):
            return self._update(header.removeprefix(UPDATE).strip())
        raise self._error(
            f"'{header}' is not a valid hunk header. Valid hunk headers: "
            f"'{ADD}{{path}}', '{DELETE}{{path}}', '{UPDATE}{{path}}'"
        )

    def _added(self) -> str:
        start = self._at
        while self._at < len(self._lines) and self._lines[self._at].startswith("+"):
            self._at += 1
        return "".join(f"{line[1:]}\n" for line in self._lines[start : self._at])

    def _update(self, path: str) -> UpdateFile:
        header, move_to, chunks = self._at, None, list[Chunk]()
        self._at += 1
        if self._here().startswith(MOVE):
            move_to = self._here().removeprefix(MOVE).strip()
            self._at += 1
        while self._at < len(self._lines) and not self._here().startswith("***"):
            if not self._here().strip():
                self._at += 1
                continue
            chunks.append(self._chunk(first=not chunks))
        if not chunks:
            self._at = header
            raise self._error(f"Update file hunk for path '{path}' is empty")
        return UpdateFile(path, chunks, move_to)

    def _chunk(self, *, first: bool) -> Chunk:
        anchors: list[str] = []
        if not first and not _is_anchor(self._here()):
            raise self._error(
                f"Expected update hunk to start with a @@ context marker, got: '{self._here()}'"
            )
        while _is_anchor(self._here()):
            if anchor := _anchor(self._here()):
                anchors.append(anchor)
            self._at += 1
        lines: list[tuple[Sign, str]] = []
        while self._at < len(self._lines) and (line := _line(self._here())):
            lines.append(line)
            self._at += 1
        at_end = bool(lines) and self._here().strip() == END_OF_FILE
        self._at += at_end
        if not lines:
            raise self._no_lines()
        return Chunk(anchors, lines, at_end)

    def _no_lines(self) -> PatchError:
        if not self._here() or self._here().strip() == END_OF_FILE:
            return self._error("Update hunk does not contain any lines")
        return self._error(
            f"Unexpected line found in update hunk: '{self._here()}'. Every line should start "
            "with ' ' (context line), '+' (added line), or '-' (removed line)"
        )

    def _here(self) -> str:
        return self._lines[self._at] if self._at < len(self._lines) else ""

    def _error(self, text: str) -> PatchError:
        return PatchError(f"invalid hunk at line {self._at + 1}, {text}")


_LINE_NUMBERS = re.compile(r"-\d+(,\d+)? \+\d+(,\d+)? @@.*")


def _is_anchor(line: str) -> bool:
    return line.rstrip() == "@@" or line.startswith("@@ ")


def _anchor(line: str) -> str:
    """The line to look for; none when a unified diff's line numbers stand there by mistake."""
    text = line[3:]
    return "" if _LINE_NUMBERS.fullmatch(text) else text


def _line(line: str) -> tuple[Sign, str] | None:
    if not line:
        return " ", ""  # models leave the space of an empty context line out
    return (_SIGNS[line[0]], line[1:]) if line[0] in _SIGNS else None
