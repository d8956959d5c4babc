"""Where frames end, however the stream is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.framing import FRAME_LIMIT, Frames, pack


@given(st.lists(st.binary(max_size=20)), st.lists(st.integers(1, 9), min_size=1))
def test_payloads_are_whole_and_in_order_however_the_stream_is_cut(payloads, sizes):
    """Ours: a read ends anywhere, within a length too."""
    stream, splitter, heard = b"".join(map(pack, payloads)), Frames(), []
    while stream:
        sizes = [*sizes[1:], sizes[0]]
        heard += splitter.feed(stream[: sizes[0]])
        stream = stream[sizes[0] :]

    assert heard == payloads


@pytest.mark.parametrize("pieces", [(4,), (2, 2), (1, 3)])
def test_a_length_that_nothing_has_is_no_stream_of_ours(pieces):
    """Ours: the worker is taken for lost before its frame fills the memory."""
    splitter, length = Frames(), (FRAME_LIMIT + 1).to_bytes(4)

    with pytest.raises(ValueError, match="a frame of"):
        for size in pieces:
            list(splitter.feed(length[:size]))
            length = length[size:]
