"""What a few letters mean: words that must all match a path, each in its own way.

The syntax and the scores are those of nucleo, which the reference server searches with (and fzf
before it): `^start`, `end$`, `'as written`, `!not`, a backslash takes a meaning away, and letters
alone may have others between them.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from workers.paths import form, graphemes
from workers.score import Match, best_run, fuzzy, fuzzy_score, run

Kind = Literal["fuzzy", "substring", "prefix", "postfix", "exact"]
WORDS = re.compile(r"(?:\\.|\S)+")
NARROWS = re.compile(r"[!$\\]")  # a letter more after one of these may find more, not less


@dataclass(frozen=True, slots=True)
class Atom:
    """One word.  An accent in it is meant, so then accents of paths are not passed over."""

    needle: str
    kind: Kind
    negative: bool
    normalize: bool

    def finder(self) -> Callable[[str], object]:
        """True of paths that match, apart from `negative`; all of it runs in C."""
        needle = self.needle
        match self.kind:
            case "substring":
                return lambda path: needle in path
            case "prefix":
                return lambda path: path.startswith(needle)
            case "postfix":
                return lambda path: path.endswith(needle)
            case "exact":
                return needle.__eq__
            case "fuzzy":
                letters = (re.escape(letter) for letter in needle)
                return re.compile("".join(f"[^{letter}]*+{letter}" for letter in letters)).match

    @property
    def top(self) -> Callable[[str], object] | None:
        """True of paths that no other can be better than; None when that cannot be told.

        That is the word at the start of a name: no bonus is above that, and no gap costs.  A single
        letter must not be at the start of another word before (see `best_run`).
        """
        if self.negative or self.kind != "fuzzy" or not self.needle[0].isalnum():
            return None
        needle = re.escape(self.needle)
        if len(self.needle) > 1:
            return re.compile(rf"(?:\A|/){needle}").search
        return re.compile(rf"(?:\A|(?:[^{needle}]|(?<=[^\W_]){needle})*+(?<=/)){needle}").match

    def match(self, letters: str, path: str) -> Match:
        """Of a path that matches; `path` is the form to compare with, `letters` the original."""
        size = len(self.needle)
        match self.kind:
            case "fuzzy":
                return fuzzy(letters, path, self.needle)
            case "substring":
                return best_run(letters, path, self.needle)
            case "postfix":
                return run(letters, len(letters) - size, size)
            case "prefix" | "exact":
                return run(letters, 0, size)

    def score(self, letters: str, path: str) -> int:
        """The same without the letters that match, which are wanted of few."""
        if self.kind == "fuzzy":
            return fuzzy_score(letters, path, self.needle)
        return self.match(letters, path).score


def parse(query: str) -> list[Atom]:
    return [atom for word in WORDS.findall(query) if (atom := _atom(word)).needle]


def _atom(word: str) -> Atom:
    negative = word.startswith("!")
    word = word[1:] if word.startswith(("!", "\\!")) else word
    kind: Kind = "fuzzy"
    if word.startswith(("^", "'")):
        kind = "prefix" if word[0] == "^" else "substring"
        word = word[1:]
    elif word.startswith(("\\^", "\\'")):
        word = word[1:]
    if word.endswith("\\$"):
        word = word[:-2] + "$"
    elif word.endswith("$"):
        kind = "postfix" if kind == "fuzzy" else "exact"
        word = word[:-1]
    if negative and kind == "fuzzy":
        kind = "substring"
    needle = graphemes(re.sub(r"\\(\s)", r"\1", word))
    plain = form(needle, normalize=True)
    needle = form(needle, normalize=False)
    return Atom(needle, kind, negative, normalize=needle == plain)
