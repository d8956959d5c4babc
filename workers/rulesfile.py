"""One file of rules: Starlark that calls `prefix_rule`, `host_executable` and `network_rule`.

Starlark is a small Python that can neither read nor write anything.  The engine is the reference
server's own, so what it says of a broken file is the same, and so is what it understands.
"""

import re
import shlex
import time
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal, NoReturn, cast

from workers.hostrule import HostRule, host_rule

Decision = Literal["allow", "prompt", "forbidden"]

STRICTNESS: dict[str, int] = {"allow": 0, "prompt": 1, "forbidden": 2}
_SECONDS = 2.0  # ours: a file that loops must not hold the thread; real ones take milliseconds
_CALLS = 50  # ours: of functions within functions
_PYTHON = re.compile(r"^error: (ValueError|TypeError): (RulesFile\.)?", re.MULTILINE)
_PLACE = re.compile(r"^ *--> .*:(\d+):(\d+)$", re.MULTILINE)


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
    """A rules file that cannot be read; `line` and `column` are 0 when it has none."""

    def __init__(self, path: str, what: str, line: int = 0, column: int = 0) -> None:
        super().__init__(f"failed to parse rules file {path}: {what}")
        self.path, self.line, self.column = path, line, column


class RulesFile:
    """What one file says: its rules, and the programs that it names."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.hosts: list[HostRule] = []
        self.programs: dict[str, set[str]] = {}

    def prefix_rule(
        self,
        pattern: object,
        decision: object = "allow",
        match: object = None,
        not_match: object = None,
        justification: object = None,
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

    def host_executable(self, name: object, paths: object) -> None:
        program = _text("name", name)
        if PurePath(program).name != program:
            raise ValueError(f"host_executable name must be a bare executable name (got {program})")
        known = self.programs.setdefault(program, set())
        for path in _list("paths", paths):
            text = _text("paths", path)
            if not PurePath(text).is_absolute() or PurePath(text).name != program:
                raise ValueError(f"{text!r} is not an absolute path that ends in {program!r}")
            known.add(text)

    def network_rule(
        self, host: object, protocol: object, decision: object, justification: object = None
    ) -> None:
        rule = host_rule(host, protocol, decision)
        if justification is not None:
            _text("justification", justification)
        self.hosts.append(rule)


def read(path: str) -> RulesFile:
    """Raises BadRules."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise BadRules(path, str(error)) from None
    file = RulesFile()
    _run(path, text, file)
    return file


def _run(path: str, text: str, file: RulesFile) -> None:
    import starlark  # noqa: PLC0415 - most users have no rules, and it is large

    module = starlark.Module()
    for call in (file.prefix_rule, file.host_executable, file.network_rule):
        module.add_callable(call.__name__, call)
    dialect = starlark.Dialect.extended()
    dialect.enable_f_strings = True
    deadline = time.monotonic() + _SECONDS
    options = starlark.EvalOptions(
        check_cancelled=lambda: time.monotonic() > deadline, max_callstack_size=_CALLS
    )
    try:
        tree = starlark.parse(path, text, dialect)
        starlark.eval_with(options, module, tree, starlark.Globals.standard())
    except starlark.StarlarkError as error:
        raise _bad(path, str(error)) from None


def _bad(path: str, said: str) -> BadRules:
    """What our own functions refuse comes with the name of Python's exception, which is no news."""
    said = _PYTHON.sub("error: ", said)
    place = _PLACE.search(said)
    line, column = (int(place[1]), int(place[2])) if place else (0, 0)
    return BadRules(path, f"starlark error: {said}", line, column)


def _pattern(value: object) -> tuple[tuple[str, ...], ...]:
    pattern = tuple(
        (element,)
        if isinstance(element, str)
        else tuple(_text("pattern", word) for word in _list("an element of pattern", element))
        for element in _list("pattern", value)
    )
    if not pattern or not all(words and all(words) for words in pattern):
        raise ValueError("pattern and its alternatives cannot be empty")
    return pattern


def _decision(value: object) -> Decision:
    if isinstance(value, str) and value in STRICTNESS:
        return cast("Decision", value)
    raise ValueError(f"invalid decision: {value}; allow, prompt or forbidden")


def _examples(name: str, value: object) -> list[list[str]]:
    return [
        shlex.split(example)
        if isinstance(example, str)
        else [_text(name, word) for word in _list(f"an example of {name}", example)]
        for example in ([] if value is None else _list(name, value))
    ]


def _list(name: str, value: object) -> list[object]:
    if isinstance(value, list):
        return cast("list[object]", value)
    return _refuse(f"{name} must be a list")


def _text(name: str, value: object) -> str:
    if isinstance(value, str) and value.strip():
        return value
    return _refuse(f"{name} must be a string and not empty")


def _refuse(what: str) -> NoReturn:
    raise ValueError(what)
