"""Arguments of function calls."""

import pytest
from msgspec import Struct

from workers.tools import ToolFailure
from workers.tools.arguments import arguments


class Shape(Struct):
    cmd: str
    n: int | None = None


def test_arguments_are_decoded_and_unknown_ones_ignored():
    """Observed: a field that nobody knows does not fail a call."""
    assert arguments(Shape, '{"cmd":"x","n":1,"more":[]}') == Shape("x", 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Input data was truncated"),
        ("not json", "JSON is malformed"),
        ("[]", "Expected `object`"),
        ("{}", "missing field `cmd`"),
        ('{"cmd":5}', "Expected `str`, got `int` - at `$.cmd`"),
        ("[" * 100_000, "Expected `object`"),
    ],
)
def test_the_model_is_told_what_is_wrong(text, said):
    """Observed: the words before the colon; ours: the rest."""
    with pytest.raises(ToolFailure) as caught:
        arguments(Shape, text)
    assert str(caught.value).startswith("failed to parse function arguments: ")
    assert said in str(caught.value)
