"""The environment of a command: the server's own, as far as `shell_environment_policy` lets it."""

import os
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from protocol.settings import ShellEnvironment

CORE = ("HOME", "LOGNAME", "PATH", "SHELL", "USER", "USERNAME", "TMPDIR", "TEMP", "TMP")
SECRETS = ("*KEY*", "*SECRET*", "*TOKEN*")

THREAD_ID = "CODEX_THREAD_ID"  # scripts of Codex users read it

# Nobody looks at a session's screen: no colours, no pagers, and text that is always UTF-8.
# The names are the reference server's (observed).
PLAIN = {
    "NO_COLOR": "1",
    "TERM": "dumb",
    "COLORTERM": "",
    "LANG": "C.UTF-8",
    "LC_CTYPE": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "PAGER": "cat",
    "GIT_PAGER": "cat",
    "GH_PAGER": "cat",
    "CODEX_CI": "1",
}


def variables(
    policy: ShellEnvironment, thread_id: str | None = None, env: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Inherit, exclude, set, then keep what `include_only` names, in that order.

    Patterns are globs and do not heed case.  A thread's id is added whatever the policy says.
    """
    kept = _inherited(policy, env)
    if not policy.ignore_default_excludes:
        kept = {name: value for name, value in kept.items() if not _matches(name, SECRETS)}
    kept = {name: value for name, value in kept.items() if not _matches(name, policy.exclude)}
    kept |= policy.set
    if policy.include_only:
        kept = {name: value for name, value in kept.items() if _matches(name, policy.include_only)}
    return kept if thread_id is None else kept | {THREAD_ID: thread_id}


def _inherited(policy: ShellEnvironment, env: Mapping[str, str]) -> dict[str, str]:
    match policy.inherit:
        case "all":
            return dict(env)
        case "core":
            return {name: value for name, value in env.items() if name.upper() in CORE}
        case "none":
            return {}


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name.upper(), pattern.upper()) for pattern in patterns)
