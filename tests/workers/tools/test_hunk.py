"""Patches as text; the words for unreadable ones are in test_apply."""

from workers.tools.hunk import AddFile, Chunk, DeleteFile, UpdateFile, parse


def test_a_patch_is_read_into_its_sections():
    """Observed: patches of the reference's cases."""
    text = (
        "*** Begin Patch\n*** Add File: a b.txt \n+x\n++y\n+\n*** Delete File: d\n\n"
        "*** Update File: u\n*** Move to: v\n@@ def f:\n one\n\n-two\n+TWO\n*** End of File\n"
        "*** End Patch"
    )
    lines = [(" ", "one"), (" ", ""), ("-", "two"), ("+", "TWO")]
    assert parse(text).hunks == [
        AddFile("a b.txt", "x\n+y\n\n"),
        DeleteFile("d"),
        UpdateFile("u", [Chunk(["def f:"], lines, at_end=True)], "v"),
    ]


def test_a_heredoc_around_a_patch_and_space_before_it_do_not_matter():
    """Observed."""
    inner = "*** Begin Patch\n*** Add File: h\n+x\n*** End Patch\n"
    for text in (f"<<'EOF'\n{inner}EOF", f"  \n {inner}", inner.replace("\n", "\r\n")):
        assert parse(text).hunks == [AddFile("h", "x\n")]
