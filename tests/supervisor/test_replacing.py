"""New contents take a file's place whole, and copies do no harm."""

import os
import stat

import pytest

from protocol.errors import RpcError
from supervisor import replacing


def write(path, data=b"new"):
    replacing.write(bytes(path), data)


def copy(source, destination, *, recursive=False, check=lambda: None):
    replacing.copy(bytes(source), bytes(destination), recursive, check)


def names(folder):
    return [path.name for path in folder.iterdir()]


class Full(Exception):
    pass


def test_a_write_that_fails_leaves_the_old_contents(tmp_path):
    """Ours: the reference server empties the file first."""
    (tmp_path / "f").write_text("old")

    def fill(descriptor):
        os.write(descriptor, b"half")
        raise Full

    with pytest.raises(Full):
        replacing.put(bytes(tmp_path / "f"), fill, "fs/writeFile")

    assert (tmp_path / "f").read_text() == "old"
    assert names(tmp_path) == ["f"]


def test_a_write_keeps_the_mode_and_goes_through_links(tmp_path):
    """Observed."""
    (tmp_path / "f").write_text("old")
    (tmp_path / "f").chmod(0o751)
    (tmp_path / "ln").symlink_to("f")

    write(tmp_path / "ln")

    assert (tmp_path / "ln").is_symlink()
    assert (tmp_path / "f").read_text() == "new"
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o751


def test_a_link_that_leads_nowhere_yet_is_written_through(tmp_path):
    """Observed."""
    (tmp_path / "ln").symlink_to("gone")

    write(tmp_path / "ln")

    assert (tmp_path / "gone").read_text() == "new"


def test_a_new_file_has_the_mode_of_new_files(tmp_path):
    """Observed."""
    write(tmp_path / "f")
    (tmp_path / "g").touch()

    assert (tmp_path / "f").stat().st_mode == (tmp_path / "g").stat().st_mode


def test_a_file_with_two_names_keeps_both(tmp_path):
    """Observed: so it is written over in place."""
    (tmp_path / "f").write_text("old and longer")
    os.link(tmp_path / "f", tmp_path / "g")

    write(tmp_path / "f")

    assert (tmp_path / "g").read_text() == "new"


def test_a_file_of_somebody_else_stays_theirs(tmp_path):
    """Observed."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    (tmp_path / "f").write_text("old")
    os.chown(tmp_path / "f", 12345, 12345)

    write(tmp_path / "f")

    assert (tmp_path / "f").read_text() == "new"
    assert (tmp_path / "f").stat().st_uid == 12345


def test_a_fifo_is_not_written_to(tmp_path):
    """Ours: it would wait for a reader."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "f").touch()

    with pytest.raises(RpcError, match="only supports regular files"):
        write(tmp_path / "fifo")
    with pytest.raises(RpcError, match="only supports regular files"):
        copy(tmp_path / "f", tmp_path / "fifo")


@pytest.mark.parametrize("name", ["f", "link", "hard"])
def test_a_file_copied_onto_itself_is_as_before(tmp_path, name):
    """Ours: the reference server empties it."""
    (tmp_path / "f").write_text("kept")
    (tmp_path / "link").symlink_to("f")
    os.link(tmp_path / "f", tmp_path / "hard")

    copy(tmp_path / "f", tmp_path / name)

    assert (tmp_path / "f").read_text() == "kept"


def test_a_folder_that_cannot_be_copied_leaves_nothing_half_done(tmp_path):
    """Ours: the reference server stops where it is."""
    (tmp_path / "d").mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / "d" / name).write_text(name)
    (tmp_path / "d" / "ln").symlink_to("a")
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "ln").touch()

    with pytest.raises(FileExistsError):
        copy(tmp_path / "d", tmp_path / "e", recursive=True)

    assert names(tmp_path / "e") == ["ln"]


def test_fifos_are_left_out_of_a_folder(tmp_path):
    """Observed."""
    (tmp_path / "d" / "sub").mkdir(parents=True)
    (tmp_path / "d" / "sub" / "f").write_text("x")
    os.mkfifo(tmp_path / "d" / "fifo")

    copy(tmp_path / "d", tmp_path / "new" / "e", recursive=True)

    assert (tmp_path / "new" / "e" / "sub" / "f").read_text() == "x"
    assert names(tmp_path / "new" / "e") == ["sub"]


def test_a_folder_is_not_copied_into_itself_by_another_name(tmp_path):
    """Observed."""
    (tmp_path / "d").mkdir()
    (tmp_path / "ln").symlink_to("d")

    with pytest.raises(RpcError, match="itself or one of its descendants"):
        copy(tmp_path / "d", tmp_path / "ln" / "e", recursive=True)


def test_a_copy_that_is_called_off_leaves_no_unfinished_file(tmp_path):
    """Ours: the server may end meanwhile."""
    (tmp_path / "f").write_text("x")

    def check():
        raise Full

    with pytest.raises(Full):
        copy(tmp_path / "f", tmp_path / "g", check=check)

    assert names(tmp_path) == ["f"]
