"""Have one server write threads and both read them: a program, so that it can run apart.

python -m tests.clients.compare PLACE WRITER NAME=PROGRAM…: prints what each of the named servers
says of what WRITER, one of the names, has written, as JSON by name.
"""

import shutil
import sys
from pathlib import Path
from typing import Any

import msgspec
import trio

from tests.clients.stories import Story, talking, view
from tests.conftest import CONFIG
from tests.model import Model

REPOSITORY = """
git init -q -b main && git remote add origin https://example.org/r
git -c user.name=a -c user.email=a@example.org commit -q --allow-empty -m first
"""


async def compare(place: Path, writer: str, programs: dict[str, str]) -> None:
    home, project = place / "home", place / "project"
    home.mkdir()
    project.mkdir()
    await trio.run_process(["sh", "-c", REPOSITORY], cwd=project)
    model = Model()
    views: dict[str, Any] = {}
    async with trio.open_nursery() as nursery:
        await nursery.start(model.serve)
        (home / "config.toml").write_text(CONFIG.format(base_url=model.base_url))
        async with talking(programs[writer], home, project) as client:
            story = Story(client, model, project)
            await story.tell()
        for reader, program in programs.items():
            copy = shutil.copytree(home, place / reader)
            async with talking(program, copy, project) as client:
                views[reader] = await view(client, model, story)
        nursery.cancel_scope.cancel()
    sys.stdout.buffer.write(msgspec.json.encode(views))


if __name__ == "__main__":
    place, writer, *named = sys.argv[1:]
    trio.run(compare, Path(place), writer, dict(name.split("=", 1) for name in named))
