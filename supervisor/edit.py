"""Edits of a TOML text: comments, order and layout of all that is not meant survive."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

import tomlkit
from tomlkit.items import Comment, InlineTable, Null, Table

Edit = tuple[list[str], Any]
"""Where, as keys from the top, and what is there from now on; None takes it away."""


def edited(text: str, edits: Iterable[Edit], *, merge: bool = False, prune: bool = False) -> str:
    """The text after all edits, in their order; with `merge`, tables keep what is not replaced.

    With `prune`, a table that has nothing left goes with what was taken away.

    Raises ValueError for text that is no TOML, and KeyError for a path through what is no table.
    """
    document = tomlkit.parse(text)
    for path, value in edits:
        if value is None:
            _remove(document, path)
            if prune and len(path) > 1 and _is_empty(document, path[:-1]):
                _remove(document, path[:-1])
        else:
            _put(document, path, value, merge=merge)
    return tomlkit.dumps(document)


def _put(document: Any, path: list[str], value: Any, *, merge: bool) -> None:
    *above, last = path
    table: Any = document
    for depth, key in enumerate(above):
        if key not in table:
            inner = isinstance(table, InlineTable)
            table[key] = tomlkit.inline_table() if inner else _new(above, depth)
        table = table[key]
        if not _is_table(table):
            raise KeyError(".".join(path[: depth + 1]))
    before: Any = table.get(last)
    if merge and _is_table(value) and _is_table(before):
        for key, inner in value.items():
            _put(table, [last, key], inner, merge=True)
    else:
        table[last] = _item(value, like=before)


def _new(above: list[str], depth: int) -> Table:
    """A table that only holds tables needs no line of its own."""
    return tomlkit.table(is_super_table=depth < len(above) - 1)


def _item(value: Any, like: Any) -> Any:
    """The value as it is written: with the remark that stood behind the one before."""
    made: Any = _table(value) if _is_table(value) else cast("Any", tomlkit.item(value))
    if _is_table(value) or _is_table(like) or not hasattr(like, "trivia"):
        return made
    made.trivia.comment_ws, made.trivia.comment = like.trivia.comment_ws, like.trivia.comment
    return made


def _table(value: dict[str, Any]) -> Table:
    plain = {key: one for key, one in value.items() if one is not None}
    table = tomlkit.table()
    for key in sorted(plain, key=lambda key: isinstance(plain[key], dict)):  # tables come last
        table[key] = _item(plain[key], None)
    return table


def _remove(document: Any, path: list[str]) -> None:
    *above, last = path
    table: Any = document
    for key in above:
        if not _is_table(table) or key not in table:
            return
        table = table[key]
    if _is_table(table) and last in table:
        _remove_remarks(table, last)
        del table[last]


def _is_empty(document: Any, path: list[str]) -> bool:
    table: Any = document
    for key in path:
        table = table.get(key, {})
    return not table


def _remove_remarks(table: Any, key: str) -> None:
    """The comment right above a key is about it, and goes with it (observed)."""
    body: Any = getattr(getattr(table, "value", table), "body", [])
    place = next((n for n, (k, _) in enumerate(body) if k is not None and k.key == key), 0)
    while place > 0 and isinstance(body[place - 1][1], Comment):
        place -= 1
        body[place] = (None, Null())


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping)
