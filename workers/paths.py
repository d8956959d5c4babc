"""The paths of a search, in the forms that letters are compared with.

nucleo compares the first code point of each grapheme, so that an index counts what a reader sees.
A path in ASCII is its own form, and most are.
"""

import unicodedata
from array import array

MOST = 500_000  # of one search: about 100 MB; what a walk finds beyond it is left out


class Paths:
    """They only grow, so a search goes on where it was.  `kinds` is twice the root, plus one for a
    folder."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.letters: list[str] = []
        self.kinds = array("l")
        self._forms: dict[bool, list[str]] = {}

    def __len__(self) -> int:
        return len(self.letters)

    def add(self, paths: list[str], kinds: list[int]) -> bool:
        """Returns whether there is room for more."""
        self.paths += paths
        self.kinds.extend(kinds)
        self.letters += [path if path.isascii() else graphemes(path) for path in paths]
        return len(self) < MOST

    def form(self, *, normalize: bool) -> list[str]:
        """Of all paths there are now."""
        made = self._forms.setdefault(normalize, [])
        if len(made) < len(self.letters):
            made += [form(letters, normalize=normalize) for letters in self.letters[len(made) :]]
        return made


def graphemes(text: str) -> str:
    """The first code point of each; marks and joiners are what follows a first one."""
    if text.isascii():
        return text
    return "".join(c for c in text if unicodedata.category(c) not in {"Mn", "Me", "Cf"})


def form(letters: str, *, normalize: bool) -> str:
    """As many letters as before, without capitals and perhaps without accents."""
    if letters.isascii():
        return letters.lower()
    if normalize:
        letters = "".join(map(_plain, letters))
    return "".join(c.lower()[0] for c in letters)


def _plain(letter: str) -> str:
    """A Latin letter without its accent; other scripts keep theirs."""
    base = unicodedata.normalize("NFD", letter)[0]
    return base if base.isascii() else letter
