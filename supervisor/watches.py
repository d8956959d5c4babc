"""Who wants to hear of changes to which path: per connection, under ids that clients choose.

A path is watched at two places: itself, through links, and in the folder that holds it, where it
may be replaced, or made for the first time.  While that folder is missing, the nearest one that is
there is watched instead.  So a watch outlives whatever happens to what it watches.
"""

import errno
import logging
import os
from contextlib import suppress
from dataclasses import dataclass, field

import trio

from protocol.errors import INTERNAL_ERROR, RpcError, invalid
from protocol.fs import FsChangedNotification
from protocol.methods import FS_CHANGED
from supervisor.connection import Connection
from supervisor.inotify import (
    CREATE,
    DELETE,
    DELETE_SELF,
    IGNORED,
    MOVE_SELF,
    MOVED_FROM,
    MOVED_TO,
    OVERFLOW,
    Change,
    Inotify,
)
from supervisor.replacing import UNFINISHED

WATCHES = 1024  # of one client, at the same time
DEBOUNCE_SECONDS = 0.2  # as in the reference server
NAMED = 4096  # changes told by name at once; beyond that the watched path stands for all
ROOM_BYTES = 1 << 20  # in a client's outbox; a client that is behind is told later, and shorter

LOOKS = 3  # at a path whose folders are being made
MOVES = CREATE | DELETE | MOVED_FROM | MOVED_TO
LOST = DELETE_SELF | MOVE_SELF | IGNORED

log = logging.getLogger("atrio.watches")


@dataclass(slots=True)
class Sight:
    """Where a path is looked for: inotify's numbers, each with the name that matters there.

    None is any name, and the path itself.  `near` is whether the folder that holds it is there.
    """

    eyes: dict[int, bytes | None] = field(default_factory=dict[int, bytes | None])
    near: bool = False
    there: bool = False


@dataclass(eq=False)
class Watch:
    client: Connection
    id: str
    path: bytes
    sight: Sight = field(default_factory=Sight)
    ended: bool = False
    changed: set[bytes] = field(default_factory=set[bytes])


class Watches:
    """`nursery` runs one task that reads, and one for each watch that has something to tell."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._inotify: Inotify | None = None
        self._watches: dict[tuple[Connection, str], Watch] = {}
        self._seen_by: dict[int, set[Watch]] = {}
        self._turn = trio.Lock()  # looking at a disk may take long; nothing may be read meanwhile

    async def begin(self, client: Connection, id: str, path: bytes) -> None:
        """Raises RpcError when the id is taken, or there are too many."""
        if (client, id) in self._watches:
            raise invalid(f"watchId already exists: {id}")
        if sum(watch.client is client for watch in self._watches.values()) >= WATCHES:
            raise invalid(f"this connection has {WATCHES} watches already; unwatch some first")
        watch = Watch(client, id, path)
        if client.outbox.closed:  # it left before this was begun
            return
        self._watches[client, id] = watch
        try:
            async with self._turn:
                await self._look(watch)
        except OSError as error:
            self.end(client, id)
            raise _unwatchable(error) from None

    def end(self, client: Connection, id: str) -> None:
        if watch := self._watches.pop((client, id), None):
            watch.ended = True
            self._see(watch, Sight())

    def left(self, client: Connection) -> None:
        for whose, id in list(self._watches):
            if whose is client:
                self.end(client, id)

    # ---- where to look

    async def _look(self, watch: Watch) -> bool:
        """Look at what is there now.  Returns whether the path itself has come or gone."""
        was = watch.sight.there
        sight = await trio.to_thread.run_sync(_sight, self._inotify or self._open(), watch.path)
        self._see(watch, Sight() if watch.ended else sight)  # its client may have gone meanwhile
        return was != sight.there

    def _open(self) -> Inotify:
        self._inotify = Inotify()
        self._nursery.start_soon(self._read, self._inotify)
        return self._inotify

    def _see(self, watch: Watch, sight: Sight) -> None:
        before, watch.sight = watch.sight, sight
        for eye in sight.eyes:
            self._seen_by.setdefault(eye, set()).add(watch)
        for eye in before.eyes.keys() - sight.eyes.keys():
            watchers = self._seen_by.get(eye, set())
            watchers.discard(watch)
            if not watchers and self._inotify is not None:
                self._seen_by.pop(eye, None)
                self._inotify.remove(eye)

    # ---- what is seen

    async def _read(self, inotify: Inotify) -> None:
        try:
            while True:
                await trio.lowlevel.wait_readable(inotify.descriptor)
                async with self._turn:
                    for change in inotify.read():
                        await self._notice(change)
        finally:
            self._inotify = None
            inotify.close()

    async def _notice(self, change: Change) -> None:
        if change.mask & OVERFLOW:
            log.warning("more has changed than the system could tell; every watch is told so")
            for watch in list(self._watches.values()):
                self._tell(watch, watch.path)
            return
        for watch in list(self._seen_by.get(change.watch, ())):
            await self._notice_for(watch, change)
        if change.mask & IGNORED:
            self._seen_by.pop(change.watch, None)

    async def _notice_for(self, watch: Watch, change: Change) -> None:
        if change.name.startswith(UNFINISHED):
            return
        wanted, is_near = watch.sight.eyes.get(change.watch), watch.sight.near
        if wanted is None and not change.mask & IGNORED:
            name = change.name
            self._tell(watch, os.path.join(watch.path, name) if name else watch.path)
        elif change.name == wanted:
            moved = change.mask & MOVES and await self._try_look(watch)
            if moved or is_near:
                self._tell(watch, watch.path)
        if not change.name and change.mask & LOST:
            watch.sight.eyes.pop(change.watch, None)
            if await self._try_look(watch):
                self._tell(watch, watch.path)

    async def _try_look(self, watch: Watch) -> bool:
        try:
            return await self._look(watch)
        except OSError as error:
            log.warning("lost sight of %r: %s", watch.path, error)
            return False

    # ---- what is told

    def _tell(self, watch: Watch, path: bytes) -> None:
        if watch.ended:
            return
        if not watch.changed:
            self._nursery.start_soon(self._tell_soon, watch)
        if len(watch.changed) >= NAMED:
            watch.changed = {watch.path}
        watch.changed.add(path)

    async def _tell_soon(self, watch: Watch) -> None:
        await trio.sleep(DEBOUNCE_SECONDS)
        await watch.client.outbox.wait_room(ROOM_BYTES)
        paths, watch.changed = sorted(watch.changed), set()
        if not watch.ended:
            told = FsChangedNotification(
                watch_id=watch.id, changed_paths=[path.decode(errors="replace") for path in paths]
            )
            watch.client.tell(FS_CHANGED.name, FS_CHANGED.encode(told))


def _sight(inotify: Inotify, path: bytes) -> Sight:
    """Blocks."""
    sight = Sight()
    for _ in range(LOOKS):
        folder, name = _nearest(inotify, path, sight)
        sight.near = folder == os.path.dirname(path)
        if sight.near or not os.path.lexists(os.path.join(folder, name)):
            break  # else it was made between two looks
    sight.there = os.path.lexists(path)
    if sight.there:
        with suppress(FileNotFoundError):  # a link that leads nowhere, or gone again
            sight.eyes[inotify.add(path)] = None
    return sight


def _nearest(inotify: Inotify, path: bytes, sight: Sight) -> tuple[bytes, bytes]:
    """The folder that holds the path or will hold one above it, and the name to wait for."""
    folder, name = os.path.split(path)
    while name:
        try:
            sight.eyes[inotify.add(folder)] = name
            break
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            folder, name = os.path.split(folder)
    return folder, name


def _unwatchable(error: OSError) -> RpcError:
    match error.errno:
        case errno.ENOSPC:
            cure = "the system has no watches left: raise fs.inotify.max_user_watches"
        case errno.EMFILE:
            cure = "the user has too many inotify instances: raise fs.inotify.max_user_instances"
        case _:
            cure = str(error.strerror or error)
    return RpcError(INTERNAL_ERROR, f"cannot watch this path: {cure}")
