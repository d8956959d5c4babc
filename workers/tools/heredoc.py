"""A patch that comes as a command: `apply_patch` with a here-document, as models like to write it.

Such a command changes files, so clients see it as a file change and not as a command.
"""

import re

from workers.tools.actions import script_of

_NAMES = {"apply_patch", "applypatch"}
_HEREDOC = re.compile(
    r"\s*(?:apply_patch|applypatch)\s*<<\s*(['\"]?)(\w+)\1[ \t]*\n(.*?\n)\2\s*", re.DOTALL
)


def patch_in(argv: list[str]) -> str | None:
    """The text of the patch, when the command does nothing else but apply one."""
    if len(argv) == 2 and argv[0] in _NAMES:
        return argv[1]
    script = script_of(argv)
    found = _HEREDOC.fullmatch(script) if script is not None else None
    if found is None or found[2] in found[3].splitlines():
        return None  # a shell would run what follows the first end mark
    return found[3]
