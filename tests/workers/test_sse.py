"""How a stream of bytes becomes events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers import sse
from workers.sse import EventTooLong, Splitter

TEXT = st.characters(codec="utf-8", exclude_characters="\r\n")


def split(*pieces: bytes) -> list[bytes]:
    splitter = Splitter()
    return [data for piece in pieces for data in splitter.feed(piece)]


def test_each_event_gives_its_data():
    """The standard's event stream format, in the shape that providers send."""
    assert split(b'event: a\ndata: {"n":1}\n\ndata: {"n":2}\n\n') == [b'{"n":1}', b'{"n":2}']


def test_an_event_waits_for_its_empty_line():
    """The standard: an event is dispatched at the empty line."""
    splitter = Splitter()

    assert splitter.feed(b"data: half") == []
    assert splitter.feed(b" whole\n") == []
    assert splitter.feed(b"\ndata: next") == [b"half whole"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_all_line_ends_are_taken(end: bytes):
    """The standard: lines end with CRLF, LF or CR."""
    lines = [b"event: a", b"data: 1", b"", b"data: 2", b"", b""]

    assert split(end.join(lines)) == [b"1", b"2"]


def test_a_line_end_may_be_cut_in_two():
    """The standard's CRLF, divided by the network."""
    assert split(b"data: 1\r", b"\n\r", b"\ndata: 2\r\n", b"\r\n") == [b"1", b"2"]


def test_a_bare_carriage_return_does_not_delay_the_event():
    """Ours: an event that is whole is given at once, though a line feed may follow."""
    assert split(b"data: 1\r\n\r") == [b"1"]


def test_data_of_several_lines_is_joined():
    """The standard: data lines are joined with a line feed."""
    assert split(b"data: a\ndata: b\n\n") == [b"a\nb"]
    assert split(b"event: x\ndata:a\ndata\ndata:  b\nid: 3\n\n") == [b"a\n\n b"]


def test_comments_and_events_without_data_are_left_out():
    """The standard: a line that begins with a colon is a comment, used as keep-alive."""
    assert split(b": ping\n\nevent: x\n\n:\n\ndata: 1\n\n\n\n\ndata: 2\n\n") == [b"1", b"2"]


def test_a_byte_order_mark_is_passed_over():
    """The standard: one leading mark is ignored."""
    assert split(b"\xef\xbb\xbfdata: 1\n\n") == [b"1"]


def test_the_word_data_in_another_field_is_not_data():
    """Ours: the fast path must give what the slow one gives."""
    assert split(b"event: data: 0\ndata: 1\n\n") == [b"1"]
    assert split(b"data:0\ndata: 1\n\n") == [b"0\n1"]
    assert split(b"mydata: 0\n\n") == []


def test_the_end_gives_an_event_that_lacks_only_its_empty_line():
    """Ours: proxies trim bodies; the standard would drop the event."""
    splitter = Splitter()
    splitter.feed(b"data: 1\n\ndata: 2\n")

    assert splitter.end() == [b"2"]
    assert splitter.end() == []


def test_an_endless_event_is_refused(monkeypatch):
    """Ours: a stream without an empty line must not fill the memory."""
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 1000)
    splitter = Splitter()

    with pytest.raises(EventTooLong):
        for _ in range(11):
            splitter.feed(b"x" * 100)


@given(
    texts=st.lists(st.text(TEXT, min_size=1), max_size=8),
    end=st.sampled_from(["\n", "\r\n"]),
    cuts=st.lists(st.integers(min_value=1, max_value=9), min_size=1, max_size=8),
)
def test_the_pieces_do_not_change_the_events(texts: list[str], end: str, cuts: list[int]):
    """Ours: the network cuts anywhere, inside a character too."""
    stream = "".join(f"event: é{end}data: {text}{end}{end}" for text in texts).encode()
    pieces: list[bytes] = []
    while stream:
        size = cuts[len(pieces) % len(cuts)]
        pieces.append(stream[:size])
        stream = stream[size:]

    assert split(*pieces) == [text.encode() for text in texts]
