"""What hooks have a model go on with: a user's message in the tags of the reference server."""

import re

import msgspec
from msgspec import Struct

from protocol.errors import DECODE_ERRORS
from protocol.item import HookPromptFragment
from protocol.rollout import decode

MARK = b"<hook_prompt "
_TAGGED = re.compile(r'<hook_prompt hook_run_id="([^"]*)">(.*)</hook_prompt>', re.DOTALL)


class _Part(Struct):
    text: str = ""


class _Message(Struct, tag_field="type", tag="message"):
    role: str
    content: list[_Part]


_message = msgspec.json.Decoder(_Message).decode


def tagged(fragment: HookPromptFragment) -> str:
    import html  # noqa: PLC0415 - few have hooks, and it brings a long table

    run, text = html.escape(fragment.hook_run_id), html.escape(fragment.text, quote=False)
    return f'<hook_prompt hook_run_id="{run}">{text}</hook_prompt>'


def stored(line: bytes) -> list[HookPromptFragment]:
    """Those of a rollout's line; none when it is another message that happens to have the mark."""
    if (read := decode(line)) is None:
        return []
    try:
        message = _message(read.payload)
    except DECODE_ERRORS:
        return []
    if message.role != "user":
        return []
    import html  # noqa: PLC0415 - as above

    found = [_TAGGED.fullmatch(part.text) for part in message.content]
    return [HookPromptFragment(html.unescape(m[1]), html.unescape(m[2])) for m in found if m]
