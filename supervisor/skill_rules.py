"""`[[skills.config]]`: the entries that switch single skills off, by path or by name."""

from typing import Any, Literal

import tomlkit
from tomlkit.items import AoT

Selector = Literal["path", "name"]


def switched(text: str, selector: Selector, value: str, *, enabled: bool) -> str:
    """The text after a skill is switched: an entry says off, without one it is on (observed).

    Raises ValueError for text that is no TOML, and for `skills.config` that is no list of tables.
    """
    document: Any = tomlkit.parse(text)
    skills = document.get("skills")
    entries: Any = skills.get("config") if skills is not None else None
    if not _is_list(entries):
        raise ValueError("skills.config must be a list of tables, [[skills.config]]")
    places = [n for n, entry in enumerate(entries or ()) if entry.get(selector) == value]
    if enabled and not places:
        return text
    if enabled:
        for place in reversed(places):
            del entries[place]
        if entries is not None and not entries:
            del document["skills"]["config"]
            if not document["skills"]:
                del document["skills"]
        return _tidy(tomlkit.dumps(document))
    if places:
        entries[places[0]]["enabled"] = False
    else:
        return _with(text, selector, value)
    return tomlkit.dumps(document)


def _tidy(text: str) -> str:
    """Without the gap that stood before the last entry."""
    return f"{text.rstrip()}\n" if text.strip() else ""


def _with(text: str, selector: Selector, value: str) -> str:
    """A new entry at the end: tables may stand anywhere, and so nothing else moves."""
    said = tomlkit.item(value).as_string()
    gap = "\n" if text and not text.endswith("\n\n") else ""
    line = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{line}{gap}[[skills.config]]\n{selector} = {said}\nenabled = false\n"


def _is_list(entries: Any) -> bool:
    return entries is None or isinstance(entries, AoT)
