"""`view_image`: a picture from the disk, put before the model.

A broken image would make the provider refuse this request and every later one of the thread, so
what is not a whole image of a known kind never gets into the history.  The kind is read from the
file's own bytes, not from its name.
"""

import base64
from pathlib import Path

import trio
from msgspec import Struct

from protocol.item import ImageView
from workers.tools import Call, Content, Tool, ToolFailure, Turn
from workers.tools.apply import absolute, os_error
from workers.tools.arguments import arguments

MAX_BYTES = 20_000_000  # ours: a third more as base64, and providers stop near 50 MB


class _Arguments(Struct, forbid_unknown_fields=True):
    path: str
    detail: str | None = None


async def _serve(turn: Turn, call: Call) -> Content:
    given = arguments(_Arguments, call.arguments)
    if given.detail not in (None, "original"):
        raise ToolFailure(
            "view_image.detail only supports `original`; omit `detail` for default resized "
            f"behavior, got `{given.detail}`"
        )
    path = absolute(turn.settings.cwd, given.path)
    url = await trio.to_thread.run_sync(_data_url, path)
    item = ImageView(call.id, path)
    turn.started(item)
    turn.completed(item)
    return [{"type": "input_image", "image_url": url, "detail": given.detail or "high"}]


def _data_url(path: str) -> str:
    data = _read(path)
    if (kind := image_kind(data)) is None:
        raise ToolFailure(
            f"unable to process image at `{path}`: unsupported image `{_guess(path)}`"
        )
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _read(path: str) -> bytes:
    try:
        size = Path(path).stat().st_size
        if not Path(path).is_file():
            raise ToolFailure(f"image path `{path}` is not a file")
        if size > MAX_BYTES:
            raise ToolFailure(
                f"unable to process image at `{path}`: {size} bytes are more than the "
                f"{MAX_BYTES} allowed; make a smaller copy and view that"
            )
        return Path(path).read_bytes()
    except OSError as error:
        raise ToolFailure(f"unable to locate image at `{path}`: {os_error(error)}") from None


def image_kind(data: bytes) -> str | None:
    """The MIME type of a whole PNG, JPEG, GIF or WebP; None for anything else or a cut-off one."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png" if b"IEND\xaeB`\x82" in data else None
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg" if b"\xff\xd9" in data else None
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif" if data.rstrip(b"\0").endswith(b";") else None
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        whole = len(data) >= int.from_bytes(data[4:8], "little") + 8
        return "image/webp" if whole else None
    return None


def _guess(path: str) -> str:
    """What the name promises, for the error only."""
    import mimetypes  # noqa: PLC0415 - reads a dozen system files

    return mimetypes.guess_type(path)[0] or "unknown"


VIEW_IMAGE = Tool(
    {
        "type": "function",
        "name": "view_image",
        "description": (
            "Shows you an image file of this machine: PNG, JPEG, GIF or WebP.  Use it when the "
            "user names a file and the picture itself matters."
        ),
        "strict": False,
        "parameters": {
            "type": "object",
            "properties": {
                "path": {
                    "type": "string",
                    "description": "The file, absolute or from the working directory.",
                },
                "detail": {
                    "type": "string",
                    "description": "`original` to see it unresized; leave it out otherwise.",
                },
            },
            "required": ["path"],
            "additionalProperties": False,
        },
    },
    _serve,
    alone=False,
)
