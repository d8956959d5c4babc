"""Diffs: right, short, bounded; and the turn's diff as git would print it."""

import subprocess

from hypothesis import given
from hypothesis import strategies as st

from workers.tools import diff
from workers.tools.apply import Edit
from workers.tools.diff import TurnDiff, unified

LINES = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "\n", "d\r\n"]), max_size=12)


def patched(old, hunks):
    """Apply hunks the way a reader would, by line numbers."""
    out, at, last, lines = [], 0, "", old.split("\n")
    lines = [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    for line in hunks.split("\n")[:-1]:
        if line.startswith("@@"):
            start = line.split()[1][1:].split(",")
            first = int(start[0]) - (start[1:] != ["0"])
            out, at = out + lines[at:first], first
        elif line.startswith("\\"):
            if last == "+":
                out[-1] = out[-1][:-1]
        else:
            last = line[0]
            if last == "+":
                out.append(line[1:] + "\n")
            else:
                assert lines[at].rstrip("\n") == line[1:]
                out += [lines[at]] if last == " " else []
                at += 1
    return "".join(out + lines[at:])


@given(LINES, LINES, st.sampled_from(["", "end"]), st.sampled_from(["", "end"]))
def test_a_diff_turns_old_into_new(old, new, old_end, new_end):
    """Ours."""
    old, new = "".join(old) + old_end, "".join(new) + new_end
    for context in (0, 1, 3):
        hunks = unified(old, new, context)
        assert patched(old, hunks) == new
        assert (hunks == "") == (old == new)


@given(LINES, LINES)
def test_no_diff_is_shorter(old, new):
    """Ours: Myers' promise, checked against the longest common subsequence."""
    row = [0] * (len(new) + 1)
    for x in old:
        last, row = row, [0]
        for j, y in enumerate(new):
            row.append(last[j] + 1 if x == y else max(last[j + 1], row[j]))
    shown = unified("".join(old), "".join(new), 0).split("\n")
    changed = sum(line[:1] in ("+", "-") and bool(line) for line in shown)
    assert changed == len(old) + len(new) - 2 * row[-1]


def test_a_hunk_reads_like_the_references():
    """Observed: one line of context in items; a missing last newline is said."""
    assert unified("one\ntwo\nthree\nfour\n", "ONE\ntwo\nthree\nfour\n") == (
        "@@ -1,2 +1,2 @@\n-one\n+ONE\n two\n"
    )
    assert unified("one\ntwo", "one\nTWO\n") == (
        "@@ -1,2 +1,2 @@\n one\n-two\n\\ No newline at end of file\n+TWO\n"
    )
    assert unified("", "hello\n") == "@@ -0,0 +1 @@\n+hello\n"


def test_an_added_block_is_shown_as_git_shows_it():
    """Ours: slid down as far as it goes."""
    assert unified("f\n}\n", "f\n}\ng\n}\n", 0) == "@@ -2,0 +3,2 @@\n+g\n+}\n"


def test_hopeless_cases_end_soon_in_one_replacement(monkeypatch):
    """Ours: the bound is on the work, so it is shown with a small one."""
    monkeypatch.setattr(diff, "MAX_DISTANCE", 10)
    old = "".join(f"{n}\n" for n in range(50))
    new = "".join(f"{n}\n" for n in range(50, 0, -1))
    hunks = unified(old, new, 0)
    assert hunks.count("@@ -") == 1
    assert patched(old, hunks) == new
    monkeypatch.setattr(diff, "MAX_STEPS", 5)
    old, new = "a\n" * 90 + "x\n" + "a\n" * 90, "b\n" + "a\n" * 180 + "b\n"
    assert patched(old, unified(old, new)) == new


def turn_diff(*edits, cwd="/w"):
    turn = TurnDiff(cwd)
    turn.note(list(edits))
    return turn.text()


def test_the_turns_diff_has_gits_headers_sorted_by_path():
    """Observed: the reference's answer to a patch of three files."""
    assert turn_diff(
        Edit("/w/x/y.txt", "add", None, "deep\n"),
        Edit("/w/a.txt", "update", "one\ntwo\nthree\n", "ONE\ntwo\nthree\n"),
        Edit("/w/gone.txt", "delete", "bye\n", None),
    ) == (
        "diff --git a/a.txt b/a.txt\n"
        "index 4cb29ea38f70d7c61b2a3a25b02e3bdf44905402..59cb04ec4650390a3e0e5eb12eb2fd8f09f2d534\n"
        "--- a/a.txt\n+++ b/a.txt\n@@ -1,3 +1,3 @@\n-one\n+ONE\n two\n three\n"
        "diff --git a/gone.txt b/gone.txt\ndeleted file mode 100644\n"
        "index b023018cabc396e7692c70bbf5784a93d3f738ab..0000000000000000000000000000000000000000\n"
        "--- a/gone.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-bye\n"
        "diff --git a/x/y.txt b/x/y.txt\nnew file mode 100644\n"
        "index 0000000000000000000000000000000000000000..4cdb2265d30204be5463b38174b2e8e717982405\n"
        "--- /dev/null\n+++ b/x/y.txt\n@@ -0,0 +1 @@\n+deep\n"
    )


def test_a_moved_file_is_one_entry():
    """Observed."""
    text = turn_diff(Edit("/w/a", "update", "1\n", "2\n", "/w/sub/b"))
    assert text.startswith(
        "diff --git a/a b/sub/b\nindex d00491fd7e5bb6fa28c517a0bb32b8b506539d4d.."
    )
    assert text.endswith("--- a/a\n+++ b/sub/b\n@@ -1 +1 @@\n-1\n+2\n")


def test_a_file_that_only_moved_is_shown_as_renamed():
    """Ours: the reference shows nothing."""
    assert turn_diff(Edit("/w/a", "update", "1\n", "1\n", "/w/b")) == (
        "diff --git a/a b/b\nsimilarity index 100%\nrename from a\nrename to b\n"
    )


def test_a_move_onto_another_file_is_a_deletion_and_a_change():
    """Observed."""
    text = turn_diff(Edit("/w/a", "update", "1\n", "2\n", "/w/c", "c\n"))
    assert "--- a/a\n+++ /dev/null\n" in text
    assert "--- a/c\n+++ b/c\n@@ -1 +1 @@\n-c\n+2\n" in text


def test_patches_that_cancel_each_other_leave_an_empty_diff():
    """Observed."""
    turn = TurnDiff("/w")
    assert not turn.changed
    turn.note([Edit("/w/t", "add", None, "x\n")])
    turn.note([Edit("/w/t", "delete", "x\n", None)])
    assert (turn.changed, turn.text()) == (True, "")


def test_later_patches_are_shown_against_the_start_of_the_turn():
    """Observed."""
    turn = TurnDiff("/w")
    turn.note([Edit("/w/a", "update", "1\n", "2\n", "/w/b")])
    turn.note([Edit("/w/b", "update", "2\n", "3\n")])
    assert turn.text().endswith("--- a/a\n+++ b/b\n@@ -1 +1 @@\n-1\n+3\n")


def test_paths_start_at_the_repository_or_are_absolute_outside(tmp_path):
    """Observed."""
    (tmp_path / "repo/.git").mkdir(parents=True)
    edits = [Edit(f"{tmp_path}/{name}", "add", None, "x\n") for name in ("repo/sub/a", "out")]
    text = turn_diff(*edits, cwd=f"{tmp_path}/repo/sub")
    assert "+++ b/sub/a\n" in text
    assert f"+++ b/{tmp_path}/out\n" in text


def test_git_accepts_the_turns_diff(tmp_path):
    """Ours."""
    (tmp_path / "a").write_text("1\n2\n3\n")
    (tmp_path / "gone").write_text("bye")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    at = f"{tmp_path}/"
    text = turn_diff(
        Edit(at + "a", "update", "1\n2\n3\n", "1\n2\n3"),
        Edit(at + "gone", "delete", "bye", None),
        Edit(at + "d/empty", "add", None, ""),
        Edit(at + "d/new", "add", None, "x\n"),
        cwd=str(tmp_path),
    )
    subprocess.run(["git", "apply"], input=text.encode(), cwd=tmp_path, check=True)
    assert (tmp_path / "a").read_text() == "1\n2\n3"
    assert (tmp_path / "d/empty").read_text() == ""
    assert not (tmp_path / "gone").exists()
