"""All edits or none, on a real disk."""

import os

import pytest

from workers.tools.apply import Edit
from workers.tools.hunk import PatchError
from workers.tools.write import read_text, write


def test_edits_add_change_move_and_delete(tmp_path):
    """Observed."""
    (tmp_path / "a").write_text("1")
    (tmp_path / "gone").write_text("2")
    (tmp_path / "m").write_text("3")
    at = f"{tmp_path}/"
    write(
        [
            Edit(at + "deep/er/new", "add", None, "n"),
            Edit(at + "a", "update", "1", "one"),
            Edit(at + "gone", "delete", "2", None),
            Edit(at + "m", "update", "3", "three", at + "n/m"),
        ]
    )
    found = {
        str(p.relative_to(tmp_path)): p.read_text() for p in tmp_path.rglob("*") if p.is_file()
    }
    assert found == {"deep/er/new": "n", "a": "one", "n/m": "three"}


def test_a_file_keeps_its_mode_also_when_it_moves(tmp_path):
    """Ours: the reference gives a moved file the default mode."""
    for name in ("a", "m"):
        (tmp_path / name).write_text("x")
        (tmp_path / name).chmod(0o751)
    at = f"{tmp_path}/"
    write([Edit(at + "a", "update", "x", "y"), Edit(at + "m", "update", "x", "y", at + "n")])
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("a", "n")] == [0o751, 0o751]


def test_a_link_is_written_through_and_deleted_itself(tmp_path):
    """Observed."""
    (tmp_path / "real").write_text("x")
    for name in ("one", "two"):
        (tmp_path / name).symlink_to("real")
    at = f"{tmp_path}/"
    write([Edit(at + "one", "update", "x", "y"), Edit(at + "two", "delete", "x", None)])
    assert (tmp_path / "one").is_symlink()
    assert (tmp_path / "real").read_text() == "y"
    assert not os.path.lexists(tmp_path / "two")


def test_hard_links_stay_together(tmp_path):
    """Ours."""
    (tmp_path / "a").write_text("x")
    os.link(tmp_path / "a", tmp_path / "b")
    write([Edit(f"{tmp_path}/a", "update", "x", "y")])
    assert (tmp_path / "b").read_text() == "y"


@pytest.mark.parametrize("bad", ["file/x", "folder"])
def test_when_one_file_cannot_be_written_nothing_changes(tmp_path, bad):
    """Ours: the reference leaves the earlier files changed."""
    (tmp_path / "a").write_text("1")
    (tmp_path / "file").write_text("f")
    (tmp_path / "folder").mkdir()
    at = f"{tmp_path}/"
    edits = [
        Edit(at + "a", "update", "1", "one"),
        Edit(at + "new/n", "add", None, "n"),
        Edit(at + bad, "add", None, "x"),
    ]
    with pytest.raises(PatchError, match=f"Failed to write file .*/{bad}: .*; no file was changed"):
        write(edits)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a", "file", "folder"]
    assert (tmp_path / "a").read_text() == "1"


def test_what_was_swapped_in_is_swapped_back_when_a_later_file_fails(tmp_path):
    """Ours: a file that vanished since it was checked."""
    for name in ("a", "linked", "d", "m"):
        (tmp_path / name).write_text("1")
    os.link(tmp_path / "linked", tmp_path / "twin")
    before = {p.name: p.read_text() for p in tmp_path.iterdir()}
    at = f"{tmp_path}/"
    edits = [
        Edit(at + "a", "update", "1", "one"),
        Edit(at + "linked", "update", "1", "one"),
        Edit(at + "new", "add", None, "n"),
        Edit(at + "d", "delete", "1", None),
        Edit(at + "m", "update", "1", "one", at + "x/n"),
        Edit(at + "vanished", "delete", "1", None),
    ]
    with pytest.raises(PatchError, match=r"vanished: No such file .*; no file was changed"):
        write(edits)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == before


def test_a_full_disk_changes_nothing(tmp_path, monkeypatch):
    """Ours."""
    import errno
    import io
    from pathlib import Path

    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    def open_full(path, *rest):
        path.touch()
        return Full()

    (tmp_path / "a").write_text("1")
    monkeypatch.setattr(Path, "open", open_full)
    with pytest.raises(PatchError, match=r"No space left on device .*; no file was changed"):
        write(
            [Edit(f"{tmp_path}/a", "update", "1", "2"), Edit(f"{tmp_path}/n/b", "add", None, "2")]
        )
    monkeypatch.undo()
    assert [p.name for p in tmp_path.rglob("*")] == ["a"]
    assert (tmp_path / "a").read_text() == "1"


def test_only_regular_files_of_a_bounded_size_are_read(tmp_path, monkeypatch):
    """Ours: reading a FIFO would wait for ever."""
    monkeypatch.setattr("workers.tools.write.MAX_FILE_BYTES", 3)
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "big").write_text("four")
    assert read_text(f"{tmp_path}/none") is None
    for name in ("fifo", "big", ""):
        with pytest.raises(OSError):
            read_text(f"{tmp_path}/{name}")
