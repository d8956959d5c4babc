"""Differences as text: of one file for its item, and of the whole turn for `turn/diff/updated`.

difflib takes quadratic time and more on unlucky files, and a turn must never hang on showing what
it did.  This is Myers' greedy algorithm with a limit: beyond it the differing middle is shown as
one replacement, which is true, only longer.
"""

from collections.abc import Iterable
from hashlib import sha1
from pathlib import Path

from workers.tools.apply import Contents, Edit, split_lines

MAX_DISTANCE = 1000  # ours: changed lines; about half a second at worst
MAX_STEPS = 2_000_000  # ours: lines compared, for files that repeat themselves
ITEM_CONTEXT = 1  # lines around a change in a fileChange item (observed)
TURN_CONTEXT = 3  # and in the turn's diff, as git has it

# Lines a[i1:i2] became b[j1:j2].
Block = tuple[int, int, int, int]


def unified(old: str, new: str, context: int = ITEM_CONTEXT) -> str:
    """Hunks only, without file headers.  Empty when nothing differs."""
    a, b = split_lines(old), split_lines(new)
    return "".join(_hunk(a, b, group, context) for group in _groups(_blocks(a, b), context))


def _groups(blocks: list[Block], context: int) -> list[list[Block]]:
    """Blocks so near to each other that their context would meet share a hunk."""
    groups: list[list[Block]] = []
    for block in blocks:
        if groups and block[0] - groups[-1][-1][1] <= 2 * context:
            groups[-1].append(block)
        else:
            groups.append([block])
    return groups


def _hunk(a: list[str], b: list[str], blocks: list[Block], context: int) -> str:
    i, j = (max(start - context, 0) for start in (blocks[0][0], blocks[0][2]))
    end_i, end_j = min(blocks[-1][1] + context, len(a)), min(blocks[-1][3] + context, len(b))
    out = [f"@@ -{_range(i, end_i)} +{_range(j, end_j)} @@\n"]
    for i1, i2, j1, j2 in blocks:
        out += [_shown(" ", line) for line in a[i:i1]]
        out += [_shown("-", line) for line in a[i1:i2]]
        out += [_shown("+", line) for line in b[j1:j2]]
        i = i2
    out += [_shown(" ", line) for line in a[i:end_i]]
    return "".join(out)


def _range(start: int, end: int) -> str:
    """Counted from one; an empty range names the line before it."""
    if end - start == 1:
        return str(start + 1)
    return f"{start + (end > start)},{end - start}"


def _shown(sign: str, line: str) -> str:
    return sign + line if line.endswith("\n") else f"{sign}{line}\n\\ No newline at end of file\n"


# ---- which lines differ


def _blocks(a: list[str], b: list[str]) -> list[Block]:
    start, end = 0, 0
    shorter = min(len(a), len(b))
    while start < shorter and a[start] == b[start]:
        start += 1
    while end < shorter - start and a[-1 - end] == b[-1 - end]:
        end += 1
    middle_a, middle_b = a[start : len(a) - end], b[start : len(b) - end]
    if not middle_a and not middle_b:
        return []
    blocks = [(0, len(middle_a), 0, len(middle_b))]
    if middle_a and middle_b:
        blocks = _myers(middle_a, middle_b) or blocks
    moved = [(i1 + start, i2 + start, j1 + start, j2 + start) for i1, i2, j1, j2 in blocks]
    return _slide(a, b, moved)


def _myers(a: list[str], b: list[str]) -> list[Block]:
    """The shortest way from `a` to `b`, or nothing when it is too long to look for."""
    numbers: dict[str, int] = {}
    x_lines = [numbers.setdefault(line, len(numbers)) for line in a]
    y_lines = [numbers.setdefault(line, len(numbers)) for line in b]
    n, m, steps = len(a), len(b), 0
    most = min(n + m, MAX_DISTANCE)
    reach = [0] * (2 * most + 3)  # furthest x on each diagonal k, at k + most + 1
    trail: list[list[int]] = []
    for d in range(most + 1):
        trail.append(reach[most - d : most + d + 3])
        for k in range(-d, d + 1, 2):
            at = k + most + 1
            down = k == -d or (k != d and reach[at - 1] < reach[at + 1])
            x = reach[at + 1] if down else reach[at - 1] + 1
            y = x - k
            while x < n and y < m and x_lines[x] == y_lines[y]:
                x, y, steps = x + 1, y + 1, steps + 1
            reach[at] = x
            if x >= n and y >= m:
                return _walk_back(trail, n, m)
        if steps > MAX_STEPS:
            break
    return []


def _walk_back(trail: list[list[int]], x: int, y: int) -> list[Block]:
    blocks: list[Block] = []
    for d in range(len(trail) - 1, 0, -1):
        reach, k = trail[d], x - y
        at = k + d + 1
        down = k == -d or (k != d and reach[at - 1] < reach[at + 1])
        before_x = reach[at + 1] if down else reach[at - 1]
        before_y = before_x - (k + 1 if down else k - 1)
        after_x, after_y = (before_x, before_y + 1) if down else (before_x + 1, before_y)
        blocks.append((before_x, after_x, before_y, after_y))
        x, y = before_x, before_y
    return _joined(reversed(blocks))


def _joined(blocks: Iterable[Block]) -> list[Block]:
    joined: list[Block] = []
    for block in blocks:
        if joined and joined[-1][1] == block[0] and joined[-1][3] == block[2]:
            joined[-1] = (joined[-1][0], block[1], joined[-1][2], block[3])
        else:
            joined.append(block)
    return joined


def _slide(a: list[str], b: list[str], blocks: list[Block]) -> list[Block]:
    """Show an added or removed run of lines as far down as it may stand, as git does."""
    slid: list[Block] = []
    following = len(a)
    for i1, i2, j1, j2 in reversed(blocks):
        by = 0
        if i1 == i2:
            while i2 + by < following and b[j1 + by] == b[j2 + by]:
                by += 1
        elif j1 == j2:
            while i2 + by < following and a[i1 + by] == a[i2 + by]:
                by += 1
        slid.append((i1 + by, i2 + by, j1 + by, j2 + by))
        following = i1 + by
    return _joined(reversed(slid))


# ---- the turn's diff

_NOTHING = "0" * 40
_MODE = "100644"


class TurnDiff:
    """What the patches of one turn did, as one diff against the files before the turn.

    Paths are shown relative to the git repository around `cwd`, or to `cwd` outside of one.
    """

    def __init__(self, cwd: str) -> None:
        self._cwd = cwd
        self._files = Contents()
        self.changed = False

    def note(self, edits: list[Edit]) -> None:
        for edit in edits:
            self._files.see(edit.path, edit.old)
            if edit.move_path is not None and edit.new is not None:
                self._files.see(edit.move_path, edit.covered)
                self._files.move(edit.path, edit.move_path, edit.new)
            else:
                self._files.put(edit.path, edit.new)
            self.changed = True

    def text(self) -> str:
        """Empty when the turn's patches cancelled each other out."""
        root = _root(self._cwd)
        files, parts = self._files, list[tuple[str, str]]()
        moves = {old: new for old, new in files.moves().items() if files.before[new] is None}
        arrived = set(moves.values())
        for path, old in files.before.items():
            target = moves.get(path, path)
            if path in arrived or (target == path and old == files.after[path]):
                continue
            names = _name(root, path), _name(root, target)
            parts.append((names[1], _file_diff(*names, old, files.after[target])))
        return "".join(text for _, text in sorted(parts))


def _root(cwd: str) -> str:
    for folder in (Path(cwd), *Path(cwd).parents):
        if (folder / ".git").exists():
            return str(folder)
    return cwd


def _name(root: str, path: str) -> str:
    """Outside of the root, the absolute path (observed)."""
    return path.removeprefix(root.rstrip("/") + "/")


def _file_diff(old_name: str, new_name: str, old: str | None, new: str | None) -> str:
    head = [f"diff --git a/{old_name} b/{new_name}"]
    if old is None:
        head.append(f"new file mode {_MODE}")
    elif new is None:
        head.append(f"deleted file mode {_MODE}")
    elif old == new:
        head += ["similarity index 100%", f"rename from {old_name}", f"rename to {new_name}"]
        return "\n".join(head) + "\n"
    head.append(f"index {_blob(old)}..{_blob(new)}")
    if hunks := unified(old or "", new or "", TURN_CONTEXT):
        head.append("--- " + ("/dev/null" if old is None else f"a/{old_name}"))
        head.append("+++ " + ("/dev/null" if new is None else f"b/{new_name}"))
    return "\n".join(head) + "\n" + hunks


def _blob(content: str | None) -> str:
    """Git's id of a file's content."""
    if content is None:
        return _NOTHING
    data = content.encode()
    return sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
