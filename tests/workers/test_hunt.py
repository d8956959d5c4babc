"""Queries against paths: what is told, and that narrowing finds the same as beginning anew."""

import random

import pytest

from protocol.seldom import Root
from workers.hunt import FOUND, Hunt
from workers.paths import Paths

ROOTS = [Root("/r", "/r")]


def paths_of(*names: str) -> Paths:
    paths = Paths()
    paths.add(list(names), [0] * len(names))
    return paths


async def found(paths, query, earlier=None):
    hunt = Hunt(query, earlier)
    assert await hunt.pursue(paths, lambda: False)
    return hunt, hunt.results(paths, ROOTS)


def some_paths() -> list[str]:
    dice = random.Random(3)
    return ["".join(dice.choice("abcAB_./") for _ in range(12)) for _ in range(3000)]


@pytest.mark.parametrize("query", ["a", "ab", "abc", "abca", "bb ca", "^a", "c$", "'ab !b"])
async def test_the_best_are_those_that_scoring_all_would_find(query):
    """Ours: no shortcut may lose one; of equal ones the shortest and first are told (observed)."""
    paths = paths_of(*some_paths())
    hunt, results = await found(paths, query)

    ranked = []
    for at, path in enumerate(paths.letters):
        atoms = hunt._atoms
        if all(bool(a.finder()(path.lower())) != a.negative for a in atoms):
            score = sum(a.score(path, path.lower()) for a in atoms if not a.negative)
            ranked.append((-score, len(path), at))
    best = sorted(ranked)[:FOUND]

    assert [(r.score, r.path) for r in results] == sorted(
        ((-score, paths.paths[at]) for score, _, at in best), key=lambda r: (-r[0], r[1])
    )


async def test_a_longer_query_finds_the_same_as_one_from_the_start():
    """Ours: it looks at fewer paths."""
    paths = paths_of(*some_paths())
    hunt = None
    for query in ("a", "ab", "ab c", "ab ca", "ab ca!", "ab", "abb$", "abb$c"):
        hunt, results = await found(paths, query, hunt)
        assert results == (await found(paths, query))[1]


async def test_what_comes_meanwhile_is_found_as_well():
    """Ours: a walk goes on while letters are typed."""
    paths = paths_of("one.txt")
    hunt, results = await found(paths, "t")
    assert len(results) == 1
    paths.add(["two.txt"], [1])

    hunt, results = await found(paths, "tx", hunt)
    assert await hunt.pursue(paths, lambda: False)

    assert [(r.path, r.match_type) for r in hunt.results(paths, ROOTS)] == [
        ("one.txt", "file"),
        ("two.txt", "directory"),
    ]


async def test_a_hunt_can_be_called_off_and_taken_up_again():
    """Ours: the next letter does not wait for the one before."""
    paths = paths_of(*some_paths())
    hunt = Hunt("abc")

    assert not await hunt.pursue(paths, lambda: True)
    _, results = await found(paths, "abca", hunt)

    assert results == (await found(paths, "abca"))[1]


async def test_letters_are_found_without_their_accents_and_counted_as_readers_do():
    """Observed: an accent in the query is meant."""
    paths = paths_of("café/Été.txt", "cafe\u0301.md")

    assert [(r.path, r.indices) for r in (await found(paths, "cafe"))[1]] == [
        ("cafe\u0301.md", [0, 1, 2, 3]),
        ("café/Été.txt", [0, 1, 2, 3]),
    ]
    assert [r.score for r in (await found(paths, "été"))[1]] == [84]
