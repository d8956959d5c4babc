"""What a reviewer is told of the conversation: what was said, what was done, and within bounds.

What the user has said counts for most, so it goes in first.  Tools have room of their own, so that
long outputs cannot crowd out what people have said.  The bounds are the reference server's.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from workers.compaction import own_words
from workers.guardian import wording
from workers.history import OUTPUTS, Item, message_text, parts
from workers.tools.output import tokens

ROOM_TOKENS = 10_000  # of what was said, and again of what was done
SAID_TOKENS = 2_000  # of one message
DONE_TOKENS = 1_000  # of one call, or one output
RECENT = 40  # entries that are not the user's
BYTES_PER_TOKEN = 4


@dataclass(frozen=True)
class Entry:
    who: str
    text: str
    kind: Literal["user", "said", "done"]

    @property
    def limit(self) -> int:
        return DONE_TOKENS if self.kind == "done" else SAID_TOKENS


def entries(items: Iterable[Item]) -> list[Entry]:
    """What counts of the history; context that we have written ourselves does not."""
    names: dict[str, str] = {}  # of the tools, by call
    found = (_entry(item, names) for item in items)
    return [entry for entry in found if entry is not None and entry.text.strip()]


def _entry(item: Item, names: dict[str, str]) -> Entry | None:
    match item:
        case {"type": "message", "role": "user"}:
            return Entry("user", own_words(item), "user")
        case {"type": "message", "role": "assistant"}:
            return Entry("assistant", message_text(item), "said")
        case {"type": "message", "role": "developer"}:
            text = message_text(item)
            return Entry("developer", text, "said") if text.startswith(wording.OVERRULED) else None
        case {"type": "web_search_call", "action": action}:
            return _done("web_search call", action)
        case {"type": kind} if kind in OUTPUTS:
            return _call(item, names)
        case {"type": kind, "call_id": call_id} if kind in OUTPUTS.values():
            name = names.get(call_id, "")
            return Entry(f"tool {name} result".replace("  ", " "), _output(item), "done")
        case _:
            return None


def _call(item: Item, names: dict[str, str]) -> Entry:
    name = item.get("name") or "shell"
    names[item.get("call_id") or ""] = name
    words = item.get("arguments") or item.get("input") or item.get("action") or ""
    return _done(f"{name} call", words)


def _done(what: str, words: Any) -> Entry:
    text = words if isinstance(words, str) else msgspec.json.encode(words).decode()
    return Entry(f"tool {what}", text, "done")


def _output(item: Item) -> str:
    said = item.get("output") or ""
    return said if isinstance(said, str) else message_text({"content": parts(item, "output")})


# ---- what there is room for


def rendered(all_entries: list[Entry], *, after: int = 0) -> tuple[list[str], bool]:
    """The entries behind the first `after`, numbered, and whether some had to be left out."""
    lines = [
        f"[{number}] {entry.who}: {shortened(entry.text, entry.limit)}"
        for number, entry in enumerate(all_entries[after:], after + 1)
    ]
    chosen = _chosen(all_entries[after:], lines)
    return [lines[place] for place in sorted(chosen)], len(chosen) < len(lines)


def _chosen(given: list[Entry], lines: list[str]) -> set[int]:
    """The user's first and last words, then what else the user said, then the rest; new ones
    before old ones."""
    room = {"said": ROOM_TOKENS, "done": ROOM_TOKENS}
    users = [place for place, entry in enumerate(given) if entry.kind == "user"]
    others = [place for place, entry in enumerate(given) if entry.kind != "user"]
    chosen = set[int]()

    def take(place: int) -> bool:
        kind = "done" if given[place].kind == "done" else "said"
        cost = tokens(len(lines[place].encode()))
        if place in chosen or cost > room[kind]:
            return False
        room[kind] -= cost
        chosen.add(place)
        return True

    for place in [*users[:1], *reversed(users)]:
        take(place)
    recent = 0
    for place in reversed(others):
        if recent == RECENT:
            break
        recent += take(place)
    return chosen


def shortened(text: str, limit: int) -> str:
    """Both ends, and in the middle a mark that says how much is missing."""
    data = text.encode("utf-8", "replace")
    room = limit * BYTES_PER_TOKEN
    if len(data) <= room:
        return text
    mark = f'<truncated omitted_approx_tokens="{tokens(len(data) - room)}" />'
    half = (room - len(mark)) // 2
    return data[:half].decode(errors="ignore") + mark + data[-half:].decode(errors="ignore")
