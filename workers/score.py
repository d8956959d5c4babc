"""How well letters match a path: nucleo's figures, because clients show and sort by them.

A letter counts 16; one at the start of a name, a word or a hump gets a bonus, the first one twice;
a gap costs 3 and each letter of it after the first costs 1.
"""

from typing import NamedTuple

LETTER = 16
BOUNDARY, DELIMITER, HUMP, CONSECUTIVE = 8, 9, 5, 4
GAP = 3

_LOWER, _UPPER, _NUMBER, _LETTER, _SPACE, _SLASH, _OTHER = range(7)


class Match(NamedTuple):
    score: int
    indices: list[int]


def _class(letter: str) -> int:
    if letter.islower():
        return _LOWER
    if letter.isupper():
        return _UPPER
    if letter.isnumeric():
        return _NUMBER
    if letter.isalpha():
        return _LETTER
    if letter.isspace():
        return _SPACE
    return _SLASH if letter == "/" else _OTHER


class _Bonuses(dict[str, int]):
    """By a letter and the one before it."""

    def __missing__(self, pair: str) -> int:
        bonus = self[pair] = _bonus(_class(pair[0]), _class(pair[1]))
        return bonus


def _bonus(before: int, here: int) -> int:
    if here in {_SPACE, _OTHER}:
        return BOUNDARY
    if here == _SLASH:
        return 0
    if before == _SLASH:
        return DELIMITER
    if before in {_SPACE, _OTHER}:
        return BOUNDARY
    hump = before == _LOWER and here == _UPPER
    return HUMP if hump or (before != _NUMBER and here == _NUMBER) else 0


_BONUSES = _Bonuses()


def bonus(letters: str, at: int) -> int:
    return _BONUSES[letters[at - 1 : at + 1] if at else "/" + letters[0]]


def run(letters: str, at: int, size: int) -> Match:
    """Of letters that stand together from `at` on."""
    lead = bonus(letters, at)
    score = LETTER + 2 * lead
    for place in range(at + 1, at + size):
        here = bonus(letters, place)
        if here >= BOUNDARY:
            lead = max(lead, here)
        score += LETTER + max(here, lead, CONSECUTIVE)
    return Match(score, list(range(at, at + size)))


def best_run(letters: str, path: str, needle: str) -> Match:
    """Of the place that begins best, the first of them.  At a word's start nucleo looks no
    further, though the start of a name is better still."""
    best, best_at = -1, 0
    at = path.find(needle)
    while at >= 0 and best < BOUNDARY:
        if (here := bonus(letters, at)) > best:
            best, best_at = here, at
        at = path.find(needle, at + 1)
    return run(letters, best_at, len(needle))


class _Row(NamedTuple):
    """Where one letter of the needle may stand, with the best that leads there.

    `leads` is what a letter right behind may inherit; `backs` says by which place of the row
    before.
    """

    places: list[int]
    scores: list[int]
    leads: list[int]
    backs: list[int]


def fuzzy(letters: str, path: str, needle: str) -> Match:
    """The best of all ways through a path that has the letters in this order."""
    if len(needle) == 1:
        return best_run(letters, path, needle)
    rows = _rows(letters, path, needle)
    scores = rows[-1].scores
    best = max(scores)
    return Match(best, _way(rows, len(scores) - 1 - scores[::-1].index(best)))


def fuzzy_score(letters: str, path: str, needle: str) -> int:
    """The same without the way."""
    if len(needle) == 1:
        return best_run(letters, path, needle).score
    return max(_rows(letters, path, needle)[-1].scores)


def _rows(letters: str, path: str, needle: str) -> list[_Row]:
    rows = [_first_row(letters, path, needle[0])]
    for letter in needle[1:]:
        rows.append(_next_row(rows[-1], letters, path, letter))
    return rows


def _first_row(letters: str, path: str, letter: str) -> _Row:
    places: list[int] = []
    at = path.find(letter)
    while at >= 0:
        places.append(at)
        at = path.find(letter, at + 1)
    leads = [bonus(letters, at) for at in places]
    return _Row(places, [LETTER + 2 * lead for lead in leads], leads, [])


def _next_row(row: _Row, letters: str, path: str, letter: str) -> _Row:
    """Each place is reached with a gap, from the best place so far, or without one.

    It runs for every letter of every path that is scored, so it makes no calls of its own.
    """
    before, before_scores, before_leads, _ = row
    places, scores, leads, backs = next_row = _Row([], [], [], [])
    reach, reached_from, known, count = 0, -1, 0, len(before)
    bonuses, find = _BONUSES, path.find
    at = find(letter, before[0] + 1)
    while at >= 0:
        last = at - 1
        while known < count and (place := before[known]) < last:
            if (value := before_scores[known] + place) > reach:
                reach, reached_from = value, known
            known += 1
        here = lead = bonuses[letters[last : at + 1]]
        apart = reach - last - GAP + 1
        score, back = (max(0, apart)) + here, reached_from
        if known < count and before[known] == last:
            inherited = before_leads[known]
            inherited = max(inherited, CONSECUTIVE)
            if here >= BOUNDARY and here > inherited:
                inherited = here
            together = before_scores[known] + (max(here, inherited))
            if together > score or back < 0:
                score, lead, back = together, inherited, known
        places.append(at)
        scores.append(score + LETTER)
        leads.append(lead)
        backs.append(back)
        at = find(letter, at + 1)
    return next_row


def _way(rows: list[_Row], back: int) -> list[int]:
    """The places of the letters, from the last row to the first."""
    indices: list[int] = []
    for row in reversed(rows):
        indices.append(row.places[back])
        back = row.backs[back] if row.backs else back
    return indices[::-1]
