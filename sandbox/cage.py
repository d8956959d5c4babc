"""The reduced level: Landlock's rules and the filter, for hosts without namespaces.

Rules of Landlock only ever allow, for a folder and all below it.  So a file is hidden by allowing
everything around it, and nothing can be protected within a folder that may be written: protected
names are a known gap, all else of that kind is refused.  `gaps` says what is not kept.
"""

import functools
import marshal
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from sandbox import keeper, landlock, roots, seccomp
from sandbox.place import opened
from sandbox.protected import PROTECTED, covered
from sandbox.reach import Reach
from sandbox.refusal import Unenforceable

if TYPE_CHECKING:
    from types import CodeType

    from sandbox.launch import Prepared

RULES = 4096  # each costs the start of a command 10 µs
_DEVICES = ("null", "zero", "full", "random", "urandom")
_START = (
    "import marshal\n"
    "code, data = marshal.load(open({order}, 'rb'))\n"
    "names = {{'__name__': 'keeper'}}\n"
    "exec(code, names)\n"
    "names['main']({ruleset}, data)\n"
)


@dataclass(frozen=True, slots=True)
class Cage:
    """What a command may reach.  `rules` are places with Landlock's rights; the `resolved` of
    them must still be what they were.  Without `files` the whole disk may be written."""

    policy: str
    rules: dict[str, int]
    resolved: frozenset[str]
    files: bool
    network: bool
    seccomp: bytes
    session: tuple[str, ...] = ()  # its keeper gives a command its terminal

    def close_around(self, argv: list[str], env: dict[str, str], prepared: "Prepared") -> None:
        """Raises Unenforceable, OSError and ValueError."""
        ruleset = landlock.ruleset(files=self.files, tcp=not self.network)
        prepared.pass_fds.append(ruleset)
        for path, rights in self.rules.items():
            self._allow(ruleset, path, rights)
        data = keeper.order(argv, env, self.seccomp)
        order = prepared.file(marshal.dumps((_code(), data)))
        start = _START.format(order=order, ruleset=ruleset)
        prepared.argv = [sys.executable, "-I", "-S", "-c", start]
        prepared.killing = keeper.KILL

    def _allow(self, ruleset: int, path: str, rights: int) -> None:
        if path in self.resolved:
            place = opened(path, self.policy)
        else:
            try:
                place = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
            except OSError:  # it has gone, or is not for us
                return
        try:
            landlock.allow(ruleset, place, rights)
        finally:
            os.close(place)


@functools.cache
def _code() -> "CodeType":
    """Read once, before there are commands that could change the file."""
    return compile(Path(keeper.__file__).read_text("utf-8"), "<keeper>", "exec")


def gaps(abi: int, *, writable: bool) -> str:
    """What the reduced level does not keep a command from; a sentence for people."""
    names = (
        f"{', '.join(PROTECTED)} in writable folders can be changed, so what a command writes "
        "there (hooks, configuration, skills) may run later without a sandbox; "
    )
    signals = "" if abi >= landlock.SCOPES else " and can be sent signals"
    return (
        f"Not enforced: {names if writable else ''}modes, times and attributes of the user's files "
        f"can be changed everywhere; processes of the host can be seen and slowed down{signals}"
        f"{'; /dev/shm is shared' if writable else ''}. A closed network has no loopback either; "
        "Unix sockets and new terminals cannot be had at all."
    )


def cage(reach: Reach, secrets: tuple[str, ...], cwd: str, name: str) -> Cage:
    """Raises Unenforceable for what rules that only allow cannot say."""
    reach = roots.standing(reach, name)
    roots.refuse_hidden_cwd(reach, cwd, name)
    for program in (sys.executable, os.__file__):
        if roots.changeable(program, reach):
            why = f"a command under it could change {program}, which makes the sandbox"
            raise Unenforceable(name, why, "Install Python outside of the writable roots.")
    hidden = _hidden(reach, secrets, name)
    roots.remember(reach)
    files = reach.rules.get("/") != "write"
    return Cage(
        name,
        _rules(reach, hidden, name) if files else {},
        frozenset(reach.rules),
        files,
        reach.network,
        seccomp.program("inet" if reach.network else "none", shared=True),
    )


def _hidden(reach: Reach, secrets: tuple[str, ...], name: str) -> set[str]:
    """The files that must not be read though their surroundings may be."""
    hidden = set(secrets)
    writable = [path for path, access in reach.rules.items() if access == "write"]
    left_open = {place for root in writable for place in covered(root)}
    for path, access in reach.rules.items():
        around = reach.access(str(PurePath(path).parent))
        if path == "/" or around in (access, "none"):
            continue
        if access == "read" and path in left_open:
            continue
        if around == "write":
            what = "read" if access == "none" else "written"
            _refuse(name, f"{path} must not be {what}, but lies in a folder that may be written")
        if access == "none":
            if Path(path).is_dir():
                _refuse(name, f"the folder {path} lies in one that may be read")
            hidden.add(path)
    for path in secrets:
        if reach.access(path) == "write" and Path(path).exists():
            _refuse(name, f"{path} must not be read, but lies in a folder that may be written")
    return hidden


def _refuse(name: str, because: str) -> None:
    why = f"{because}, and the reduced level (Landlock) has no exceptions"
    raise Unenforceable(name, why, "Have bubblewrap work on this host, or choose other folders.")


def _rules(reach: Reach, hidden: set[str], name: str) -> dict[str, int]:
    rules: dict[str, int] = {"/proc": landlock.READ, "/dev": landlock.LIST}
    for device in _DEVICES:
        rules[f"/dev/{device}"] = landlock.USE
    # Its own terminal only: a new one would be in the folder where all others of the user are.
    rules["/dev/tty"] = landlock.USE | landlock.IOCTL_DEV
    if "write" in reach.rules.values():
        rules["/dev/shm"] = landlock.WRITE  # noqa: S108 - for semaphores between processes
    for path, access in reach.rules.items():
        if access == "write":
            rules[path] = landlock.WRITE
        elif access == "read" and (path == "/" or reach.access(str(Path(path).parent)) == "none"):
            rules.update(_readable(path, {*hidden, "/dev"}))
    if len(rules) > RULES:
        _refuse(name, f"to hide what it hides would take more than {RULES} rules")
    return rules


def _readable(path: str, hidden: set[str]) -> Iterator[tuple[str, int]]:
    """Everything but the hidden; what is made later beside them cannot be read either."""
    if not (inside := {place for place in hidden if PurePath(place).is_relative_to(path)}):
        yield path, landlock.READ
    elif path not in inside:
        yield path, landlock.LIST
        with suppress(OSError):
            for entry in os.scandir(path):
                if not entry.is_symlink():
                    yield from _readable(entry.path, inside)
