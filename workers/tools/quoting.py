"""Words of a command line as text that a shell reads back, in the reference server's style.

Bare if that is safe in every shell, else in single quotes, else in double quotes, else in pieces.
Clients compare and match these texts, so the style is protocol (observed).
"""

import re
from collections.abc import Iterable

# Per style, what may stand in it.  `^` comes first in a single-quoted piece or not at all.
_BARE = re.compile(r"[A-Za-z0-9+\-./:@\]_]+")
_SINGLE = re.compile(r"\^?[^'\\^]+|\^")
_DOUBLE = re.compile(r"[^`$!^]+")


def quoted(word: str) -> str:
    if not word:
        return "''"
    if _BARE.fullmatch(word):
        return word
    pieces: list[str] = []
    at = 0
    while at < len(word):
        single, double = _SINGLE.match(word, at), _DOUBLE.match(word, at)
        ends = single.end() if single else at
        if not double or ends >= double.end():
            pieces.append(_in_single(word[at:ends]))
            at = ends
        else:
            pieces.append(_in_double(word[at : double.end()]))
            at = double.end()
    return "".join(pieces)


def _in_single(text: str) -> str:
    return text if _BARE.fullmatch(text) else f"'{text}'"


def _in_double(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def joined(words: Iterable[str]) -> str:
    return " ".join(quoted(word) for word in words)
