"""What patches would do to files."""

import pytest

from workers.tools.apply import Edit, plan
from workers.tools.hunk import PatchError, parse


def patch(body):
    return f"*** Begin Patch\n{body}*** End Patch\n"


def planned(body, **files):
    return plan(parse(patch(body)), "/w", {f"/w/{name}": text for name, text in files.items()}.get)


def updated(content, body):
    (edit,) = planned("*** Update File: f\n" + body, f=content)
    return edit.new


def refusal(text, **files):
    with pytest.raises(PatchError) as caught:
        plan(parse(text), "/w", {f"/w/{name}": text for name, text in files.items()}.get)
    return str(caught.value)


def test_a_patch_of_every_kind_becomes_one_edit_per_file():
    """Observed: patches of the reference's cases."""
    edits = planned(
        "*** Add File: x/y.txt\n+deep\n*** Update File: a\n@@\n-one\n+ONE\n two\n"
        "*** Delete File: gone\n*** Update File: m\n*** Move to: n\n@@\n-1\n+2\n",
        a="one\ntwo\n",
        gone="bye\n",
        m="1\n",
    )
    assert edits == [
        Edit("/w/x/y.txt", "add", None, "deep\n"),
        Edit("/w/a", "update", "one\ntwo\n", "ONE\ntwo\n"),
        Edit("/w/gone", "delete", "bye\n", None),
        Edit("/w/m", "update", "1\n", "2\n", "/w/n"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The first line of the patch must be '*** Begin Patch'"),
        ("no patch", "The first line of the patch must be '*** Begin Patch'"),
        ("*** Begin Patch\n*** Add File: z\n+x", "The last line of the patch must be"),
        (patch("*** Frobnicate: x\n"), "line 2, '*** Frobnicate: x' is not a valid hunk header"),
        (patch("*** Add File: n\nx\n"), "line 3, 'x' is not a valid hunk header"),
        (patch("*** Add File: \n+x\n"), "line 2, '*** Add File:' is not a valid hunk header"),
        (patch("*** Update File: f\n"), "line 2, Update file hunk for path 'f' is empty"),
        (patch("*** Update File: f\n*** Move to: b\n"), "hunk for path 'f' is empty"),
        (patch("*** Update File: f\n@@\nfoo\n"), "line 4, Unexpected line found"),
        (patch("*** Update File: f\n@@\n a\nfoo\n"), "line 5, Expected update hunk to start with"),
        (patch("*** Update File: f\n@@\n"), "does not contain any lines"),
        (patch("*** Update File: f\n@@\n*** End of File\n"), "does not contain any lines"),
        (patch("*** Update File: f\n@@ nope\n-a\n"), "Failed to find context 'nope' in /w/f"),
        (patch("*** Update File: f\n@@\n-b\n"), "Failed to find expected lines in /w/f:\nb"),
        (patch("*** Update File: g\n@@\n-b\n"), "Failed to read file to update /w/g: No such"),
        (patch("*** Delete File: g\n"), "Failed to read /w/g: No such file or directory"),
    ],
)
def test_a_patch_that_cannot_be_used_says_why(text, message):
    """Observed: the reference's words for each of these."""
    assert message in refusal(text, f="a\n")


def test_two_sections_of_one_file_become_one_edit():
    """Ours: the reference shows only the last section to the client."""
    body = "*** Update File: a\n@@\n-1\n+one\n*** Update File: a\n@@\n-2\n+two\n"
    assert planned(body, a="1\n2\n") == [Edit("/w/a", "update", "1\n2\n", "one\ntwo\n")]


def test_a_file_added_and_deleted_again_is_no_edit():
    """Ours."""
    assert planned("*** Add File: a\n+x\n*** Delete File: a\n") == []


def test_a_moved_file_can_be_changed_under_its_new_name():
    """Ours."""
    body = "*** Update File: a\n*** Move to: b\n@@\n 1\n*** Update File: b\n@@\n-1\n+2\n"
    assert planned(body, a="1\n", b="old\n") == [
        Edit("/w/a", "update", "1\n", "2\n", "/w/b", "old\n")
    ]


def test_adding_over_a_file_replaces_it():
    """Observed."""
    assert planned("*** Add File: a\n+x\n", a="old\n") == [Edit("/w/a", "add", "old\n", "x\n")]


def test_a_path_may_be_absolute_or_climb():
    """Ours: whether that is allowed is the policy's question."""
    edits = planned("*** Add File: ../o\n+x\n*** Add File: /abs/p\n+x\n")
    assert [edit.path for edit in edits] == ["/o", "/abs/p"]


def test_spaces_and_typographic_marks_are_forgiven_and_context_stays_the_files():
    """Ours: the reference writes the patch's version of the context lines."""
    assert updated("\ta  \n  b\n", "@@\n a\n-b\n+B\n") == "\ta  \nB\n"
    assert updated("say \u201chi\u201d \u2013 x\ny\n", '@@\n say "hi" - x\n-y\n+z\n') == (
        "say \u201chi\u201d \u2013 x\nz\n"
    )


def test_an_exact_place_further_down_wins_over_a_lenient_one():
    """Observed: each step of leniency searches the whole file."""
    assert updated("  x\nx\n", "@@\n-x\n+y\n") == "  x\ny\n"


def test_a_crlf_file_stays_one():
    """Ours: the reference mixes line endings."""
    assert updated("a\r\nb\r\n", "@@\n a\n-b\n+B\n+c\n") == "a\r\nB\r\nc\r\n"


def test_a_changed_file_ends_with_a_newline():
    """Observed."""
    assert updated("one\ntwo", "@@\n-two\n+TWO\n") == "one\nTWO\n"
    assert updated("one\ntwo", "@@\n-one\n") == "two\n"


def test_only_newlines_part_lines():
    """Ours: form feeds and their like stay inside a line."""
    assert updated("a\x0cb\u2028c\nd\n", "@@\n-d\n+e\n") == "a\x0cb\u2028c\ne\n"


def test_an_empty_file_takes_lines_and_a_file_may_lose_all_of_them():
    """Observed for the first."""
    assert updated("", "@@\n+hello\n") == "hello\n"
    assert updated("x\n", "@@\n-x\n") == ""


def test_anchors_choose_among_equal_lines():
    """Ours for several in a row; observed for one."""
    text = "def a:\n  x\n  pass\ndef b:\n  x\n  pass\n"
    assert updated(text, "@@ def b:\n-  pass\n+  go\n") == text[:-7] + "  go\n"
    assert updated(text, "@@ def b:\n@@   x\n-  pass\n+  go\n") == text[:-7] + "  go\n"


def test_new_lines_alone_go_behind_their_anchor_or_to_the_end():
    """Ours for the anchor: the reference puts them at the end of the file even so."""
    assert updated("a\nb\n", "@@ a\n+x\n") == "a\nx\nb\n"
    assert updated("a\nb\n", "@@\n+x\n") == "a\nb\nx\n"


def test_the_line_numbers_of_a_unified_diff_are_no_context():
    """Ours."""
    assert updated("a\nb\n", "@@ -1,2 +1,2 @@ def f\n a\n-b\n+c\n") == "a\nc\n"


def test_end_of_file_means_the_last_lines():
    """Observed."""
    assert updated("x\ny\nx\n", "@@\n-x\n+z\n*** End of File\n") == "x\ny\nz\n"
    body = patch("*** Update File: f\n@@\n-x\n+z\n*** End of File\n")
    assert "Failed to find expected lines" in refusal(body, f="x\ny\n")


def test_a_blank_last_line_may_stand_for_the_end_of_the_file():
    """Observed."""
    assert updated("x\n", "@@\n-x\n+z\n\n") == "z\n"


def test_a_missing_context_marker_and_blank_lines_between_chunks_are_forgiven():
    """Observed for the first chunk."""
    assert updated("a\nb\nc\n", "-a\n+A\n@@\n-c\n+C\n") == "A\nb\nC\n"


def test_several_chunks_go_down_the_file():
    """Observed: a later chunk is searched behind an earlier one."""
    assert updated("x\nx\n", "@@\n-x\n+1\n@@\n-x\n+2\n") == "1\n2\n"


def test_text_that_is_not_utf8_is_refused_with_a_way_out():
    """Ours: the reference refuses too, without the way out."""

    def read(path):
        return b"\xff".decode()

    for body in ("*** Update File: a\n@@\n-x\n", "*** Delete File: a\n", "*** Add File: a\n+x\n"):
        with pytest.raises(PatchError, match=r"not UTF-8 text .byte 0.; change it with a command"):
            plan(parse(patch(body)), "/w", read)
