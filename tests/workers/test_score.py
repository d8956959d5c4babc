"""Scores and places of letters: nucleo's, as the reference server tells them."""

import random
from itertools import combinations, pairwise

import pytest

from workers.query import parse
from workers.score import BOUNDARY, CONSECUTIVE, GAP, LETTER, bonus, fuzzy, fuzzy_score

OBSERVED = [
    ("abc", "src/deep/er/abcx.py", 84, [12, 13, 14]),
    ("salp", "src/alpha.rs", 104, [0, 4, 5, 6]),
    ("main", "lmain", 76, [1, 2, 3, 4]),
    ("abbc", "aabbcc", 87, [0, 2, 3, 4]),
    ("abbc", "xxabc/abc", 67, [2, 3, 7, 8]),
    ("fbq", "foo-bar_bazQux12.txt", 66, [0, 4, 11]),
    ("12", "foo-bar_bazQux12.txt", 47, [14, 15]),
    ("t", "foo-bar_bazQux12.txt", 32, [17]),
    ("rs$", "src/main.rs", 56, [9, 10]),
    ("^lmain$", "lmain", 134, [0, 1, 2, 3, 4]),
    ("'ain", "src/Main.java", 56, [5, 6, 7]),
    ("x\\ y", "x y.txt", 84, [0, 1, 2]),
]


@pytest.mark.parametrize(("query", "path", "score", "indices"), OBSERVED)
def test_a_path_has_the_score_that_the_reference_gives_it(query, path, score, indices):
    """Observed."""
    [atom] = parse(query)

    assert atom.finder()(path.lower())
    assert atom.match(path, path.lower()) == (score, indices)
    assert atom.score(path, path.lower()) == score


def of_places(letters: str, places: tuple[int, ...]) -> int:
    """The score of one way through a path, letter by letter."""
    lead = bonus(letters, places[0])
    score = LETTER + 2 * lead
    for before, here in pairwise(places):
        own = bonus(letters, here)
        if here == before + 1:
            lead = max(lead, CONSECUTIVE, own if own >= BOUNDARY else 0)
            score += LETTER + max(lead, own)
        else:
            lead = own
            score = max(score - GAP - (here - before - 2), 0) + LETTER + own
    return score


def test_no_way_through_a_path_is_better_than_the_one_that_is_found():
    """Ours: against trying all of them."""
    dice = random.Random(7)
    for _ in range(300):
        letters = "".join(dice.choice("aabbAB1_/") for _ in range(9))
        path, needle = letters.lower(), "".join(dice.choice("ab1") for _ in range(3))
        ways = [
            places
            for places in combinations(range(len(path)), len(needle))
            if all(path[at] == letter for at, letter in zip(places, needle, strict=True))
        ]
        [atom] = parse(needle)
        assert bool(atom.finder()(path)) == bool(ways)
        if ways:
            score, indices = fuzzy(letters, path, needle)
            assert score == of_places(letters, tuple(indices)) == fuzzy_score(letters, path, needle)
            assert score >= max(of_places(letters, way) for way in ways) - BOUNDARY


@pytest.mark.parametrize("query", ["", "  ", "!", "^", "$", "!^", "'$"])
def test_signs_without_letters_ask_for_nothing(query):
    """Observed."""
    assert parse(query) == []


def test_what_no_other_can_be_better_than_has_the_highest_score():
    """Ours: enough of them and nothing else is scored, so it had better be true."""
    dice = random.Random(11)
    for needle in ("a", "ab", "b1", "aab"):
        [atom] = parse(needle)
        assert atom.top is not None
        paths = ["".join(dice.choice("aabB1_./") for _ in range(8)) for _ in range(2000)]
        found = [path for path in paths if atom.finder()(path.lower())]
        top = [path for path in found if atom.top(path.lower())]
        scores = {path: atom.score(path, path.lower()) for path in found}
        assert top
        assert {scores[path] for path in top} == {max(scores.values())}
