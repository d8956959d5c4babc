"""`memory/reset`: what it removes and what it leaves alone."""

import pytest

from protocol.errors import RpcError
from protocol.memory import MemoryResetResponse
from protocol.methods import MEMORY_RESET
from protocol.wire import Nothing


def write(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("remembered")


async def test_a_reset_empties_the_folders_and_leaves_them(connect_stdio, home, tmp_path):
    """Observed: folders within them go too, but what links in them point to stays."""
    write(home, "memories/a.md", "memories/sub/b.md", "memories_extensions/c.md")
    write(tmp_path, "mine/d.md")
    (home / "memories" / "link").symlink_to(tmp_path / "mine")
    client = await connect_stdio()

    assert await client.call(MEMORY_RESET, Nothing()) == MemoryResetResponse()
    assert [list((home / name).iterdir()) for name in ("memories", "memories_extensions")] == [
        [],
        [],
    ]
    assert (tmp_path / "mine" / "d.md").exists()


async def test_a_folder_that_is_a_link_is_refused(connect_stdio, home, tmp_path):
    """Observed: nothing is removed then, in the other folder either."""
    write(home, "memories/a.md")
    write(tmp_path, "mine/d.md")
    (home / "memories_extensions").symlink_to(tmp_path / "mine")
    client = await connect_stdio()
    with pytest.raises(RpcError, match="is a link"):
        await client.call(MEMORY_RESET, Nothing())

    assert (home / "memories" / "a.md").exists()
    assert (tmp_path / "mine" / "d.md").exists()
