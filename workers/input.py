"""What the user sends becomes what the model reads: text, images, the files of skills."""

import base64
import re
import stat
from pathlib import Path
from typing import Any

from protocol.item import ImageInput, LocalImageInput, SkillInput, TextInput, UserInput
from protocol.settings import Settings

Item = dict[str, Any]  # of the Responses API

MAX_IMAGE_BYTES = 20 << 20  # ours: base64 adds a third, and every later request repeats it
_SIGNATURES = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif"}
_LINKED = re.compile(r"\[\$[^\]]+\]\(([^)]+)\)")
_NAMED = re.compile(r"\$([A-Za-z0-9_:-]+)")


class Unattachable(Exception):
    """A file that cannot be sent; the text says why."""


def user_item(inputs: list[UserInput]) -> Item | None:
    """The user's message.

    None when there is nothing to send: skills are sent by `skill_items`, and mentions are names
    that stand in the text already (observed).
    """
    parts: list[Item] = []
    images = 0
    for given in inputs:
        match given:
            case TextInput(text=text):
                parts.append(_text(text))
            case ImageInput(url=url):
                images += 1
                parts += _image("<image>", url)
            case LocalImageInput(path=path):
                images += 1
                parts += _local_image(path, images)
            case _:
                pass
    return {"type": "message", "role": "user", "content": parts} if parts else None


def typed(inputs: list[UserInput]) -> str:
    """All that the user has typed."""
    return "\n".join(part.text for part in inputs if isinstance(part, TextInput))


def skill_items(inputs: list[UserInput], settings: Settings) -> list[Item]:
    """One user message for each skill that the input asks for, in the order they are asked for.

    By a skill input, by a link `[$name](path)`, or by `$name` where a skill is called so.
    """
    asked = {item.path: item.name for item in inputs if isinstance(item, SkillInput)}
    names = {str(skill["path"]): str(skill["name"]) for skill in settings.skills}
    text = typed(inputs)
    linked = [path for path in _LINKED.findall(text) if path in names]
    words = set(_NAMED.findall(text))
    chosen = {names[path] for path in linked} | set(asked.values())
    called = [path for path, name in names.items() if name in words - chosen]
    for path in [*linked, *called]:
        asked.setdefault(path, names[path])
    return [_skill(name, path) for path, name in asked.items()]


def image_url(path: str) -> str:
    """The file as a data URL.  Raises Unattachable."""
    data = _read(path, MAX_IMAGE_BYTES + 1)
    if len(data) > MAX_IMAGE_BYTES:
        raise Unattachable(f"it is larger than {MAX_IMAGE_BYTES >> 20} MiB")
    return f"data:image/{_kind(data)};base64,{base64.b64encode(data).decode()}"


def _read(path: str, limit: int = -1) -> bytes:
    """Regular files only: reading a FIFO would hold the worker for ever."""
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise Unattachable("it is not a regular file")
        with Path(path).open("rb") as file:
            return file.read(limit)
    except OSError as error:
        raise Unattachable(error.strerror or str(error)) from None
    except ValueError as error:  # a NUL in the path
        raise Unattachable(str(error)) from None


def _kind(data: bytes) -> str:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    for signature, kind in _SIGNATURES.items():
        if data.startswith(signature):
            return kind
    raise Unattachable("it is no PNG, JPEG, GIF or WebP image")


def _local_image(path: str, number: int) -> list[Item]:
    """Observed: an image that cannot be read is replaced by a text, and the turn goes on."""
    try:
        return _image(f"<image name=[Image #{number}]>", image_url(path))
    except Unattachable as error:
        return [_text(f"The image `{path}` is not attached: {error}.")]


def _image(opening: str, url: str) -> list[Item]:
    picture = {"type": "input_image", "image_url": url, "detail": "high"}
    return [_text(opening), picture, _text("</image>")]


def _skill(name: str, path: str) -> Item:
    try:
        body = _read(path).decode("utf-8", "replace")
    except Unattachable as error:
        body = f"This skill cannot be read: {error}.\n"
    text = f"<skill>\n<name>{name}</name>\n<path>{path}</path>\n{body}\n</skill>"
    return {"type": "message", "role": "user", "content": [_text(text)]}


def _text(text: str) -> Item:
    return {"type": "input_text", "text": text}
