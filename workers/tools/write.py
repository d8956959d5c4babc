"""Edits reach the disk all together or not at all.

Every new content is written beside its file first: that is where a disk runs full.  Then the
finished files are swapped in, and if one cannot be, those before it are swapped back.  A file whose
owner or hard links would be lost by a swap is written in place.
"""

import errno
import os
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from secrets import token_hex

from workers.tools.apply import Edit, os_error
from workers.tools.hunk import PatchError

MAX_FILE_BYTES = 64 << 20  # ours: a patch needs the whole file in memory, a few times over

Step = Callable[[], object]


def read_text(path: str) -> str | None:
    """A file's text, None when it does not exist.

    Raises OSError, also for what is no regular file (reading a FIFO would wait for ever) or is
    larger than MAX_FILE_BYTES, and UnicodeDecodeError.
    """
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        raise OSError(errno.EINVAL, "Not a regular file")
    if status.st_size > MAX_FILE_BYTES:
        raise OSError(errno.EFBIG, f"Larger than {MAX_FILE_BYTES >> 20} MiB")
    return Path(path).read_bytes().decode()


def write(edits: list[Edit]) -> None:
    """Raises PatchError, naming the file; then everything is as it was, or the text says so."""
    undo, spare, where = list[Step](), list[Path](), ""
    try:
        finished: list[Path | None] = []
        for edit in edits:
            where = edit.move_path or edit.path
            finished.append(_stage(edit, undo))
        for edit, new in zip(edits, finished, strict=True):
            where = edit.move_path or edit.path
            _settle(edit, new, undo, spare)
    except OSError as error:
        undone = [_succeeds(step) for step in reversed(undo)]
        state = "no file was changed" if all(undone) else "not all could be taken back"
        raise PatchError(f"Failed to write file {where}: {os_error(error)}; {state}") from None
    finally:
        for path in spare:
            _succeeds(path.unlink)


def _succeeds(step: Step) -> bool:
    try:
        step()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _place(edit: Edit) -> Path:
    """Where the new content goes: through a link, not instead of it."""
    return Path(os.path.realpath(edit.move_path or edit.path))


def _stage(edit: Edit, undo: list[Step]) -> Path | None:
    """Write the new content beside its place; None if that place must be written itself."""
    if edit.new is None:
        return None
    place = _place(edit)
    _make_folder(place.parent, undo)
    if place.is_dir():
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    if place.exists():
        if not os.access(place, os.W_OK):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        if not _swappable(place):
            return None
    model = place if place.exists() else Path(edit.path)
    return _write_beside(place, edit.new, model, undo)


def _make_folder(folder: Path, undo: list[Step]) -> None:
    if folder.is_dir():
        return
    if folder.parent != folder:
        _make_folder(folder.parent, undo)
    folder.mkdir()
    undo.append(folder.rmdir)


def _swappable(path: Path) -> bool:
    status, me = path.stat(), os.geteuid()
    alone = status.st_nlink == 1 and me in (0, status.st_uid)
    return alone and os.access(path.parent, os.W_OK)


def _write_beside(place: Path, content: str, model: Path, undo: list[Step]) -> Path:
    """`model` is the file whose mode and owner the new one takes, if it exists."""
    new = _sibling(place)
    with new.open("xb") as file:
        undo.append(new.unlink)
        file.write(content.encode())
    with suppress(FileNotFoundError):
        status = model.stat()
        with suppress(PermissionError):
            os.chown(new, status.st_uid, status.st_gid)
        new.chmod(stat.S_IMODE(status.st_mode))
    return new


def _sibling(path: Path) -> Path:
    return path.with_name(f".{path.name[:50]}.{token_hex(4)}")


def _settle(edit: Edit, new: Path | None, undo: list[Step], spare: list[Path]) -> None:
    if edit.new is not None:
        place = _place(edit)
        if place.exists():
            _keep(place, undo, spare)
        else:
            undo.append(place.unlink)
        if new is None:
            place.write_bytes(edit.new.encode())
        else:
            new.replace(place)
    if edit.new is None or edit.move_path is not None:
        old = Path(edit.path)
        kept = _sibling(old)
        old.rename(kept)
        undo.append(partial(kept.rename, old))
        spare.append(kept)


def _keep(place: Path, undo: list[Step], spare: list[Path]) -> None:
    """Remember what is about to be replaced."""
    if not _swappable(place):
        undo.append(partial(place.write_bytes, place.read_bytes()))
        return
    kept = _sibling(place)
    spare.append(kept)
    try:
        kept.hardlink_to(place)
    except OSError:  # a file system without hard links
        shutil.copy2(place, kept)
    undo.append(partial(kept.replace, place))
