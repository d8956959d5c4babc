"""The user's standing answers about commands: `rules/*.rules` in the home folder.

A rule says what to do with the commands that begin in a certain way, and the strictest one that
applies counts.  The files are Starlark by name; we read the part of it that rules need, calls with
literal arguments, and run nothing.  Once a file cannot be read, the rules that allow something are
all left out: the unreadable one may have forbidden it.
"""

import ast
import json
import os
import shlex
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from fcntl import LOCK_EX, flock
from pathlib import Path, PurePath
from typing import Literal, NoReturn

from workers.safe import is_system_path

Decision = Literal["allow", "prompt", "forbidden"]

STRICTNESS: dict[str, int] = {"allow": 0, "prompt": 1, "forbidden": 2}
_PROTOCOLS = {"http", "https", "socks5_tcp", "socks5_udp"}
_NETWORK_DECISIONS = {"allow", "prompt", "deny"}

Value = str | list["Value"]


@dataclass(frozen=True)
class Rule:
    """`pattern` holds, for each leading word, the words that may stand there."""

    pattern: tuple[tuple[str, ...], ...]
    decision: Decision = "allow"
    justification: str | None = None

    def begins(self, argv: list[str]) -> bool:
        return len(argv) >= len(self.pattern) and all(
            word in words for word, words in zip(argv, self.pattern, strict=False)
        )


class BadRules(Exception):
    """A rules file that cannot be read: `path`, `line` (0 when it has none) and what is wrong."""

    def __init__(self, path: str, line: int, what: str) -> None:
        super().__init__(f"{path}:{line}: {what}" if line else f"{path}: {what}")
        self.path = path
        self.line = line


class Rules:
    """What the files of one folder say; `problems` are the files that could not be read."""

    def __init__(self, folder: str) -> None:
        self.problems: list[BadRules] = []
        self._folder = Path(folder)
        self._added: list[Rule] = []
        self._rules: list[Rule] = []
        self._programs: dict[str, set[str]] = {}
        self._stamp: object = None
        self.refresh()

    def refresh(self) -> None:
        """Read the files again if they changed: other threads' users answer questions too."""
        stamp = _stamp(self._folder)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        self._rules, self._programs, self.problems = [], {}, []
        for path, *_ in stamp:
            try:
                file = _read(path)
            except BadRules as problem:
                self.problems.append(problem)
            else:
                self._rules += file.rules
                for name, paths in file.programs.items():
                    self._programs.setdefault(name, set()).update(paths)
        if self.problems:
            self._rules = [rule for rule in self._rules if rule.decision != "allow"]

    def match(self, argv: list[str]) -> Rule | None:
        """The strictest rule that applies to the command; the longest of equals."""
        named = self._by_name(argv)
        applying = [
            rule
            for rule in self._rules + self._added
            if rule.begins(argv) or (named and self._covers(rule, argv[0]) and rule.begins(named))
        ]
        return max(
            applying,
            key=lambda rule: (STRICTNESS[rule.decision], len(rule.pattern)),
            default=None,
        )

    def _by_name(self, argv: list[str]) -> list[str] | None:
        if argv and PurePath(argv[0]).is_absolute():
            return [PurePath(argv[0]).name, *argv[1:]]
        return None

    def _covers(self, rule: Rule, path: str) -> bool:
        """Whether a rule about a bare name speaks of the program at this path too.

        Rules that restrict do.  One that allows does for the system's own programs and for those
        that `host_executable` names: anyone can put a file called git somewhere.
        """
        if rule.decision != "allow":
            return True
        paths = self._programs.get(PurePath(path).name)
        return is_system_path(path) if paths is None else path in paths

    def allow(self, prefix: list[str]) -> None:
        """Allow commands that begin with `prefix`, now and in `default.rules`.

        Raises ValueError for an empty prefix, and OSError when the file cannot be written; the rule
        is in force in the latter case nevertheless.
        """
        if not prefix:
            raise ValueError("the prefix of a rule cannot be empty")
        self._added.append(Rule(tuple((word,) for word in prefix)))
        append(self._folder / "default.rules", prefix)


def append(path: Path, prefix: list[str]) -> None:
    """Add one allowing rule as a line of its own, unless it is there; several processes may."""
    words = ", ".join(json.dumps(word, ensure_ascii=False) for word in prefix)
    line = f'prefix_rule(pattern=[{words}], decision="allow")'
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+", encoding="utf-8", newline="") as file:
        flock(file, LOCK_EX)
        text = file.read()
        if line not in text.split("\n"):
            file.write(("\n" if text and not text.endswith("\n") else "") + line + "\n")


def _stamp(folder: Path) -> tuple[tuple[str, int, int, int], ...]:
    try:
        with os.scandir(folder) as entries:
            found = [(e.path, e.stat()) for e in entries if e.name.endswith(".rules")]
    except OSError:
        return ()
    return tuple(
        sorted((path, stat.st_ino, stat.st_size, stat.st_mtime_ns) for path, stat in found)
    )


class _File:
    """One file on its way in: its rules, and the programs that it names."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.programs: dict[str, set[str]] = {}

    def prefix_rule(
        self,
        pattern: Value,
        decision: Value = "allow",
        match: Value | None = None,
        not_match: Value | None = None,
        justification: Value | None = None,
    ) -> None:
        reason = None if justification is None else _text("justification", justification)
        rule = Rule(_pattern(pattern), _decision(decision), reason)
        for example in _examples("match", match):
            if not rule.begins(example):
                raise ValueError(f"the rule does not match its example {shlex.join(example)!r}")
        for example in _examples("not_match", not_match):
            if rule.begins(example):
                raise ValueError(f"the rule matches its counterexample {shlex.join(example)!r}")
        self.rules.append(rule)

    def host_executable(self, name: Value, paths: Value) -> None:
        known = self.programs.setdefault(_text("name", name), set())
        for path in _list("paths", paths):
            text = _text("paths", path)
            if not PurePath(text).is_absolute() or PurePath(text).name != name:
                raise ValueError(f"{text!r} is not an absolute path that ends in {name!r}")
            known.add(text)

    def network_rule(
        self, host: Value, protocol: Value, decision: Value, justification: Value | None = None
    ) -> None:
        """Checked and then dropped: our sandbox opens the network wholly or not at all."""
        _text("host", host)
        if justification is not None:
            _text("justification", justification)
        if protocol not in _PROTOCOLS:
            raise ValueError(f"invalid protocol {protocol!r}")
        if decision not in _NETWORK_DECISIONS:
            raise ValueError(f"invalid decision {decision!r}")


def _read(path: str) -> _File:
    file = _File()
    known: dict[str, Callable[..., None]] = {
        "prefix_rule": file.prefix_rule,
        "host_executable": file.host_executable,
        "network_rule": file.network_rule,
    }
    for statement in _parse(path).body:
        try:
            name, positional, named = _call(statement)
            known.get(name, _unknown(name))(*positional, **named)
        except (ValueError, TypeError) as error:
            raise BadRules(path, statement.lineno, str(error)) from None
    return file


def _unknown(name: str) -> Callable[..., None]:
    return lambda *_, **__: _refuse(f"unknown function {name}")


def _parse(path: str) -> ast.Module:
    try:
        with warnings.catch_warnings(action="error"):
            return ast.parse(Path(path).read_text(encoding="utf-8"))
    except SyntaxError as error:
        raise BadRules(path, error.lineno or 0, error.msg) from None
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        raise BadRules(path, 0, str(error)) from None


def _call(statement: ast.stmt) -> tuple[str, list[Value], dict[str, Value]]:
    match statement:
        case ast.Expr(ast.Call(func=ast.Name(id=name), args=args, keywords=keywords)):
            named = {
                keyword.arg: _literal(keyword.value)
                for keyword in keywords
                if keyword.arg is not None
            }
            if len(named) < len(keywords):
                raise ValueError("** cannot be read; write the arguments out")
            return name, [_literal(arg) for arg in args], named
        case _:
            raise ValueError("only calls such as prefix_rule(pattern=[...]) can be read")


def _literal(node: ast.expr) -> Value:
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.List(elts=elements):
            return [_literal(element) for element in elements]
        case _:
            raise ValueError(f"{ast.unparse(node)} is neither a string nor a list of them")


def _pattern(value: Value) -> tuple[tuple[str, ...], ...]:
    pattern = tuple(
        (element,) if isinstance(element, str) else tuple(_text("pattern", e) for e in element)
        for element in _list("pattern", value)
    )
    if not pattern or not all(words and all(words) for words in pattern):
        raise ValueError("pattern and its alternatives cannot be empty")
    return pattern


def _decision(value: Value) -> Decision:
    match value:
        case "allow" | "prompt" | "forbidden":
            return value
        case _:
            raise ValueError(f"invalid decision {value!r}: allow, prompt or forbidden")


def _examples(name: str, value: Value | None) -> list[list[str]]:
    return [
        shlex.split(example)
        if isinstance(example, str)
        else [_text(name, word) for word in example]
        for example in ([] if value is None else _list(name, value))
    ]


def _list(name: str, value: Value) -> list[Value]:
    return value if isinstance(value, list) else _refuse(f"{name} must be a list")


def _text(name: str, value: Value) -> str:
    if isinstance(value, str) and value.strip():
        return value
    return _refuse(f"{name} must be a string and not empty")


def _refuse(what: str) -> NoReturn:
    raise ValueError(what)
