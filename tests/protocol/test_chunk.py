"""base64 of input, and the words of its refusals."""

import re
from base64 import b64decode, b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import chunk
from protocol.errors import RpcError

FAULTS = {
    "Q": "Invalid input length: 1",
    "QUJDQ": "Invalid input length: 5",
    "QQ": "Invalid padding",
    "QQ=": "Invalid padding",
    "QUI": "Invalid padding",
    "QR==": "Invalid last symbol 82, offset 1.",
    "QUJ=": "Invalid last symbol 74, offset 2.",
    "QQ==QQ==": "Invalid symbol 61, offset 2.",
    "QQ ==": "Invalid symbol 32, offset 2.",
    "QQ==\n": "Invalid symbol 10, offset 4.",
    "-_-_": "Invalid symbol 45, offset 0.",
    "\u00e9": "Invalid symbol 195, offset 0.",
    "====": "Invalid symbol 61, offset 0.",
    "A===": "Invalid symbol 61, offset 1.",
    "QUJD=": "Invalid symbol 61, offset 4.",
}


@pytest.mark.parametrize(("text", "fault"), FAULTS.items())
def test_each_fault_is_named_as_the_reference_server_does(text, fault):
    """Observed."""
    with pytest.raises(RpcError, match=f"^invalid deltaBase64: {re.escape(fault)}$"):
        chunk.decode(text)


@given(st.binary())
def test_what_is_encoded_is_decoded(data):
    """Ours: the standard's form and no other."""
    assert chunk.decode(b64encode(data).decode()) == data


@given(st.text("AQRab+/=-\n\u00e9", max_size=9))
def test_nothing_is_taken_that_has_another_form(text):
    """Observed: bits to spare and padding to spare are refused."""
    try:
        data = chunk.decode(text)
    except RpcError:
        return
    assert b64encode(data).decode() == text == b64encode(b64decode(text)).decode()
