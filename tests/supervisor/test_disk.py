"""Files on disk: what is read, listed and removed, and what must not be waited for."""

import errno
import os
import stat

import pytest

from protocol.errors import RpcError
from supervisor import disk


def test_a_fifo_is_refused_and_not_waited_for(tmp_path):
    """Ours: the reference server's read never ends."""
    os.mkfifo(tmp_path / "fifo")

    with pytest.raises(RpcError, match="only supports regular files"):
        disk.read(bytes(tmp_path / "fifo"), 10)


def test_a_device_is_refused():
    """Ours: it may have no end."""
    with pytest.raises(RpcError, match="only supports regular files"):
        disk.read(b"/dev/zero", 10)


@pytest.mark.parametrize(("size", "is_read"), [(9, True), (10, True), (11, False)])
def test_a_file_is_read_up_to_a_limit(tmp_path, size, is_read):
    """Ours."""
    (tmp_path / "f").write_bytes(b"x" * size)

    assert (disk.read(bytes(tmp_path / "f"), 10) is not None) == is_read


def test_a_file_that_does_not_know_its_size_is_read():
    """Observed: files of /proc say 0."""
    assert b"Pid:" in (disk.read(b"/proc/self/status", 1 << 20) or b"")


def test_errors_of_the_system_have_the_words_of_the_reference():
    """Observed: it is linked with musl, which calls some by other names."""
    assert disk.failure(OSError(errno.ENOENT, "")).message == (
        "No such file or directory (os error 2)"
    )
    assert disk.failure(OSError(errno.ELOOP, "")).message == "Symbolic link loop (os error 40)"
    assert disk.failure(OSError(errno.ENAMETOOLONG, "")).message == (
        "Filename too long (os error 36)"
    )


def test_names_that_are_no_text_are_listed_as_far_as_they_are(tmp_path):
    """Observed."""
    (tmp_path / os.fsdecode(b"a\xff")).touch()

    [entry] = disk.entries(bytes(tmp_path), 1000)

    assert entry.file_name == "a\ufffd"


def test_a_folder_with_more_entries_than_fit_is_refused(tmp_path):
    """Ours: a message is bounded."""
    for n in range(20):
        (tmp_path / str(n)).touch()

    with pytest.raises(RpcError, match="too many entries"):
        disk.entries(bytes(tmp_path), 1000)


def test_removing_a_folder_leaves_what_its_links_lead_to(tmp_path):
    """Observed."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "f").touch()
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "link").symlink_to(tmp_path / "kept")

    disk.remove(bytes(tmp_path / "d"), recursive=True, force=False)

    assert not (tmp_path / "d").exists()
    assert (tmp_path / "kept" / "f").exists()


def test_metadata_follows_links_and_says_so(tmp_path):
    """Observed: the time of birth is not known."""
    (tmp_path / "d").mkdir()
    (tmp_path / "ln").symlink_to("d")
    os.utime(tmp_path / "d", ns=(0, 1_234_567_890))

    found = disk.metadata(bytes(tmp_path / "ln"))

    assert (found.is_directory, found.is_file, found.is_symlink) == (True, False, True)
    assert (found.created_at_ms, found.modified_at_ms) == (0, 1234)
    assert stat.S_ISDIR((tmp_path / "d").stat().st_mode)
