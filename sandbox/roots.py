"""Writable roots: which of them stand, and which of them a command may have moved."""

import os
from dataclasses import replace
from pathlib import Path, PurePath

from sandbox.reach import Reach
from sandbox.refusal import Unenforceable

# What commands of this process could write to, by an earlier policy too: links there may be theirs.
_opened: set[str] = set()


def standing(reach: Reach, name: str) -> Reach:
    """Without those that are missing: there is nothing to open, or to protect.

    Raises Unenforceable when the way to one could have been changed by a command.
    """
    for asked, real in reach.named.items():
        if link := _changeable_link(asked, real, reach):
            why = f"{link}, on the way to the writable root {asked}, is a link that a command "
            raise Unenforceable(name, why + "could have changed", f"Name {real} itself.")
    missing = [p for p, a in reach.rules.items() if a == "write" and not Path(p).exists()]
    rules = {
        path: access
        for path, access in reach.rules.items()
        if not any(PurePath(path).is_relative_to(root) for root in missing)
    }
    return replace(reach, rules=rules)


def remember(reach: Reach) -> None:
    """A command is going to be able to write there."""
    _opened.update(p for p, access in reach.rules.items() if access == "write" and p != "/")


def _changeable_link(asked: str, real: str, reach: Reach) -> str | None:
    """A link below another writable root may have been put there to move this one."""
    path = os.path.normpath(asked)
    for step in (path, *(str(parent) for parent in PurePath(path).parents)):
        folder = os.path.realpath(PurePath(step).parent)
        if os.path.islink(step) and folder != real and _could_write(folder, reach):  # noqa: PTH114
            return step
    return None


def _could_write(folder: str, reach: Reach) -> bool:
    return reach.access(folder) == "write" or any(
        PurePath(folder).is_relative_to(root) for root in _opened
    )


def refuse_hidden_cwd(reach: Reach, cwd: str, name: str) -> None:
    """Raises Unenforceable."""
    if reach.access(os.path.realpath(cwd)) == "none":
        raise Unenforceable(name, f"it hides the working directory {cwd}", "Choose another cwd.")


def changeable(program: str, reach: Reach) -> bool:
    """With the whole disk writable there is no place for it, and files are not confined anyway."""
    return reach.rules.get("/") != "write" and reach.access(os.path.realpath(program)) == "write"
