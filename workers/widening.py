"""A sandbox and what was granted beside it: the profile that a command then runs under.

A grant never takes anything away.  A place that the profile hides stays hidden; one that it only
keeps from being written, such as `.git`, can be granted (both observed).  Grants name places as
they really are: a link that a command makes later leads nowhere.
"""

import os

from msgspec import UNSET
from msgspec.structs import replace

from protocol.grant import Entries, Grant, distinct
from protocol.policy import (
    ExactPath,
    ExternalPermissions,
    FileSystemSandboxEntry,
    GlobPatternPath,
    ManagedPermissions,
    NetworkPermissions,
    PermissionProfile,
    RestrictedFileSystem,
)
from protocol.profile import Places, profile_of, where
from protocol.settings import Settings
from sandbox import Unenforceable
from sandbox.reach import Places as Host
from sandbox.reach import reach


def places(settings: Settings) -> Places:
    return Places(settings.cwd, os.environ.get("TMPDIR"))


def widened(settings: Settings, grant: Grant) -> PermissionProfile | None:
    """The thread's own profile when nothing was granted."""
    if not grant:
        return settings.permission_profile
    grant = standing(grant)
    match settings.permission_profile or profile_of(settings.sandbox_policy):
        case ManagedPermissions(file_system=files, network=network):
            if isinstance(files, RestrictedFileSystem):
                files = _widen(files, grant, settings)
            return ManagedPermissions(files, _online(network, grant))
        case ExternalPermissions(network=network):
            return ExternalPermissions(_online(network, grant))
        case profile:
            return profile


def standing(grant: Grant) -> Grant:
    """Without the places that have become links since somebody said yes to them."""
    return replace(grant, entries=[one for one in grant.entries if not _moved(one)])


def _moved(one: FileSystemSandboxEntry) -> bool:
    return isinstance(one.path, ExactPath) and os.path.realpath(one.path.path) != one.path.path


def _online(network: NetworkPermissions, grant: Grant) -> NetworkPermissions:
    return NetworkPermissions(network.enabled or bool(grant.network))


def _widen(files: RestrictedFileSystem, grant: Grant, settings: Settings) -> RestrictedFileSystem:
    """Of two entries for one place the stricter would count, so the weaker ones have to go."""
    more = _missing(grant.entries, settings)
    written = {_real(one, settings) for one in more if one.access == "write"} - {None}
    entries = [
        one
        for one in distinct(files.entries + more)
        if one.access != "read" or _real(one, settings) not in written
    ]
    return RestrictedFileSystem(entries, _depth(files, grant) or UNSET)


def _missing(entries: Entries, settings: Settings) -> Entries:
    """Those that the sandbox does not allow by itself: a grant to read takes no write away."""
    try:
        here = Host.here(settings.cwd)
        before = reach(settings.sandbox_policy, settings.permission_profile, here)
    except Unenforceable:
        return entries  # whoever applies the profile finds out, and says it

    def lacks(one: FileSystemSandboxEntry) -> bool:
        real = _real(one, settings)
        if one.access == "none" or before is None or real is None:
            return True
        return before.access(real) not in (one.access, "write")

    return [one for one in entries if lacks(one)]


def _real(one: FileSystemSandboxEntry, settings: Settings) -> str | None:
    at = where(one.path, places(settings))
    return None if at is None else os.path.realpath(at)


def _depth(files: RestrictedFileSystem, grant: Grant) -> int | None:
    """How deep patterns look: deep enough for those of both."""
    own = files.glob_scan_max_depth
    depths = [own if isinstance(own, int) else None] if _patterns(files.entries) else []
    depths += [grant.depth] if _patterns(grant.entries) else []
    return None if None in depths else max(filter(None, depths), default=None)


def _patterns(entries: Entries) -> bool:
    return any(isinstance(one.path, GlobPatternPath) for one in entries)
