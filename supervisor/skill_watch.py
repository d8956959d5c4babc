"""Tells clients when the skills of loaded threads have changed, by Linux's own notice of it.

What is watched are the folders where skills are or may come to be; where one is missing, the
nearest that is there, for the name that leads on.  Without loaded threads nothing is.
"""

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from protocol.methods import SKILLS_CHANGED
from protocol.skill import SkillsChangedNotification
from supervisor.inotify import Inotify
from supervisor.skills import roots

if TYPE_CHECKING:
    from supervisor.host import Host

PAUSE_SECONDS = 10.0  # between two notices, the reference server's; a checkout changes hundreds
SETTLE_SECONDS = 0.3  # before the first: a skill is a folder and then a file in it
FOLDERS = 4096  # that are watched; more are another server's trees that somebody has linked
DEPTH = 3  # of folders below a root

log = logging.getLogger("atrio.skills")

Eyes = dict[int, set[bytes] | None]
"""By inotify's number: the names that matter there, None for all."""


class SkillWatch:
    """`nursery` runs one task while threads are loaded."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.host: Host  # set by the server
        self._nursery = nursery
        self._wanted = trio.Event()
        self._is_up = False

    def look(self) -> None:
        """A thread has come or gone."""
        self._wanted.set()
        if not self._is_up:
            self._is_up = True
            self._nursery.start_soon(self._run)

    async def _run(self) -> None:
        try:
            inotify = Inotify()
        except OSError as error:
            log.warning("changes of skills are not told: %s", error)
            return
        try:
            while cwds := {thread.spec.settings.cwd for thread in self.host.threads}:
                self._wanted = trio.Event()
                eyes = await trio.to_thread.run_sync(_eyes, inotify, self.host.home, cwds)
                if await self._changed(inotify, eyes):
                    await trio.sleep(SETTLE_SECONDS)
                    inotify.read()
                    told = SKILLS_CHANGED.encode(SkillsChangedNotification())
                    self.host.tell_all(SKILLS_CHANGED.name, told)
                    await trio.sleep(PAUSE_SECONDS)
        finally:
            inotify.close()
            self._is_up = False

    async def _changed(self, inotify: Inotify, eyes: Eyes) -> bool:
        """True for a change of skills, False when other threads are loaded now."""
        changed = False

        async def watch(scope: trio.CancelScope) -> None:
            nonlocal changed
            while not changed:
                await trio.lowlevel.wait_readable(inotify.descriptor)
                changed = any(_matters(eyes, c.watch, c.name) for c in inotify.read())
            scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch, nursery.cancel_scope)
            await self._wanted.wait()
            nursery.cancel_scope.cancel()
        return changed


def _matters(eyes: Eyes, watch: int, name: bytes) -> bool:
    names = eyes.get(watch, set())
    return names is None or name in names


def _eyes(inotify: Inotify, home: Path, cwds: Iterable[str]) -> Eyes:
    """Blocks.  What is watched twice is watched once: inotify knows."""
    eyes: Eyes = {}
    for cwd in cwds:
        for _, root in roots(home, cwd):
            folder, name = root, root.name
            while not folder.is_dir() and folder != folder.parent:
                folder, name = folder.parent, folder.name
            if folder == root:
                for below in _below(root):
                    _add(inotify, eyes, below, None)
            else:
                _add(inotify, eyes, folder, name.encode())
    return eyes


def _add(inotify: Inotify, eyes: Eyes, folder: Path, name: bytes | None) -> None:
    if len(eyes) >= FOLDERS:
        return
    try:
        watch = inotify.add(os.fsencode(folder))
    except OSError:
        return  # it went, or may not be read, and then it holds no skill for us either
    known = eyes.get(watch, set())
    eyes[watch] = None if name is None or known is None else known | {name}


def _below(root: Path, depth: int = DEPTH) -> list[Path]:
    found = [root]
    if depth:
        try:
            entries = [entry for entry in os.scandir(root) if entry.is_dir()]
        except OSError:
            return found
        for entry in entries[:FOLDERS]:
            found += _below(Path(entry.path), depth - 1)
    return found[:FOLDERS]
