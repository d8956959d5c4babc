"""All that is below some folders, but for what is to be ignored.  It blocks: for a thread.

Hidden files are shown and links followed, as the reference server does; a link to a folder that it
lies in is not.
"""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from protocol.seldom import Root
from workers.ignore import Ignore, above

BATCH = 2000  # paths, between two looks at whether they are still wanted

Take = Callable[[list[str], list[int]], bool]


@dataclass(frozen=True, slots=True)
class Folder:
    """`path` is where it is, `name` the same from the root of the search, with a slash behind."""

    path: str
    name: str
    ignore: Ignore


def walk(roots: list[Root], take: Take) -> None:
    """Hand over what is found, as paths and kinds, until `take` wants no more.

    A root within another one is looked through once, as itself.
    """
    places = {os.path.normpath(root.path): n for n, root in reversed([*enumerate(roots)])}
    paths: list[str] = []
    kinds: list[int] = []
    for place, n in places.items():
        for path, is_folder in _below(place, places):
            paths.append(path)
            kinds.append(2 * n + is_folder)
            if len(paths) >= BATCH:
                if not take(paths, kinds):
                    return
                paths, kinds = [], []
    take(paths, kinds)


def _below(root: str, roots: dict[str, int]) -> Iterator[tuple[str, bool]]:
    waiting = [Folder(root, "", above(root))]
    while waiting:
        folder = waiting.pop()
        entries = _entries(folder.path)
        ignore = _ignore_in(folder, entries)
        for entry in entries:
            name, kind = entry.name, _kind(entry)
            if kind is None or not (name.isascii() or _is_text(name)):
                continue
            path = folder.name + name
            mark = "/" if kind else ""
            if (ignore.plain or ignore.git) and ignore.leaves_out(path + mark, name + mark):
                continue
            yield path, kind
            if kind and entry.path not in roots:
                waiting.append(Folder(entry.path, path + "/", ignore))


def _ignore_in(folder: Folder, entries: list[os.DirEntry[str]]) -> Ignore:
    names = [entry.name for entry in entries if entry.name in {".git", ".ignore", ".gitignore"}]
    if not names:
        return folder.ignore
    return folder.ignore.within(folder.path, names, skip=len(folder.name))


def _entries(path: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as found:
            return list(found)
    except OSError:  # gone, or not ours to read
        return []


def _kind(entry: os.DirEntry[str]) -> bool | None:
    """Whether it is a folder; None for a link that leads nowhere, or back up."""
    try:
        if not entry.is_symlink():
            return entry.is_dir()
        found = entry.stat()
    except OSError:
        return None
    if not stat.S_ISDIR(found.st_mode):
        return False
    return None if _leads_up(os.path.dirname(entry.path), found) else True


def _leads_up(folder: str, target: os.stat_result) -> bool:
    while True:
        try:
            if os.path.samestat(os.stat(folder), target):
                return True
        except OSError:
            return True
        parent = os.path.dirname(folder)
        if parent == folder:
            return False
        folder = parent


def _is_text(name: str) -> bool:
    """What is no UTF-8 cannot be said in JSON."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
