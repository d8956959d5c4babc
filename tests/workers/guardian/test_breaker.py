"""How much denying a turn survives."""

from workers.guardian.breaker import ALTOGETHER, IN_A_ROW, Breaker


def test_three_in_a_row_are_enough():
    """Observed."""
    breaker = Breaker()
    said = [breaker.denied("t") for _ in range(IN_A_ROW)]
    assert said[:-1] == [None] * (IN_A_ROW - 1)
    assert "(3 consecutive, 3 total)" in said[-1]


def test_anything_else_breaks_the_row_but_not_the_sum():
    """Observed: the row; read in the reference's source: the sum."""
    breaker = Breaker()
    said = []
    for _ in range(ALTOGETHER):
        breaker.allowed("t")
        said.append(breaker.denied("t"))
    assert said[:-1] == [None] * (ALTOGETHER - 1)
    assert "(1 consecutive, 10 total)" in said[-1]


def test_it_is_said_once():
    """Ours: calls of the same response may still be denied while the turn ends."""
    breaker = Breaker()
    assert [bool(breaker.denied("t")) for _ in range(5)] == [False, False, True, False, False]


def test_each_turn_is_counted_anew():
    """Observed."""
    breaker = Breaker()
    assert [breaker.denied(turn) for turn in "aabb"] == [None] * 4
