"""What is kept of a command's output, and what of it the model is shown."""

from hypothesis import given
from hypothesis import strategies as st

from workers.tools.output import HeadTail, command_report, elided, session_report, shown, tokens


@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(1, 20))
def test_both_ends_are_kept_within_the_bound(pieces, half):
    """Ours: whatever the pieces, the result is that of the whole."""
    kept, whole = HeadTail(2 * half), b"".join(pieces)
    for piece in pieces:
        kept.add(piece)
    wanted = whole if len(whole) <= 2 * half else whole[:half] + whole[-half:]
    assert kept.total == len(whole)
    assert kept.text() == wanted.decode("utf-8", "replace")
    assert kept.take() == wanted.decode("utf-8", "replace")
    assert (kept.total, kept.text()) == (0, "")


def test_what_was_taken_does_not_come_again():
    """Observed: each report shows what was written since the last one."""
    kept = HeadTail()
    kept.add(b"a")
    assert kept.take() == "a"
    kept.add(b"b")
    assert kept.take() == "b"


def test_a_token_is_four_bytes_rounded_up():
    """Observed: "Original token count" of outputs of 0 to 7,890 bytes."""
    assert [tokens(size) for size in (0, 1, 4, 5, 7890)] == [0, 1, 1, 2, 1973]


def test_a_text_within_the_budget_is_left_alone():
    """Observed: no note, no count of lines."""
    assert shown("x" * 40, 10) == "x" * 40


def test_a_longer_text_loses_its_middle():
    """Observed: 100 bytes of each end, and 1923 tokens between them."""
    text = "".join(f"line-{n}-0123456789\n" for n in range(400))
    assert shown(text, 50) == (
        f"Total output lines: 400\n\n{text[:100]}…1923 tokens truncated…{text[-100:]}"
    )


def test_without_a_budget_only_the_note_is_left():
    """Observed: max_output_tokens 0."""
    assert elided("x" * 292, 0) == "…73 tokens truncated…"


def test_letters_are_not_cut_in_two():
    """Ours: a half letter would be shown as a replacement mark."""
    assert elided("é" * 20, 3) == "ééé…7 tokens truncated…ééé"
    assert elided("€" * 20, 2) == "€…13 tokens truncated…€"


def test_the_report_of_a_session():
    """Observed: the five lines of exec_command."""
    report = session_report("hi\n", seconds=1.5, exit_code=None, session_id=7, max_tokens=None)
    chunk, rest = report.split("\n", 1)
    assert chunk.startswith("Chunk ID: ")
    assert rest == (
        "Wall time: 1.5000 seconds\nProcess running with session ID 7\n"
        "Original token count: 1\nOutput:\nhi\n"
    )


def test_no_call_gets_more_than_the_limit():
    """Observed: 10,000 tokens, whatever the model asks for."""
    text = "x" * 60_000
    report = session_report(text, seconds=0, exit_code=0, session_id=7, max_tokens=1_000_000)
    assert "…5000 tokens truncated…" in report


def test_the_report_of_a_shell_command():
    """Observed: wall time to a tenth, the count of lines only when something was cut."""
    assert command_report("hi\n", seconds=3.04, exit_code=0) == (
        "Exit code: 0\nWall time: 3 seconds\nOutput:\nhi\n"
    )
    assert command_report("", seconds=0.51, exit_code=1) == (
        "Exit code: 1\nWall time: 0.5 seconds\nOutput:\n"
    )
    long = command_report("x\n" * 30_000, seconds=0, exit_code=0)
    assert long.startswith(
        "Exit code: 0\nWall time: 0 seconds\nTotal output lines: 30000\nOutput:\n"
    )
