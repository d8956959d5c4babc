import threading
from pathlib import Path

import trio

from workers.rehearsal import rehearse


async def test_a_rehearsal_ends_and_leaves_nothing_that_a_fork_would_lose():
    """Ours: the nursery process forks right behind it."""

    def held() -> tuple[int, int]:
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()

    before = held()

    with trio.fail_after(5):
        await rehearse()

    assert held() == before
