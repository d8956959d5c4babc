"""The control groups that this host lets us have: found, made, emptied, removed.

One for the server, named by its process so that the next server can tell whether it still lives;
below it one for each worker, below that one for each command (`groups`).  A group knows its members
however often they fork, leave their session or outlive their parents, which nothing else does.

Both versions are used, v1 where it has `pids`.  A thread enters a group with "0" in the file that
takes threads: 60 µs.  The file that takes whole processes waits for every processor first: 12 ms.
"""

import contextlib
import os
import signal
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

PREFIX = "atrio-"
CLEAR_SECONDS = 5  # a killed process can hang in the kernel; nobody hangs with it
SERVER = "server"  # the group of the server's own processes, where they need one
CONTROLLERS = frozenset({"pids", "memory"})


@dataclass(frozen=True, slots=True)
class Tree:
    """One hierarchy, as far as it is ours; `home` is the group that the server was started in."""

    home: str
    v2: bool
    controllers: frozenset[str]

    @property
    def entry(self) -> str:
        """Takes the thread that writes "0"."""
        return "cgroup.threads" if self.v2 else "tasks"


@dataclass(frozen=True, slots=True)
class Ground:
    """Where the groups of this server are.

    `counting` is the tree that every command enters; `weighing` is the one for memory, if there is
    one, and costs nothing until memory is bounded.
    """

    name: str
    counting: Tree
    weighing: Tree | None

    @property
    def counts(self) -> bool:
        return "pids" in self.counting.controllers

    @property
    def trees(self) -> list[Tree]:
        return list(dict.fromkeys(tree for tree in (self.counting, self.weighing) if tree))

    def path(self, tree: Tree, *below: str) -> str:
        return "/".join((tree.home, self.name, *below))

    def clear(self, *below: str) -> None:
        """Kill whoever is in this group or below it, and remove it."""
        for tree in self.trees:
            clear(self.path(tree, *below))

    def close(self) -> None:
        """The server ends: leave no group behind."""
        if self.counting.v2 and os.path.isdir(self.path(self.counting, SERVER)):  # noqa: PTH112
            _move_back(self.counting, self.path(self.counting))
        self.clear()


def write(path: str, value: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)  # a file object costs as much again
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)


def read(path: str) -> str:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return b"".join(iter(lambda: os.read(descriptor, 1 << 16), b"")).decode()
    finally:
        os.close(descriptor)


# ---- what there is


def trees(proc: str = "/proc/self") -> list[Tree]:
    """The mounted hierarchies that are of use, v1 first, whether we may write to them or not."""
    own = dict[str, str]()
    for line in read(f"{proc}/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        own |= dict.fromkeys(controllers.split(","), path)
    found = list[Tree]()
    for line in read(f"{proc}/mountinfo").splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        root, mounted = left.split(" ")[3:5]
        v2 = kind == "cgroup2"
        names = frozenset({""} if v2 else {*options.split(",")} & CONTROLLERS)
        if kind in ("cgroup", "cgroup2") and (name := next(iter(names), None)) in own:
            home = _below(own[name or ""], root, mounted)
            found.append(Tree(home, v2, frozenset() if v2 else names))
    return sorted(found, key=lambda tree: tree.v2)


def _below(path: str, root: str, mounted: str) -> str:
    """Where `path` of the hierarchy is seen, when `root` of it is mounted there."""
    path = path.removeprefix(root.rstrip("/")) if path.startswith(root) else path
    return (mounted + path).rstrip("/")


def find(server: int) -> Ground | None:
    """Make the group of this server, and clear away those of servers that have been killed.

    None where we may make none.
    """
    try:
        name = PREFIX + _identity(server)
        ours = [tree for tree in trees() if _writable(tree)]
        for tree in ours:
            sweep(tree)
        counting = next((tree for tree in ours if "pids" in tree.controllers or tree.v2), None)
        if counting is None:
            return None
        path = f"{counting.home}/{name}"
        os.makedirs(path, exist_ok=True)  # noqa: PTH103
        if counting.v2:
            counting = Tree(counting.home, True, _delegated(counting.home, path, server))
    except OSError:  # or no /proc, as on macOS
        return None
    weighing = next((tree for tree in (counting, *ours) if "memory" in tree.controllers), None)
    return Ground(name, counting, weighing)


def _identity(pid: int) -> str:
    """Of a process, for ever: its namespace, its number, and when it was started."""
    namespace = os.stat("/proc/self/ns/pid").st_ino  # noqa: PTH116
    started = read(f"/proc/{pid}/stat").rpartition(")")[2].split()[19]
    return f"{namespace}-{pid}-{started}"


def _writable(tree: Tree) -> bool:
    entry = f"{tree.home}/{'cgroup.procs' if tree.v2 else tree.entry}"
    return os.access(tree.home, os.W_OK) and os.access(entry, os.W_OK)


def _delegated(home: str, path: str, server: int) -> frozenset[str]:
    """The controllers of v2 that hold below `path`.

    A group with members has no controllers below it, but for the root of all: so the server moves.
    Where others are in its group too, it has to be started in one of its own.
    """
    wanted = CONTROLLERS & {*read(f"{home}/cgroup.controllers").split()}
    if not wanted:
        return wanted
    switches = " ".join(f"+{name}" for name in sorted(wanted))
    with contextlib.suppress(OSError):
        if os.path.exists(f"{home}/cgroup.type"):  # noqa: PTH110 - the root of all has none
            os.makedirs(f"{path}/{SERVER}", exist_ok=True)  # noqa: PTH103
            for pid in members(home) & {server, os.getpid()}:
                write(f"{path}/{SERVER}/cgroup.procs", str(pid))
        write(f"{home}/cgroup.subtree_control", switches)
        write(f"{path}/cgroup.subtree_control", switches)
    return CONTROLLERS & {*read(f"{path}/cgroup.subtree_control").split()}


def _move_back(tree: Tree, path: str) -> None:
    with contextlib.suppress(OSError):
        for group in (path, tree.home):
            write(f"{group}/cgroup.subtree_control", "-memory -pids")
        for pid in members(f"{path}/{SERVER}"):
            write(f"{tree.home}/cgroup.procs", str(pid))


def describe(ground: Ground | None) -> str:
    """One line for the operator: what holds commands together, and what bounds them."""
    if ground is None or not ground.counts:
        others = "" if ground is None else "; commands are told apart by control groups"
        return (
            "no control group may count processes here: a bound holds for ordinary users only, "
            f"by RLIMIT_NPROC{others} (cure: systemd-run --user --scope -p Delegate=yes atrio …)"
        )
    weighed = "memory by cgroup" if ground.weighing else "memory by RLIMIT_DATA, a process each"
    version = "v2" if ground.counting.v2 else "v1"
    return f"processes are bounded by cgroup {version} below {ground.counting.home}, {weighed}"


def survey() -> str:
    """The same of the host as this process sees it; nothing stays behind."""
    ground = find(os.getpid())
    if ground is not None:
        ground.close()
    return describe(ground)


# ---- how they go


def sweep(tree: Tree) -> None:
    """Clear away the groups of servers that have been killed."""
    here = _identity(os.getpid()).partition("-")[0]
    for path in Path(tree.home).glob(f"{PREFIX}{here}-*-*"):  # others cannot be seen from here
        identity = path.name.removeprefix(PREFIX)
        try:
            alive = _identity(int(identity.split("-")[1])) == identity
        except (OSError, ValueError):
            alive = False
        if not alive:
            clear(str(path))


def members(path: str) -> set[int]:
    """The processes in a group; of v2 their threads, because nothing else can be read there."""
    for name in ("cgroup.threads", "cgroup.procs"):
        with contextlib.suppress(OSError):
            return {int(pid) for pid in read(f"{path}/{name}").split()}
    return set()


def kill(path: str) -> bool:
    """Kill every member but ourselves; whether there was one.  Nobody in it forks from now on."""
    with contextlib.suppress(OSError):  # where processes are not counted
        write(f"{path}/pids.max", "0")
    found = members(path) - {os.getpid()}
    with _held(found) as descriptors:
        for pid in members(path) & descriptors.keys():  # looked at again: a number is not a process
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptors[pid], signal.SIGKILL)
    return bool(found)


@contextlib.contextmanager
def _held(pids: set[int]) -> Generator[dict[int, int]]:
    descriptors = dict[int, int]()
    try:
        for pid in pids:
            with contextlib.suppress(OSError):  # it has gone, or is one thread of another
                descriptors[pid] = os.pidfd_open(pid)
        yield descriptors
    finally:
        for descriptor in descriptors.values():
            os.close(descriptor)


def clear(path: str) -> None:
    """Kill whoever is in a group or below it, and remove it."""
    deadline = time.monotonic() + CLEAR_SECONDS
    while os.path.isdir(path) and not _removed(path):  # noqa: PTH112
        if time.monotonic() > deadline:
            return
        time.sleep(0.001)


def _removed(path: str) -> bool:
    for below in [entry.path for entry in os.scandir(path) if entry.is_dir(follow_symlinks=False)]:
        _removed(below)
    kill(path)
    try:
        os.rmdir(path)  # noqa: PTH106
    except FileNotFoundError:
        return True
    except OSError:  # its members are about to go
        return False
    return True
