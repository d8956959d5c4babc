"""How far a command reaches: a policy or a profile, resolved against the folders of this host.

One answer serves both who confines a process and who judges a patch, so the two cannot disagree.
Names are resolved as they are now; whoever confines must check again what it mounts.
"""

import glob
import itertools
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from protocol.policy import (
    DangerFullAccess,
    DisabledPermissions,
    ExactPath,
    ExternalPermissions,
    ExternalSandbox,
    FileSystemAccessMode,
    FileSystemPath,
    FileSystemSandboxEntry,
    GlobPatternPath,
    ManagedPermissions,
    PermissionProfile,
    ReadOnly,
    RestrictedFileSystem,
    SandboxPolicy,
    SpecialPath,
    SpecialRoot,
    WorkspaceWrite,
)
from protocol.profile import profile_of
from sandbox.protected import covered
from sandbox.refusal import Unenforceable

# What a program needs to start at all: `minimal` in a profile.
MINIMAL = ("/bin", "/sbin", "/usr", "/etc", "/lib", "/lib32", "/lib64", "/nix/store")
MATCHES = 2000  # of a pattern: bubblewrap takes 9000 words in all
_STRICTEST: list[FileSystemAccessMode] = ["none", "read", "write"]


@dataclass(frozen=True, slots=True)
class Reach:
    """`rules`: absolute path, links resolved → access; the deepest rule above a file counts.

    `named` has the writable roots as they were asked for, for who looks for changed links; `ways`
    are the links among the places that were named, `links` the protected names that are links.
    """

    network: bool
    rules: dict[str, FileSystemAccessMode] = field(default_factory=dict[str, FileSystemAccessMode])
    named: dict[str, str] = field(default_factory=dict[str, str])
    ways: tuple[str, ...] = ()
    links: tuple[str, ...] = ()

    def access(self, path: str) -> FileSystemAccessMode:
        """What may be done with an absolute path that has no links in it."""
        for place in (path, *(str(parent) for parent in PurePath(path).parents)):
            if place in self.rules:
                return self.rules[place]
        return "none"


@dataclass(frozen=True, slots=True)
class Places:
    """Where the special places are.  `project` is the policy's folder, not the command's cwd."""

    project: str
    home: str
    tmpdir: str | None

    @classmethod
    def here(cls, project: str, env: Mapping[str, str] = os.environ) -> "Places":
        """By this process's own environment: the command's is the model's to change."""
        home = env.get("CODEX_HOME") or os.path.expanduser("~/.codex")  # noqa: PTH111
        tmpdir = env.get("TMPDIR", "")
        return cls(project, home, tmpdir if os.path.isabs(tmpdir) else None)  # noqa: PTH117


def name_of(policy: SandboxPolicy, profile: PermissionProfile | None) -> str:
    """For people."""
    if profile is not None:
        return "of the permission profile"
    match policy:
        case ReadOnly():
            return "read-only"
        case WorkspaceWrite():
            return "workspace-write"
        case ExternalSandbox():
            return "external-sandbox"
        case DangerFullAccess():
            return "danger-full-access"


def reach(policy: SandboxPolicy, profile: PermissionProfile | None, places: Places) -> Reach | None:
    """None when there is nothing for us to confine.  The profile counts whenever there is one.

    Raises Unenforceable for entries that no rule can say.
    """
    match profile or profile_of(policy):
        case DisabledPermissions() | ExternalPermissions():
            return None
        case ManagedPermissions(file_system=RestrictedFileSystem() as files, network=network):
            return _restricted(files, network.enabled, places, name_of(policy, profile))
        case ManagedPermissions(network=network):
            return None if network.enabled else Reach(network=False, rules={"/": "write"})


def _restricted(
    files: RestrictedFileSystem, network: bool, places: Places, name: str
) -> Reach | None:
    rules: dict[str, FileSystemAccessMode] = {}
    named: dict[str, str] = {}
    ways: list[str] = []
    for entry in files.entries:
        for path in _paths(entry, files, places, name):
            real = os.path.realpath(path)
            rules[real] = _stricter(rules.get(real), entry)
            if entry.access == "write":
                named[path] = real
            ways += [path] if os.path.islink(path) else []  # noqa: PTH114
    if network and rules == {"/": "write"}:
        return None
    writable = [path for path, access in rules.items() if access == "write" and path != "/"]
    home = os.path.realpath(places.home)
    if any(_below(home, root) for root in writable):
        rules.setdefault(home, "read")  # who may write the configuration is not confined
    links: list[str] = []
    for root in writable:
        for path in covered(root):
            rules.setdefault(path, "read")
            links += [path] if os.path.islink(path) else []  # noqa: PTH114
    return Reach(network, rules, named, tuple(ways), tuple(links))


def _stricter(
    before: FileSystemAccessMode | None, entry: FileSystemSandboxEntry
) -> FileSystemAccessMode:
    """Of two entries for one place the stricter counts, but the whole disk is only a default."""
    match entry.path:
        case SpecialPath(value=SpecialRoot(kind="root")):
            return before or entry.access
        case _:
            pair = (before or entry.access, entry.access)
            return min(pair, key=_STRICTEST.index)


def _paths(
    entry: FileSystemSandboxEntry, files: RestrictedFileSystem, places: Places, name: str
) -> Iterator[str]:
    match entry.path:
        case GlobPatternPath(pattern=pattern):
            if entry.access != "none":
                raise Unenforceable(name, f"the pattern {pattern} can only deny access")
            depth = files.glob_scan_max_depth
            yield from _matches(pattern, places, depth if isinstance(depth, int) else None, name)
        case ExactPath() | SpecialPath() as place:
            found = _places(place, places)
            if found is None:
                raise Unenforceable(name, f"this server does not know the place {place}")
            yield from found


def _places(path: FileSystemPath, places: Places) -> list[str] | None:
    match path:
        case ExactPath(path=exact):
            return [os.path.join(places.project, exact)]  # noqa: PTH118
        case SpecialPath(value=SpecialRoot(kind="root")):
            return ["/"]
        case SpecialPath(value=SpecialRoot(kind="minimal")):
            return [path for path in MINIMAL if Path(path).exists()]
        case SpecialPath(value=SpecialRoot(kind="project_roots", subpath=subpath)):
            inner = subpath if isinstance(subpath, str) else ""
            return [os.path.join(places.project, inner)]  # noqa: PTH118
        case SpecialPath(value=SpecialRoot(kind="tmpdir")):
            return [places.tmpdir] if places.tmpdir else []
        case SpecialPath(value=SpecialRoot(kind="slash_tmp")):
            return ["/tmp"]  # noqa: S108 - the place that the profile names
        case _:
            return None


def _matches(pattern: str, places: Places, depth: int | None, name: str) -> Iterator[str]:
    """The files that a pattern names now; those that are made later are not denied."""
    whole = os.path.join(places.project, pattern)  # noqa: PTH118
    parts = PurePath(whole).parts
    fixed = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    found = glob.iglob(whole, recursive=True, include_hidden=True)  # noqa: PTH207 - lazily
    few = list(itertools.islice(found, MATCHES + 1))
    if len(few) > MATCHES:
        raise Unenforceable(name, f"the pattern {pattern} names more than {MATCHES} files")
    return (p for p in few if depth is None or len(PurePath(p).parts) - fixed <= depth)


def _below(path: str, folder: str) -> bool:
    return PurePath(path).is_relative_to(folder)
