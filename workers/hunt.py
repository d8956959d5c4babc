"""One query against the paths that are there, in steps, so that it can be given up at any time.

First all that match are found, which runs in C.  Then those that no other can be better than; are
there enough of them, nothing else need be scored.
"""

import os
from collections.abc import Callable, Iterable
from heapq import nsmallest

import trio

from protocol.fuzzy import FuzzyFileSearchResult
from protocol.seldom import Root
from workers.paths import Paths
from workers.query import NARROWS, Atom, parse

FOUND = 50  # of the best are told, as by the reference server
FILTERED, SCORED = 5000, 500  # paths in one step: a few milliseconds

Ranked = tuple[int, int, int]  # minus the score, the length, the place among all paths


class Hunt:
    """`earlier` is one of the same paths; when it was for the beginning of this query, what it has
    not found need not be looked at again."""

    def __init__(self, query: str, earlier: "Hunt | None" = None) -> None:
        self.query = query
        self.seen = 0  # of all paths
        self._atoms = parse(query)
        self._counting = [atom for atom in self._atoms if not atom.negative]
        self._best: list[Ranked] = []
        self._matching: list[int] = []
        self._scored = 0  # of those that match
        self._top: list[int] = []
        self._candidates: list[int] = []
        if earlier is not None and _narrows(earlier.query, query):
            self.seen = earlier.seen
            self._candidates = earlier._matching + earlier._candidates

    async def pursue(self, paths: Paths, is_off: Callable[[], bool]) -> bool:
        """Look at all paths that there are now.  False when it was called off on the way."""
        while self._candidates or self.seen < len(paths):
            if is_off():
                return False
            self._filter(paths)
            await trio.lowlevel.checkpoint()
        while len(self._top) < FOUND and self._scored < len(self._matching):
            if is_off():
                return False
            self._score(paths)
            await trio.lowlevel.checkpoint()
        return True

    def _filter(self, paths: Paths) -> None:
        if self._candidates:
            looked_at: Iterable[int] = self._candidates[:FILTERED]
            del self._candidates[:FILTERED]
        else:
            looked_at = range(self.seen, min(self.seen + FILTERED, len(paths)))
            self.seen = looked_at.stop
        for atom in self._atoms:
            looked_at = _matching(atom, paths, looked_at)
        matching = list(looked_at)
        self._matching += matching
        self._top += _top(self._atoms, paths, matching)

    def _score(self, paths: Paths) -> None:
        some = self._matching[self._scored : self._scored + SCORED]
        self._scored += len(some)
        scores = [0] * len(some)
        for atom in self._counting:
            form = _form(atom, paths)
            for n, at in enumerate(some):
                scores[n] += atom.score(paths.letters[at], form[at])
        ranked = [
            (-score, len(paths.letters[at]), at) for score, at in zip(scores, some, strict=True)
        ]
        self._best = nsmallest(FOUND, self._best + ranked)

    def results(self, paths: Paths, roots: list[Root]) -> list[FuzzyFileSearchResult]:
        """The best, by score and path; of equal ones the shortest have been chosen."""
        if not self.query:
            return []
        if len(self._top) >= FOUND:
            ranked = nsmallest(FOUND, ((len(paths.letters[at]), at) for at in self._top))
        else:
            ranked = [(length, at) for _, length, at in self._best]
        found = [self._result(paths, roots, at) for _, at in ranked]
        return sorted(found, key=lambda result: (-result.score, result.path))

    def _result(self, paths: Paths, roots: list[Root], at: int) -> FuzzyFileSearchResult:
        matches = [atom.match(paths.letters[at], _form(atom, paths)[at]) for atom in self._counting]
        root, is_folder = divmod(paths.kinds[at], 2)
        path = paths.paths[at]
        return FuzzyFileSearchResult(
            root=roots[root].name,
            path=path,
            match_type="directory" if is_folder else "file",
            file_name=os.path.basename(path),
            score=sum(match.score for match in matches),
            indices=sorted({place for match in matches for place in match.indices}),
        )


def _narrows(earlier: str, query: str) -> bool:
    return bool(earlier) and query.startswith(earlier) and not NARROWS.search(query)


def _form(atom: Atom, paths: Paths) -> list[str]:
    return paths.form(normalize=atom.normalize)


def _matching(atom: Atom, paths: Paths, places: Iterable[int]) -> list[int]:
    form, finds = _form(atom, paths), atom.finder()
    if atom.negative:
        return [at for at in places if not finds(form[at])]
    return [at for at in places if finds(form[at])]


def _top(atoms: list[Atom], paths: Paths, places: list[int]) -> list[int]:
    for atom in atoms:
        finds = atom.top
        if finds is None:
            return []
        form = _form(atom, paths)
        places = [at for at in places if finds(form[at])]
    return places if atoms else []
