"""How the user's input reaches the model."""

import base64
import os

import pytest

from protocol.item import ImageInput, LocalImageInput, MentionInput, SkillInput, TextInput
from protocol.settings import Provider, Settings
from workers.input import Unattachable, image_url, skill_items, user_item

PNG = b"\x89PNG\r\n\x1a\n rest"
URL = "data:image/png;base64," + base64.b64encode(PNG).decode()
PICTURE = {"type": "input_image", "image_url": URL, "detail": "high"}


def texts(item):
    return [part.get("text") for part in item["content"]]


def settings(*skills):
    listed = [{"name": name, "path": str(path)} for name, path in skills]
    return Settings(home="/h", cwd="/w", model="m", provider=Provider("p", "P"), skills=listed)


def skill(folder, name):
    path = folder / name / "SKILL.md"
    path.parent.mkdir()
    path.write_text(f"I am {name}.\n")
    return path


def test_texts_stay_parts_of_their_own():
    """Observed: an empty one too."""
    assert user_item([TextInput("one"), TextInput("")]) == {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "one"}, {"type": "input_text", "text": ""}],
    }


def test_images_stand_between_tags_and_local_ones_are_numbered(tmp_path):
    """Observed: the number counts all images of the message."""
    (tmp_path / "a.png").write_bytes(PNG)
    local = LocalImageInput(str(tmp_path / "a.png"))
    item = user_item([TextInput("look"), local, ImageInput("https://x/y.png"), local])

    assert texts(item) == [
        "look",
        "<image name=[Image #1]>",
        None,
        "</image>",
        "<image>",
        None,
        "</image>",
        "<image name=[Image #3]>",
        None,
        "</image>",
    ]
    assert item["content"][2] == PICTURE
    assert item["content"][5] == {**PICTURE, "image_url": "https://x/y.png"}


def test_an_image_that_cannot_be_read_becomes_a_text(tmp_path):
    """Observed: the turn goes on."""
    (tmp_path / "notes.txt").write_text("no image")
    none, notes = str(tmp_path / "none.png"), str(tmp_path / "notes.txt")

    assert texts(user_item([LocalImageInput(none), LocalImageInput(notes)])) == [
        f"The image `{none}` is not attached: No such file or directory.",
        f"The image `{notes}` is not attached: it is no PNG, JPEG, GIF or WebP image.",
    ]


def test_mentions_and_skills_are_no_part_of_the_message():
    """Observed: nothing is sent for a mention."""
    mention, asked = MentionInput("a.txt", "/w/a.txt"), SkillInput("s", "/s")

    assert texts(user_item([mention, asked, TextInput("read it")])) == ["read it"]
    assert user_item([mention]) is None


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\xff\xd8\xff\xe0", "jpeg"),
        (b"GIF89a", "gif"),
        (b"RIFF\x00\x00\x00\x00WEBP", "webp"),
        (PNG, "png"),
    ],
)
def test_the_kind_of_an_image_is_read_from_its_bytes(tmp_path, head, kind):
    """Ours: names lie."""
    (tmp_path / "picture.txt").write_bytes(head)

    assert image_url(str(tmp_path / "picture.txt")).startswith(f"data:image/{kind};base64,")


def test_folders_pipes_and_huge_files_are_no_images(tmp_path, monkeypatch):
    """Ours: none of them may hold or flood the thread."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "huge.png").write_bytes(PNG)
    monkeypatch.setattr("workers.input.MAX_IMAGE_BYTES", 4)

    for name in ("pipe", "huge.png", ".", "nul\0"):
        with pytest.raises(Unattachable):
            image_url(str(tmp_path / name))


def test_a_skill_input_brings_its_file(tmp_path):
    """Observed: the tags, and a message of its own."""
    path = skill(tmp_path, "greeter")
    given = [TextInput("$greeter please"), SkillInput("greeter", str(path))]

    assert skill_items(given, settings(("greeter", path))) == [
        {
            "type": "message",
            "role": "user",
            "content": [
                {
                    "type": "input_text",
                    "text": f"<skill>\n<name>greeter</name>\n<path>{path}</path>\n"
                    "I am greeter.\n\n</skill>",
                }
            ],
        }
    ]


def test_skills_are_called_by_link_and_by_name(tmp_path):
    """Observed: links first, names after them, each skill once."""
    one, two, three = (skill(tmp_path, name) for name in ("one", "two", "three"))
    known = settings(("one", one), ("two", two), ("three", three))
    items = skill_items([TextInput(f"$one and [$two]({two}) and $two, not $four")], known)

    assert [texts(item)[0].split("\n")[1] for item in items] == [
        "<name>two</name>",
        "<name>one</name>",
    ]


def test_a_skill_that_cannot_be_read_says_so(tmp_path):
    """Ours: the reference leaves it out in silence."""
    [item] = skill_items([SkillInput("gone", str(tmp_path / "SKILL.md"))], settings())

    assert "This skill cannot be read: No such file or directory." in texts(item)[0]
