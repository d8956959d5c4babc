"""view_image as a client and a model see it."""

import base64
import json
import os
from types import SimpleNamespace

import pytest

from protocol.item import ImageView
from workers.tools import Call, ToolFailure
from workers.tools.image import VIEW_IMAGE, image_kind

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


async def view(cwd, **arguments):
    log = []
    turn = SimpleNamespace(
        settings=SimpleNamespace(cwd=str(cwd)),
        started=lambda item: log.append(("started", item)),
        completed=lambda item: log.append(("completed", item)),
    )
    call = Call("c", "view_image", json.dumps(arguments))
    return await VIEW_IMAGE.serve(turn, call), log


async def test_an_image_is_shown_to_client_and_model(tmp_path):
    """Observed."""
    (tmp_path / "dot.txt").write_bytes(PNG)
    url = "data:image/png;base64," + base64.b64encode(PNG).decode()
    item = ImageView("c", f"{tmp_path}/dot.txt")
    for arguments, detail in (({}, "high"), ({"detail": "original"}, "original")):
        output, log = await view(tmp_path, path="./dot.txt", **arguments)
        assert output == [{"type": "input_image", "image_url": url, "detail": detail}]
        assert log == [("started", item), ("completed", item)]


async def test_what_is_no_image_is_refused(tmp_path):
    """Observed, but for the FIFO."""
    (tmp_path / "notes.txt").write_text("text")
    (tmp_path / "cut.png").write_bytes(PNG[:30])
    (tmp_path / "bare").write_text("")
    os.mkfifo(tmp_path / "fifo")
    for path, message in (
        ("none.png", f"unable to locate image at `{tmp_path}/none.png`: No such file or directory"),
        ("", f"image path `{tmp_path}` is not a file"),
        ("fifo", f"image path `{tmp_path}/fifo` is not a file"),
        ("notes.txt", "unable to process image at `.*`: unsupported image `text/plain`"),
        ("cut.png", "unsupported image `image/png`"),
        ("bare", "unsupported image `unknown`"),
    ):
        with pytest.raises(ToolFailure, match=message):
            await view(tmp_path, path=path)


async def test_an_image_beyond_the_bound_is_refused(tmp_path, monkeypatch):
    """Ours: the reference makes it smaller."""
    monkeypatch.setattr("workers.tools.image.MAX_BYTES", 10)
    (tmp_path / "dot.png").write_bytes(PNG)
    with pytest.raises(ToolFailure, match="70 bytes are more than the 10 allowed; make a smaller"):
        await view(tmp_path, path="dot.png")


async def test_only_the_original_detail_can_be_asked_for(tmp_path):
    """Observed."""
    with pytest.raises(ToolFailure, match=r"detail only supports `original`; .* got `low`"):
        await view(tmp_path, path="x", detail="low")


def test_images_are_known_by_their_bytes_and_must_be_whole():
    """Ours: a cut-off image would make the provider refuse the thread's every later request."""
    webp = b"RIFF\x0c\0\0\0WEBPVP8 data"
    jpeg = b"\xff\xd8\xff\xe0..\xff\xd9"
    kinds = {PNG: "png", GIF: "gif", GIF + b"\0": "gif", webp: "webp", jpeg: "jpeg"}
    for data, kind in kinds.items():
        assert image_kind(data) == f"image/{kind}"
    for data in (b"", b"<svg/>", PNG[:-4], GIF[:-1], webp[:-1], jpeg[:-1], b"RIFF1234WAVE"):
        assert image_kind(data) is None
