"""Base64 as clients send it."""

import pytest

from protocol import payload

FAULTS = {
    "@@": "Invalid symbol 64, offset 0.",
    "aGk =": "Invalid symbol 32, offset 3.",
    "a-_b": "Invalid symbol 45, offset 1.",
    "é": "Invalid symbol 195, offset 0.",
    "a===": "Invalid symbol 61, offset 1.",
    "YQ==YQ==": "Invalid symbol 61, offset 2.",
    "YQ=a": "Invalid symbol 61, offset 2.",
    "aGVsbG8": "Invalid padding",
    "ab=": "Invalid padding",
    "abcde": "Invalid input length: 5",
    "aGl=": "Invalid last symbol 108, offset 2.",
}


@pytest.mark.parametrize(("text", "fault"), FAULTS.items())
def test_what_is_no_base64_is_refused_in_the_words_of_the_reference(text, fault):
    """Observed: fs/writeFile and command/exec/write."""
    with pytest.raises(ValueError) as raised:
        payload.decode(text)

    assert str(raised.value) == fault


@pytest.mark.parametrize(("text", "data"), [("", b""), ("aGk=", b"hi"), ("AP8=", b"\0\xff")])
def test_canonical_base64_is_read(text, data):
    """Observed."""
    assert payload.decode(text) == data
