"""Which paths a search leaves out: `.gitignore` and its kin, by git's rules.

pathspec reads the patterns.  They are put together into few expressions, because a walk asks about
each of 100,000 paths: what a pattern says of names alone is asked of the name, and what follows
from the same sign of several patterns is asked at once.
"""

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

Matcher = Callable[[str], object]
EXCLUDES_FILE = re.compile(
    r'^\s*excludesfile\s*=\s*"?\s*(\S+?)\s*"?\s*$', re.IGNORECASE | re.MULTILINE
)
MOST_BYTES = 1 << 20  # of one file; a larger one is no list of patterns


@dataclass(frozen=True, slots=True)
class Run:
    """Patterns of one sign that follow each other."""

    ignores: bool
    name: Matcher | None
    path: Matcher | None


@dataclass(frozen=True, slots=True)
class Rules:
    """One file's.  A path from the root of the search becomes one from the file's folder by
    leaving out `skip` letters and setting `above` before the rest."""

    runs: tuple[Run, ...]
    skip: int = 0
    above: str = ""

    def verdict(self, path: str, name: str) -> bool | None:
        """True to ignore, False to keep, None when no pattern says anything; the last one counts.

        Both end in a slash for a folder.
        """
        for run in self.runs:
            if run.name is not None and run.name(name):
                return run.ignores
            if run.path is not None and run.path(self.above + path[self.skip :]):
                return run.ignores
        return None


@dataclass(frozen=True, slots=True)
class Ignore:
    """What holds in one folder: the rules of `.ignore` files, which win, and those of git.

    Both from the nearest to the farthest.  Git's reach up to the repository's own folder, and hold
    in repositories alone.
    """

    plain: tuple[Rules, ...] = ()
    git: tuple[Rules, ...] = ()
    in_git: bool = False

    def leaves_out(self, path: str, name: str) -> bool:
        for rules in self.plain:
            if (verdict := rules.verdict(path, name)) is not None:
                return verdict
        for rules in self.git:
            if (verdict := rules.verdict(path, name)) is not None:
                return verdict
        return False

    def within(self, folder: str, names: Iterable[str], skip: int = 0, above: str = "") -> "Ignore":
        """What holds in a folder below, which has these names in it."""
        plain, git, in_git = self.plain, self.git, self.in_git
        if ".git" in names:
            git, in_git = (*_of_repository(folder, skip, above), *_of_user()), True
        if ".ignore" in names:
            plain = (*_read(f"{folder}/.ignore", skip, above), *plain)
        if in_git and ".gitignore" in names:
            git = (*_read(f"{folder}/.gitignore", skip, above), *git)
        return Ignore(plain, git, in_git)


def above(root: str) -> Ignore:
    """What the folders above the root of a search say of it."""
    ignore = Ignore()
    folders = [str(folder) for folder in reversed(Path(root).parents)]
    for folder in folders:
        names = [n for n in (".git", ".ignore", ".gitignore") if os.path.lexists(f"{folder}/{n}")]
        if names:
            ignore = ignore.within(folder, names, above=os.path.relpath(root, folder) + "/")
    return ignore


def _of_repository(folder: str, skip: int, above: str) -> tuple[Rules, ...]:
    return _read(f"{folder}/.git/info/exclude", skip, above)


def _of_user() -> tuple[Rules, ...]:
    """`core.excludesFile`, or where git looks when nothing is said.  Anchored ones among its
    patterns mean the root of the search."""
    home = Path.home()
    settings = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "git"
    for config in (home / ".gitconfig", settings / "config"):
        if found := EXCLUDES_FILE.search(_text(str(config))):
            return _read(os.path.expanduser(found[1]), 0, "")
    return _read(str(settings / "ignore"), 0, "")


def _text(path: str) -> str:
    try:
        if not os.path.isfile(path) or os.path.getsize(path) > MOST_BYTES:
            return ""
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def _read(path: str, skip: int, above: str) -> tuple[Rules, ...]:
    runs = runs_of(_text(path))
    return (Rules(runs, skip, above),) if runs else ()


def runs_of(text: str) -> tuple[Run, ...]:
    """From the last pattern to the first."""
    runs: list[tuple[bool, list[str], list[str]]] = []
    for line in text.splitlines():
        for ignores, source in _patterns(line):
            if not runs or runs[-1][0] != ignores:
                runs.append((ignores, [], []))
            _, names, paths = runs[-1]
            of_names = "/" not in line.removeprefix("!").rstrip().rstrip("/")
            (names if of_names else paths).append(source)
    return tuple(
        Run(ignores, _matcher(names), _matcher(paths)) for ignores, names, paths in reversed(runs)
    )


def _patterns(line: str) -> Iterable[tuple[bool, str]]:
    from pathspec import GitIgnoreSpec  # noqa: PLC0415 - a tree without such files needs none

    try:
        patterns = GitIgnoreSpec.from_lines([line]).patterns
    except ValueError:  # git passes over what makes no sense, too
        return
    for pattern in patterns:
        regex: re.Pattern[str] | None = getattr(pattern, "regex", None)
        if pattern.include is not None and regex is not None:
            yield pattern.include, regex.pattern.replace("(?P<ps_d>/)", "/")


def _matcher(sources: list[str]) -> Matcher | None:
    return re.compile("|".join(f"(?:{source})" for source in sources)).match if sources else None
