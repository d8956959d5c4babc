"""Which stored threads are agents of which."""

import pytest

from supervisor.store import Store
from tests.supervisor.test_store import id_of, rollout


@pytest.fixture
async def store(tmp_path, nursery):
    store = Store(tmp_path)
    await store.open(nursery)
    yield store
    await store.close()


def child(home, number: int, parent: int) -> None:
    spawn = {"parent_thread_id": id_of(parent), "depth": 1}
    rollout(home, number, source={"subagent": {"thread_spawn": spawn}})


async def test_agents_are_found_with_those_that_are_theirs(store, tmp_path):
    """Observed: all of them are archived with the thread."""
    rollout(tmp_path, 1, preview=f"names {id_of(9)}")
    child(tmp_path, 2, 1)
    child(tmp_path, 3, 2)
    child(tmp_path, 4, 9)

    assert await store.agents_of(id_of(1)) == [id_of(2), id_of(3)]
    assert await store.agents_of(id_of(9)) == [id_of(4)]


async def test_files_that_claim_each_other_are_found_once(store, tmp_path):
    """Ours: a file may say what it likes."""
    child(tmp_path, 1, 2)
    child(tmp_path, 2, 1)

    assert await store.agents_of(id_of(1)) == [id_of(2)]


async def test_what_is_put_away_is_nobodys_any_more(store, tmp_path):
    """Ours: so that nothing is archived twice."""
    rollout(tmp_path, 1)
    child(tmp_path, 2, 1)
    await store.archive(id_of(2))

    assert await store.agents_of(id_of(1)) == []
