"""The control group of each command of this worker: how it is born into it, and ends with it."""

import contextlib
import os
from collections.abc import Callable, Generator
from dataclasses import dataclass

import trio

from protocol.settings import Limits
from workers import cgroups
from workers.cgroups import Ground, Tree, read, write

WATCH_SECONDS = 0.2  # v1 does not say when a bound is hit, so it is looked at
MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Place:
    """A group in one tree; the thread that forks enters it, forks, and goes back."""

    path: str
    entry: str
    back: str


class Group:
    """The group of one command.  `breach` says which bound it has hit, once it has.

    It stays as long as anybody is in it, which may be longer than the command."""

    def __init__(self, groups: "Groups", places: list[Place], limits: Limits) -> None:
        self.breach: str | None = None
        self._closed = self._gone = False
        self._groups = groups
        self._places = places
        self._limits = limits
        self._oom_kills = groups.oom_kills()

    @property
    def path(self) -> str:
        return self._places[0].path

    @contextlib.contextmanager
    def entered(self) -> Generator[None]:
        """What is forked within is born in the group, so it cannot fork before it is in it."""
        with contextlib.ExitStack() as stack:
            for place in self._places:
                stack.callback(write, place.back, "0")
                write(f"{place.path}/{place.entry}", "0")
            yield

    def kill(self) -> bool:
        """Kill all that is in it; whether there was anything."""
        self._note()
        self._closed = True  # from now on it may not fork, and that is no breach
        return cgroups.kill(self.path)

    async def end(self) -> None:
        """Return when nothing of it is left."""
        while not self.remove():
            self.kill()
            await trio.sleep(0.001)

    def remove(self) -> bool:
        """False while somebody is in it; zombies do not count."""
        if self._gone:
            return True
        self._note()
        try:
            for place in self._places:
                with contextlib.suppress(FileNotFoundError):
                    os.rmdir(place.path)  # noqa: PTH106 - on the way of every command
        except OSError:
            return False
        self._gone = self._closed = True
        self._groups.forget(self)
        return True

    # ---- the bounds

    def verdict(self) -> str | None:
        """Which bound it has hit, if any; for when the command has ended."""
        self._note()
        return self.breach

    def _note(self) -> None:
        self.note_processes()
        self._note_memory()

    def note_processes(self) -> bool:
        """Whether it has been kept from forking."""
        if self.breach is None and not self._closed and _count(f"{self.path}/pids.events", "max"):
            self.break_off()
        return self.breach is not None

    def break_off(self) -> None:
        """Say which bound that was; before Linux 6.6 there are no peaks, and ours are likelier."""
        own, common = self._limits.command_processes, self._limits.thread_processes
        if own is not None and (_count(f"{self.path}/pids.peak") or own) >= own:
            self.breach = f"limit of {own} processes (atrio.command_processes)"
        elif (self._groups.peak() or common) >= common:
            self.breach = f"limit of {common} processes (atrio.thread_processes)"
        else:
            self.breach = "the limit of processes that this host sets for the server"

    @property
    def size(self) -> int:
        with contextlib.suppress(OSError):
            return int(read(f"{self.path}/pids.current"))
        return 0

    def _note_memory(self) -> None:
        """Whether the system has killed one of it for want of memory."""
        own, common = self._limits.command_memory_bytes, self._limits.thread_memory_bytes
        if self.breach is not None or (own is None and common is None):
            return
        path = self._places[-1].path
        if _count(f"{path}/memory.oom_control", "oom_kill"):
            if own is None or (common and not _count(f"{path}/memory.failcnt")):
                self.breach = f"memory limit {size_text(common or 0)} (atrio.thread_memory_bytes)"
            else:
                self.breach = f"memory limit {size_text(own)} (atrio.command_memory_bytes)"
        elif common and self._groups.oom_kills() > self._oom_kills:  # v2 counts above only
            self.breach = f"memory limit {size_text(common)} (atrio.thread_memory_bytes)"


def size_text(size: int) -> str:
    return f"{size // MEBIBYTE} MiB" if size % MEBIBYTE == 0 else f"{size} bytes"


def _count(path: str, name: str = "") -> int:
    """The number behind `name` in a file that counts; 0 where there is no such file."""
    with contextlib.suppress(OSError):
        for line in read(path).splitlines():
            if (words := line.split())[:-1] == ([name] if name else []):
                return int(words[-1])
    return 0


class Groups:
    """Those of all commands of one worker, below a group of its own."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self._name = str(os.getpid())
        self._made = 0
        self._all: set[Group] = set()
        self._some = trio.Event()
        self._bounded: Limits | None = None
        if ground.counting.v2:
            self._settle(ground.path(ground.counting, self._name))

    def _settle(self, path: str) -> None:
        """v2 lets a thread move within the group of its process only, so ours is the group above
        those of its commands."""
        os.mkdir(path)  # noqa: PTH102
        write(f"{path}/cgroup.procs", "0")
        if self.ground.counts:
            write(f"{path}/cgroup.subtree_control", "+pids")

    def make(self, limits: Limits) -> Group | None:
        """The group for one command; None where the host makes no more of them."""
        self._made += 1
        places = list[Place]()
        try:
            self._bound_all(limits)
            for tree in self._trees(limits):
                places.append(self._place(tree))
                self._bound(places[-1].path, tree, limits)
        except OSError:
            for place in places:
                with contextlib.suppress(OSError):
                    os.rmdir(place.path)  # noqa: PTH106
            return None
        group = Group(self, places, limits)
        self._all.add(group)
        self._some.set()
        return group

    def _trees(self, limits: Limits) -> list[Tree]:
        weighing = self.ground.weighing
        weighed = limits.command_memory_bytes or limits.thread_memory_bytes
        if weighed and weighing is not None and weighing != self.ground.counting:
            return [self.ground.counting, weighing]
        return [self.ground.counting]

    def _place(self, tree: Tree) -> Place:
        above = self.ground.path(tree, self._name)
        path = f"{above}/{self._made}"
        os.mkdir(path)  # noqa: PTH102 - on the way of every command
        if tree.v2:
            write(f"{path}/cgroup.type", "threaded")
        return Place(path, tree.entry, f"{above if tree.v2 else tree.home}/{tree.entry}")

    def _bound(self, path: str, tree: Tree, limits: Limits) -> None:
        if tree == self.ground.counting and self.ground.counts and limits.command_processes:
            write(f"{path}/pids.max", str(limits.command_processes))
        if not tree.v2 and "memory" in tree.controllers and limits.command_memory_bytes:
            _bound_memory(path, tree, limits.command_memory_bytes)

    def _bound_all(self, limits: Limits) -> None:
        """Bound all commands of this worker together."""
        if limits == self._bounded:
            return
        for tree in self._trees(limits):
            path = self.ground.path(tree, self._name)
            os.makedirs(path, exist_ok=True)  # noqa: PTH103
            if tree == self.ground.counting and self.ground.counts:
                write(f"{path}/pids.max", str(limits.thread_processes))
            if "memory" in tree.controllers and limits.thread_memory_bytes:
                _bound_memory(path, tree, limits.thread_memory_bytes)
        self._bounded = limits

    def peak(self) -> int:
        return _count(f"{self.ground.path(self.ground.counting, self._name)}/pids.peak")

    def oom_kills(self) -> int:
        """Of all commands together; v1 counts them for each."""
        if not self.ground.counting.v2:
            return 0
        above = self.ground.path(self.ground.counting, self._name)
        return _count(f"{above}/memory.events", "oom_kill")

    def forget(self, group: Group) -> None:
        self._all.discard(group)

    async def watch(self, reap: Callable[[], None]) -> None:
        """End commands that have hit a bound of processes: they would go on trying.

        `reap` buries what they leave, and saves a signal handler for each command that ends.
        """
        hits = 0
        while True:
            await self._some.wait()
            await trio.sleep(WATCH_SECONDS)
            reap()
            hits = self._look(hits)
            for group in list(self._all):
                if group.note_processes():
                    group.kill()
                group.remove()  # succeeds once all that the command has left running has ended
            if not self._all:
                self._some = trio.Event()

    def _look(self, hits: int) -> int:
        """Where the host notes a hit at the bound that was hit, the largest has hit it."""
        if not self.ground.counting.v2 or not self._all:
            return hits
        above = self.ground.path(self.ground.counting, self._name)
        if (now := _count(f"{above}/pids.events", "max")) > hits:
            max(self._all, key=lambda group: group.size).break_off()
        return now


def _bound_memory(path: str, tree: Tree, size: int) -> None:
    """Swap counts too: what is bounded shall not fill the disk instead."""
    if tree.v2:
        write(f"{path}/memory.max", str(size))
        with contextlib.suppress(OSError):
            write(f"{path}/memory.swap.max", "0")
        return
    write(f"{path}/memory.limit_in_bytes", str(size))
    with contextlib.suppress(OSError):
        write(f"{path}/memory.memsw.limit_in_bytes", str(size))


_here: list[Groups] = []  # there is one worker in a process, and it has groups or none


def settle(ground: Ground | None) -> None:
    """From now on commands of this process have groups, where the host lets them."""
    with contextlib.suppress(OSError):
        _here[:] = [] if ground is None else [Groups(ground)]


def here() -> Groups | None:
    return _here[0] if _here else None


def ground() -> Ground | None:
    return _here[0].ground if _here else None


def make(limits: Limits) -> Group | None:
    return _here[0].make(limits) if _here else None
