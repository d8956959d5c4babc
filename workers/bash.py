"""Reads a shell script as the plain commands that it is made of, or not at all.

An approval judges commands, and a script hides them.  Only what can be read with certainty counts:
words, joined by `&&`, `||`, `;`, `|` and newlines.  Whatever could make the shell run or write
something that the words do not show (substitutions, redirections, variables, braces, control flow)
gives None, and the script is then judged as a whole.
"""

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

_JOINTS = {"&&", "||", ";", "|", "\n"}
_GROUPS = {"program", "list", "pipeline"}
_GLOB = "*?["
_ACTIVE = "$`<>()|&;{}"  # unquoted, each of these does more than stand for itself
_WORDS = {"word", "number", "raw_string", "string"}
_GAP = re.compile(rb"(?:[ \t\n]|\\\n)*")
_BLANK = re.compile(rb"(?:\\\n)*[ \t](?:[ \t]|\\\n)*")
_RESERVED = {
    *("!", "[[", "]]", "{", "}", "case", "coproc", "do", "done", "elif", "else", "esac", "fi"),
    *("for", "function", "if", "in", "select", "then", "time", "until", "while"),
}
_HEREDOC = re.compile(
    r"(?P<head>[^\n<]*)<<(?P<quote>['\"]?)(?P<end>\w+)(?P=quote)\n(?P<body>.*\n)?(?P=end)\n?",
    re.DOTALL,
)
_ESCAPABLE = '$`"\\'  # within double quotes a backslash quotes only these, and a newline
_MAX_BYTES = 1 << 16  # ours: longer is no plain list of commands; keeps parsing short


class Pattern(str):
    """A word with an unquoted `*`, `?` or `[`: the shell may put any file names in its place."""

    __slots__ = ()


class _NotPlainError(Exception):
    pass


def plain_commands(script: str) -> list[list[str]] | None:
    """The argv of each command, unquoted, in order; None for anything else, and for nothing."""
    try:
        root = _parse(script)
        return list(_commands(root)) or None
    except _NotPlainError:
        return None


def literal_commands(script: str) -> list[list[str]]:
    """Every command that is written out anywhere in a script, as far as its words are.

    A word that is not written out is an empty one.  Not for what must be certain: what a script
    puts together while it runs is not seen, and a script that cannot be parsed shows nothing.
    """
    source = script.encode(errors="replace")
    if len(source) > _MAX_BYTES:
        return []
    return [_literal_words(node) for node in _walk(_parser().parse(source).root_node)]


def _walk(root: "Node") -> Iterator["Node"]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.type == "command":
            yield node
        waiting += node.children


def _literal_words(command: "Node") -> list[str]:
    words: list[str] = []
    for child in command.children:
        inner = child.children[0] if child.type == "command_name" and child.children else child
        if inner.type == "variable_assignment":
            continue
        try:
            words.append(_word(inner))
        except _NotPlainError:
            words.append("")
    return words


def heredoc_command(script: str) -> list[str] | None:
    """The argv of the only command, when a literal here-document is all it has besides words."""
    found = _HEREDOC.fullmatch(script)
    if not found:
        return None
    body = found["body"] or ""
    if found["end"] in body.splitlines():
        return None
    if not found["quote"] and any(letter in body for letter in "$`\\"):
        return None
    commands = plain_commands(found["head"])
    return commands[0] if commands and len(commands) == 1 else None


@cache
def _parser() -> "Parser":
    import tree_sitter_bash  # noqa: PLC0415 - native code that most workers never need
    from tree_sitter import Language, Parser  # noqa: PLC0415

    return Parser(Language(tree_sitter_bash.language()))


def _parse(script: str) -> "Node":
    # The grammar takes other blanks for separators, bash takes them for letters.
    if any(c not in " \t\n" and (c.isspace() or not c.isprintable()) for c in script):
        raise _NotPlainError
    source = script.encode()
    if len(source) > _MAX_BYTES:
        raise _NotPlainError
    root = _parser().parse(source).root_node
    if root.has_error or not _covers(root, source):
        raise _NotPlainError
    return root


def _covers(root: "Node", source: bytes) -> bool:
    """Whether every letter is in the tree: the grammar drops the `-` of `cat - <<X`, for one."""
    at = 0
    for leaf in _leaves(root):
        if not _GAP.fullmatch(source, at, leaf.start_byte):
            return False
        at = leaf.end_byte
    return _GAP.fullmatch(source, at) is not None


def _leaves(node: "Node") -> Iterator["Node"]:
    if node.type in _WORDS or not node.children:
        yield node
    else:
        for child in node.children:
            yield from _leaves(child)


def _commands(node: "Node") -> Iterator[list[str]]:
    for left, right in pairwise(node.children):
        apart = not {left.type, right.type}.isdisjoint(_JOINTS)
        if not apart and b"\n" not in _between(node, left, right).replace(b"\\\n", b""):
            raise _NotPlainError
    for child in node.children:
        if child.type in _GROUPS:
            yield from _commands(child)
        elif child.type == "command":
            yield _words(child)
        elif child.type not in _JOINTS:
            raise _NotPlainError


def _words(command: "Node") -> list[str]:
    children = command.children
    if not children or children[0].type != "command_name" or len(children[0].children) != 1:
        raise _NotPlainError
    # Words without a blank between them are one word to bash, whatever the grammar makes of them:
    # `-del\\<newline>ete` is `-delete`.
    if not all(_BLANK.fullmatch(_between(command, a, b)) for a, b in pairwise(children)):
        raise _NotPlainError
    if _text(children[0]) in _RESERVED:
        raise _NotPlainError
    return [_word(children[0].children[0]), *(_word(child) for child in children[1:])]


def _between(parent: "Node", left: "Node", right: "Node") -> bytes:
    assert parent.text is not None
    return parent.text[left.end_byte - parent.start_byte : right.start_byte - parent.start_byte]


def _word(node: "Node") -> str:
    text, glob = _value(node)
    return Pattern(text) if glob else text


def _value(node: "Node") -> tuple[str, bool]:
    """The word's value, and whether the shell would look for files that match it."""
    text = _text(node)
    if text == "{}":  # what find and xargs fill in; braces expand only around something
        return text, False
    match node.type:
        case "word" | "number":
            return _unquoted(text)
        case "raw_string":
            return text[1:-1], False
        case "string":
            return _double_quoted(text), False
        case "concatenation":
            parts = [_value(child) for child in node.children]
            return "".join(part for part, _ in parts), any(glob for _, glob in parts)
        case _:
            raise _NotPlainError


def _text(node: "Node") -> str:
    assert node.text is not None
    return node.text.decode()


def _unquoted(text: str) -> tuple[str, bool]:
    value = ""
    glob = False
    letters = iter(text)
    for letter in letters:
        if letter == "\\":
            quoted = next(letters, "")
            value += "" if quoted == "\n" else quoted
        elif letter in _ACTIVE or letter in " \t\n":
            raise _NotPlainError
        else:
            glob = glob or letter in _GLOB
            value += letter
    return value, glob


def _double_quoted(text: str) -> str:
    if not (len(text) >= 2 and text[0] == text[-1] == '"'):
        raise _NotPlainError
    value = ""
    letters = iter(text[1:-1])
    for letter in letters:
        if letter == "\\":
            quoted = next(letters, "")
            value += quoted if quoted in _ESCAPABLE else "" if quoted == "\n" else "\\" + quoted
        elif letter in "$`":
            raise _NotPlainError
        else:
            value += letter
    return value
