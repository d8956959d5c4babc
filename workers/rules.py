"""Standing answers about commands and hosts: `*.rules` of the user, the host and the project.

A rule says what to do with the commands that begin in a certain way, and the strictest one that
applies counts, whoever wrote it.  Once a file cannot be read, the rules that allow something are
all left out: the unreadable one may have forbidden it.
"""

import json
import os
from collections.abc import Iterable
from fcntl import LOCK_EX, flock
from pathlib import Path, PurePath

from workers.hostrule import HostRule
from workers.rulesfile import STRICTNESS, BadRules, Rule, RulesFile, read
from workers.safe import is_system_path


class _Read:
    """What some files say together."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.rules: list[Rule] = []
        self.hosts: list[HostRule] = []
        self.programs: dict[str, set[str]] = {}
        self.problems: list[BadRules] = []
        for path in paths:
            try:
                self._take(read(path))
            except BadRules as problem:
                self.problems.append(problem)

    def _take(self, file: RulesFile) -> None:
        self.rules += file.rules
        self.hosts += file.hosts
        for name, paths in file.programs.items():
            self.programs.setdefault(name, set()).update(paths)


class Rules:
    """`home` is the user's folder of rules, where accepted ones are kept; `others` are read only.

    `problems` are the files that could not be read.
    """

    def __init__(self, home: str, others: Iterable[str] = ()) -> None:
        self._home = Path(home)
        self._others = _Read(path for folder in others for path, *_ in _stamp(Path(folder)))
        self._added: list[Rule] = []
        self._added_hosts: list[HostRule] = []
        self._stamp: object = None
        self.refresh()

    def refresh(self) -> None:
        """Read the user's files again if they changed: other threads' users answer too.

        What others have written is read once: the rules must not follow what is done in a project.
        """
        stamp = _stamp(self._home)
        if stamp != self._stamp:
            self._stamp = stamp
            self._combine(_Read(path for path, *_ in stamp))

    def _combine(self, own: _Read) -> None:
        both = (self._others, own)
        self.problems = [problem for each in both for problem in each.problems]
        rules = [rule for each in both for rule in each.rules]
        self._rules = [r for r in rules if not self.problems or r.decision != "allow"]
        hosts = [rule for each in both for rule in each.hosts]
        self._hosts = [r for r in hosts if not self.problems or r.decision != "allow"]
        self._programs: dict[str, set[str]] = {}
        for each in both:
            for name, paths in each.programs.items():
                self._programs.setdefault(name, set()).update(paths)

    @property
    def hosts(self) -> list[HostRule]:
        """What they say of hosts, and what has been answered since."""
        return self._hosts + self._added_hosts

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
        append(self._home / "default.rules", prefix)

    def keep(self, rule: HostRule) -> None:
        """The same for a host.  Raises OSError."""
        self._added_hosts.append(rule)
        add_line(self._home / "default.rules", rule.line())


def append(path: Path, prefix: list[str]) -> None:
    """Add one allowing rule."""
    words = ", ".join(json.dumps(word, ensure_ascii=False) for word in prefix)
    add_line(path, f'prefix_rule(pattern=[{words}], decision="allow")')


def add_line(path: Path, line: str) -> None:
    """Add a rule as a line of its own, unless it is there; several processes may."""
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
