"""What tests of a thread's parts share."""

import pytest

from tests.workers.talking import talking


@pytest.fixture
async def talk(tmp_path):
    """A loaded thread to talk with."""
    async with talking(tmp_path) as talk:
        yield talk
