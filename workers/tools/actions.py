"""What a command is shown as: reading a file, listing files, searching, or unknown.

Clients show "Read a.txt" for `cat a.txt | head`.  This is for the eye only and guards nothing, but
it must not make light of a command: one part that is not understood makes the whole unknown.
Which programs are known, and as what, is the reference server's (observed).
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from protocol.item import CommandAction, ListFilesAction, ReadAction, SearchAction, UnknownAction
from workers.bash import plain_commands
from workers.tools.quoting import joined

_SHELLS = {"bash", "sh", "zsh"}
_BUILT = {"build", "dist", "node_modules", "src"}  # folders whose own name says nothing
_RANGE = re.compile(r"\d+(,\d+)?p")
_LISTING_CODE = re.compile(r"os\.(listdir|walk|scandir)|glob\.i?glob|\.(r?glob|iterdir)\(")

# Options that take the next word for their value.
_VALUED = {
    "ack": "-A -B -C -m -g --type",
    "ag": "-A -B -C -m -G --ignore --depth",
    "awk": "-F -v -f",
    "bat": "-l -r -H --theme --style --language --line-range",
    "cut": "-b -c -d -f",
    "du": "-d -B -t --max-depth --block-size --exclude --time-style",
    "eza": "-I -L -s --ignore-glob --sort --color --time --time-style --level",
    "fd": "-t -e -E -d -j --type --extension --exclude --max-depth --search-path",
    "find": "",
    "git grep": "-A -B -C -m -O --max-depth --threads",
    "git ls-files": "-x -X --exclude --exclude-from",
    "grep": "-A -B -C -m -D -d --include --exclude --exclude-dir --max-count --context --color",
    "head": "-n -c --lines --bytes",
    "less": "-p -P -b -h -j -k -o -t -x -y -z",
    "ls": "-I -w -T --block-size --format --time-style --color --quoting-style --ignore --hide",
    "nl": "-b -d -f -h -i -l -n -s -v -w",
    "pt": "-A -B -C -m --depth",
    "rg": "-A -B -C -g -j -m -M -r -t -T --context --glob --iglob --max-columns --max-count "
    "--max-depth --replace --sort --sortr --threads --type --type-add --type-not",
    "sort": "-k -t -o -S -T",
    "tail": "-n -c --lines --bytes",
    "tree": "-L -P -I -o --charset --filelimit --sort --gitfile",
    "wc": "",
    "xargs": "-a -d -E -I -L -n -P -s",
}
_ALIASES = {
    "batcat": "bat",
    "egrep": "grep",
    "exa": "eza",
    "fgrep": "grep",
    "more": "less",
    "rga": "rg",
    "mawk": "awk",
    "gawk": "awk",
}
_PATTERN_OPTIONS = {"-e", "-f", "--regexp", "--file"}
_FIND_TESTS = {"-name", "-iname", "-path", "-ipath", "-regex", "-iregex", "-wholename"}
_FIND_ACTS = {"-delete", "-exec", "-execdir", "-ok", "-okdir", "-fprint", "-fprint0", "-fprintf"}

# Parts of a pipeline that only shape what others print.  Ours: `tee` and what `xargs` runs are
# judged, because they can write; the reference server passes over both.
_SHAPING = {"column", "cut", "printf", "sort", "tr", "true", "uniq", "wc", "yes"}
_HARMLESS = _SHAPING | {"cat", "echo", "file", "grep", "egrep", "fgrep", "head", "ls", "rg", "tail"}


def actions(script: str, cwd: str) -> list[CommandAction]:
    """What a script does, one action per part that matters; never empty."""
    commands = plain_commands(script)
    return _actions(script, commands, cwd) if commands else [UnknownAction(script)]


def argv_actions(argv: list[str], cwd: str) -> list[CommandAction]:
    """As `actions`, for a command that may be a shell with a script."""
    script = script_of(argv)
    return _actions(joined(argv), [argv], cwd) if script is None else actions(script, cwd)


def script_of(argv: list[str]) -> str | None:
    """The script, when the command is a shell that runs one."""
    match argv:
        case [shell, "-c" | "-lc", script] if Path(shell).name in _SHELLS:
            return script
        case _:
            return None


def _actions(script: str, commands: list[list[str]], cwd: str) -> list[CommandAction]:
    unknown: list[CommandAction] = [UnknownAction(script)]
    found: list[CommandAction] = []
    for words in _telling(commands):
        if words[0] == "cd":
            cwd = _moved(cwd, words)
        elif action := _action(words, cwd):
            found.append(action)
        else:
            return unknown
    found = [action for action, _ in groupby(found)]
    match found:
        case []:
            return unknown
        case [ReadAction() as read] if len(commands) > 1 and any(map(_cuts_lines, commands)):
            return [ReadAction(script, read.name, read.path)]  # the lines shown matter, too
        case _:
            return found


def _telling(commands: list[list[str]]) -> list[list[str]]:
    """The commands without those that only announce, shape or join the output of others."""
    if len(commands) == 1:
        return commands
    rest = commands[1:] if commands[0][0] == "echo" else commands
    return [words for words in rest if not _shapes(words)]


def _shapes(words: list[str]) -> bool:
    match words:
        case ["head" | "tail" as name, *rest]:
            return not _operands(name, rest)
        case ["awk" | "sed" as name, *rest]:
            return not any(word.startswith("-i") for word in rest) and (
                len(_operands(name, rest)) <= 1 and "--in-place" not in rest
            )
        case ["xargs", *rest]:
            inner = _operands("xargs", rest)
            return not inner or inner[0] in _HARMLESS
        case ["sort", *rest]:
            return not any(word.startswith(("-o", "--output")) for word in rest)
        case [name, *_]:
            return name in _SHAPING
        case _:
            return False


def _cuts_lines(words: list[str]) -> bool:
    return words[:2] == ["sed", "-n"] and len(words) > 2 and bool(_RANGE.fullmatch(words[2]))


def _moved(cwd: str, words: list[str]) -> str:
    to = _operands("cd", words[1:])
    return _absolute(cwd, to[0]) if to and to[0] != "-" else cwd


# ---- one command


def _action(words: list[str], cwd: str) -> CommandAction | None:
    name, rest = words[0], words[1:]
    if name == "git" and rest and f"git {rest[0]}" in _KNOWN:
        name, rest = f"git {rest[0]}", rest[1:]
    known = _KNOWN.get(_ALIASES.get(name, name))
    return known(_Part(joined(words), _ALIASES.get(name, name), rest, cwd)) if known else None


@dataclass(frozen=True)
class _Part:
    """One command: as text, its program, its arguments, and where it runs."""

    text: str
    name: str
    rest: list[str]
    cwd: str

    @property
    def operands(self) -> list[str]:
        return _operands(self.name, self.rest)

    def reads(self, files: list[str]) -> ReadAction | None:
        if not files:
            return None
        path = _absolute(self.cwd, files[0])
        return ReadAction(self.text, files[0].rstrip("/").rpartition("/")[2], path)

    def lists(self, places: list[str]) -> ListFilesAction:
        return ListFilesAction(self.text, _short(places[0]) if places else None)

    def searches(self, query: str | None, places: list[str]) -> SearchAction:
        return SearchAction(self.text, _short(places[0]) if places else None, query)


def _operands(name: str, words: list[str]) -> list[str]:
    """The words that are neither options nor values of options."""
    valued = _VALUED.get(name, "").split()
    found: list[str] = []
    at = 0
    while at < len(words):
        word = words[at]
        if word == "--":
            return found + words[at + 1 :]
        if word in valued:
            at += 1
        elif not word.startswith("-") or word == "-":
            found.append(word)
        at += 1
    return found


def _reads_one(part: _Part) -> CommandAction | None:
    return part.reads(part.operands) if len(part.operands) == 1 else None


def _reads_end(part: _Part) -> CommandAction | None:
    """`head` and `tail`, by lines: other units and following are unknown (observed)."""
    options = [word for word in part.rest if word.startswith("-")]
    lines = [word for word in options if word.startswith(("-n", "--lines"))]
    if options and not lines:
        return None
    return part.reads(part.operands)


def _reads_lines(part: _Part) -> CommandAction | None:
    """`sed -n` with a range of lines."""
    match [word for word in part.rest if word != "-e"]:
        case ["-n", range, file, *_] if _RANGE.fullmatch(range):
            return part.reads([file])
        case _:
            return None


def _reads_by_program(part: _Part) -> CommandAction | None:
    return part.reads(part.operands[1:])


def _lists(part: _Part) -> CommandAction:
    return part.lists(part.operands)


def _searches(part: _Part) -> CommandAction:
    """`grep` and its kin: the pattern is the first operand, or an option's value."""
    if part.name == "rg" and "--files" in part.rest:
        return part.lists(part.operands)
    patterns, rest = _patterns(part.rest)
    operands = _operands(part.name, rest)
    if patterns:
        return part.searches(patterns[0], operands)
    return part.searches(operands[0] if operands else None, operands[1:])


def _patterns(words: list[str]) -> tuple[list[str], list[str]]:
    """The patterns that options give, and the other words."""
    patterns: list[str] = []
    others: list[str] = []
    at = 0
    while at < len(words):
        if words[at] in _PATTERN_OPTIONS and at + 1 < len(words):
            patterns.append(words[at + 1])
            at += 1
        else:
            others.append(words[at])
        at += 1
    return patterns, others


def _finds_names(part: _Part) -> CommandAction:
    """`fd`: with a pattern it searches, without it lists."""
    return part.searches(part.operands[0], part.operands[1:]) if part.operands else _lists(part)


def _finds(part: _Part) -> CommandAction | None:
    if _FIND_ACTS.intersection(part.rest):
        return None
    tests = [at for at, word in enumerate(part.rest) if word.startswith(("-", "(", "!"))]
    places = part.rest[: tests[0]] if tests else part.rest
    for at, word in enumerate(part.rest[:-1]):
        if word in _FIND_TESTS:
            return part.searches(part.rest[at + 1], places)
    return part.lists(places)


def _runs_code(part: _Part) -> CommandAction | None:
    match part.rest:
        case ["-c", code] if _LISTING_CODE.search(code):
            return part.lists([])
        case _:
            return None


_KNOWN: dict[str, Callable[[_Part], CommandAction | None]] = {
    "cat": _reads_one,
    "bat": _reads_one,
    "less": _reads_one,
    "nl": _reads_one,
    "head": _reads_end,
    "tail": _reads_end,
    "sed": _reads_lines,
    "awk": _reads_by_program,
    "ls": _lists,
    "eza": _lists,
    "tree": _lists,
    "du": _lists,
    "git ls-files": _lists,
    "grep": _searches,
    "rg": _searches,
    "ag": _searches,
    "ack": _searches,
    "pt": _searches,
    "git grep": _searches,
    "fd": _finds_names,
    "find": _finds,
    "python": _runs_code,
    "python3": _runs_code,
}


# ---- paths


def _absolute(cwd: str, path: str) -> str:
    return os.path.normpath(Path(cwd, os.path.expanduser(path)))  # noqa: PTH111 - keeps ''


def _short(path: str) -> str:
    """The last part of a path that says something."""
    parts = [part for part in path.split("/") if part]
    telling = [part for part in parts if part not in _BUILT]
    return telling[-1] if telling else path.rstrip("/") or path
