"""Watches without a server: what they cost, and what is told when there is too much to tell."""

from contextlib import asynccontextmanager

import msgspec
import pytest
import trio

from protocol.errors import RpcError
from supervisor import watches as module
from supervisor.inotify import OVERFLOW, Change
from supervisor.watches import Watches
from tests.supervisor.test_commands import connection


@asynccontextmanager
async def watching():
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            yield Watches(nursery)
            nursery.cancel_scope.cancel()


async def told(client):
    """(id, paths) of the next notification."""
    params = msgspec.json.decode((await client.outbox.take()).splitlines()[0])["params"]
    return params["watchId"], params["changedPaths"]


async def test_nothing_is_left_of_a_client_that_has_gone(tmp_path):
    """Ours: the system's watches are for everybody."""
    async with watching() as watches:
        gone, other = connection(), connection()
        for n in range(5):
            await watches.begin(gone, str(n), bytes(tmp_path / "missing" / str(n)))
        await watches.begin(other, "w", bytes(tmp_path))
        gone.outbox.close()
        watches.left(gone)
        await watches.begin(gone, "late", bytes(tmp_path))

        assert [watch.client for watch in watches._watches.values()] == [other]
        assert {w.client for seen in watches._seen_by.values() for w in seen} == {other}
        (tmp_path / "f").touch()
        assert await told(other) == ("w", [str(tmp_path / "f")])


async def test_too_many_changes_are_told_as_the_watched_path(tmp_path, monkeypatch):
    """Ours: a message is bounded."""
    monkeypatch.setattr(module, "NAMED", 10)
    async with watching() as watches:
        client = connection()
        await watches.begin(client, "w", bytes(tmp_path))
        for n in range(100):
            (tmp_path / str(n)).touch()

        id, paths = await told(client)

        assert id == "w"
        assert str(tmp_path) in paths
        assert len(paths) <= 11


async def test_what_the_system_could_not_tell_is_told_to_all(tmp_path):
    """Ours: better once too often."""
    async with watching() as watches:
        client = connection()
        await watches.begin(client, "w", bytes(tmp_path / "f"))
        await watches._notice(Change(-1, OVERFLOW, b""))

        assert await told(client) == ("w", [str(tmp_path / "f")])


async def test_a_client_that_does_not_read_is_told_later_and_once(tmp_path):
    """Ours: its outbox must not grow with each change."""
    async with watching() as watches:
        client = connection()
        await watches.begin(client, "w", bytes(tmp_path))
        client.outbox.put(bytes(module.ROOM_BYTES + 1))
        for name in ("a", "b"):
            (tmp_path / name).touch()
            await trio.sleep(1.5 * module.DEBOUNCE_SECONDS)  # a debounce each, and more
        assert client.outbox.size == module.ROOM_BYTES + 1
        await client.outbox.take()

        assert await told(client) == ("w", [str(tmp_path / "a"), str(tmp_path / "b")])


async def test_a_path_that_cannot_be_watched_leaves_its_id_free(tmp_path):
    """Ours."""
    async with watching() as watches:
        client = connection()
        (tmp_path / "loop").symlink_to("loop")
        with pytest.raises(RpcError, match="cannot watch this path"):
            await watches.begin(client, "w", bytes(tmp_path / "loop" / "f"))

        await watches.begin(client, "w", bytes(tmp_path))
