"""What to start, and what has to be open while it runs.

A `Launch` is a value; `prepare` opens what its sandbox needs and says what to execute.  Whoever
starts it closes the `Prepared` again: at once when the start fails, else when the child has ended.
"""

import errno
import os
import signal
from dataclasses import dataclass, field

from sandbox import placeholder
from sandbox.cage import Cage
from sandbox.place import opened
from sandbox.refusal import Unenforceable

# The sandbox's own program must not obey the command's environment: LD_PRELOAD in it would run
# code of the workspace before there is a sandbox.
_CLEAN = {"PATH": "/usr/bin:/bin"}


@dataclass(frozen=True, slots=True)
class Mount:
    """One step of the recipe; `option` is bubblewrap's, `source` is a path that is opened first."""

    option: str
    target: str
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Fence:
    """A sandbox around a command: bubblewrap's program, its options, and the mounts in order.

    `placeholders` are names that must not come to exist while it runs; `last` are the options that
    follow the mounts.  `pinned` says that a mount can be made from a descriptor.  `session` are the
    words to run a command through that is to own the terminal on its standard input, `entry` those
    to run the sandbox's own program through.
    """

    policy: str
    program: str
    options: tuple[str, ...]
    mounts: tuple[Mount, ...]
    last: tuple[str, ...]
    placeholders: tuple[str, ...]
    seccomp: bytes
    pinned: bool
    session: tuple[str, ...]
    entry: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start: `argv[0]` is a path or a name on the PATH of `env`; `cwd` is absolute."""

    argv: list[str]
    cwd: str
    env: dict[str, str]
    fence: Fence | Cage | None = None

    def prepare(self, through: tuple[str, ...] = ()) -> "Prepared":
        """`through` are words to run the command through, in the sandbox.

        Raises Unenforceable when a place has changed since it was planned, OSError, and ValueError
        for a NUL in a variable or a path.
        """
        argv = [*through, *self.argv]
        if self.fence is None:
            return Prepared(argv, self.cwd, self.env)
        prepared = Prepared([], self.cwd, dict(_CLEAN))
        try:
            if isinstance(self.fence, Cage):
                self.fence.close_around(argv, self.env, prepared)
            else:
                prepared.argv = [*_fenced(self, self.fence, prepared), "--", *argv]
        except BaseException:
            prepared.close()
            raise
        return prepared


@dataclass(slots=True)
class Prepared:
    """`argv`, `cwd`, `env` and `pass_fds` are for the start; `gone` becomes readable (at its end)
    when nothing of the sandbox is left, None where nobody has to wait for that.  `killing` is the
    signal that ends it with all that it has started."""

    argv: list[str]
    cwd: str
    env: dict[str, str]
    pass_fds: list[int] = field(default_factory=list[int])
    gone: int | None = None
    killing: int = signal.SIGKILL
    held: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])

    def file(self, data: bytes) -> int:
        """A descriptor to read it from, for the child."""
        descriptor = os.memfd_create("atrio", os.MFD_CLOEXEC)
        self.pass_fds.append(descriptor)
        os.write(descriptor, data)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor

    def started(self) -> None:
        """The child has its own copies now."""
        for descriptor in self.pass_fds:
            os.close(descriptor)
        self.pass_fds = []

    def close(self) -> None:
        """Give everything back, placeholders too: after the end, or instead of a start."""
        self.started()
        if self.gone is not None:
            os.close(self.gone)
            self.gone = None
        placeholder.release(*self.held)
        self.held = []


def _fenced(launch: Launch, fence: Fence, prepared: Prepared) -> list[str]:
    impossible = _hold_places(fence, prepared)
    words = [*fence.options]
    for mount in fence.mounts:
        if mount.target not in impossible:
            words += _mounted(mount, fence, prepared)
    words += [*fence.last, "--seccomp", str(prepared.file(fence.seccomp))]
    if prepared.held:
        words += ["--sync-fd", str(_lifeline(prepared))]
    words += ["--chdir", launch.cwd, "--clearenv"]
    for name, value in launch.env.items():
        words += ["--setenv", name, value]
    data = os.fsencode("\0".join([*words, ""]))
    if data.count(0) > len(words):  # it would end a word, and what follows be an option
        raise ValueError("embedded null byte")
    return [*fence.entry, fence.program, "--args", str(prepared.file(data))]


def _hold_places(fence: Fence, prepared: Prepared) -> set[str]:
    """The names that nobody of our user can make anyway, so that they need no placeholder."""
    impossible: set[str] = set()
    for path in fence.placeholders:
        try:
            prepared.held.append((path, placeholder.hold(path)))
        except OSError as error:
            if not _impossible(path, error):
                why = f"{path} cannot be kept from being made ({error.strerror or error})"
                raise Unenforceable(fence.policy, why) from None
            impossible.add(path)
    return impossible


def _impossible(path: str, error: OSError) -> bool:
    """Whether a command cannot make it either; the owner of the folder could let itself."""
    match error.errno:
        case errno.EROFS:
            return True
        case errno.EACCES:
            return os.stat(os.path.dirname(path)).st_uid != os.geteuid()  # noqa: PTH116, PTH120
        case _:
            return False


def _mounted(mount: Mount, fence: Fence, prepared: Prepared) -> list[str]:
    if mount.option == "--ro-bind-data":
        return [mount.option, str(prepared.file(b"")), mount.target]
    if mount.source is None:
        return [mount.option, mount.target]
    if mount.option not in ("--bind", "--ro-bind") or mount.source != mount.target:
        return [mount.option, mount.source, mount.target]
    descriptor = opened(mount.source, fence.policy)
    if not fence.pinned:
        os.close(descriptor)
        return [mount.option, mount.source, mount.target]
    os.set_inheritable(descriptor, True)
    prepared.pass_fds.append(descriptor)
    return [f"{mount.option}-fd", str(descriptor), mount.target]


def _lifeline(prepared: Prepared) -> int:
    """A pipe whose writing end only the sandbox's first process keeps open."""
    prepared.gone, theirs = os.pipe()
    prepared.pass_fds.append(theirs)
    return theirs
