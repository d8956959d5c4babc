"""The search worker, seen from the supervisor: when it is born, who hears it, when it ends."""

from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from protocol.errors import RpcError
from protocol.frames import Bye, Cancel, Event, Reply
from protocol.fuzzy import FuzzyFileSearchResponse
from protocol.seldom import Find, Query, Root, StartSearches
from supervisor.searches import Searches
from supervisor.seldom import IDLE_SECONDS
from tests.supervisor.test_commands import Births, connection, said_to

ROOTS = [Root("r", "/r")]
NOTHING = FuzzyFileSearchResponse(files=[])
ANSWER = b'{"files":[]}'


@asynccontextmanager
async def searching():
    births = Births()
    async with trio.open_nursery() as nursery:
        yield Searches(births, nursery), births, nursery
        nursery.cancel_scope.cancel()


async def settled():
    await trio.testing.wait_all_tasks_blocked()


class Caller:
    """A client that waits for one search."""

    def __init__(self, searches, nursery, client=None, token=None):
        self.client = client or connection()
        self.answer = None
        nursery.start_soon(self._find, searches, token)

    async def _find(self, searches, token):
        try:
            self.answer = await searches.find(self.client, ROOTS, "q", token)
        except RpcError as error:
            self.answer = error


async def test_a_worker_is_born_when_it_is_needed_and_told_in_order():
    """Ours: a server in which nobody searches has none."""
    async with searching() as (searches, births, _):
        assert births.born == []
        client = connection()
        searches.start(client, "s", ROOTS)
        searches.update(client, "s", "a")
        await settled()
        searches.update(client, "s", "ab")

        [worker] = births.born
        assert worker.told == [
            StartSearches(), Find(1, ROOTS, session="s"), Query(1, "a"), Query(1, "ab"),
        ]  # fmt: skip


async def test_what_is_told_of_a_session_goes_to_its_client_until_it_is_stopped():
    """Ours."""
    async with searching() as (searches, births, _):
        client = connection()
        searches.start(client, "s", ROOTS)
        await settled()
        [worker] = births.born
        await worker.says(Event(0, "fuzzyFileSearch/sessionUpdated", b"heard", only=1))
        searches.stop(client, "s")
        await worker.says(Event(1, "fuzzyFileSearch/sessionUpdated", b"too late", only=1))

        assert worker.told[-1] == Cancel(1)
        assert await said_to(client) == [b"heard"]


async def test_what_a_client_has_begun_ends_with_it():
    """Ours: also a search that was begun when it had gone."""
    async with searching() as (searches, births, nursery):
        caller = Caller(searches, nursery)
        searches.start(caller.client, "s", ROOTS)
        await settled()
        caller.client.outbox.close()
        searches.left(caller.client)
        late = Caller(searches, nursery, caller.client)
        await settled()

        assert caller.answer == late.answer == NOTHING
        cancelled = {frame.n for frame in births.born[0].told if isinstance(frame, Cancel)}
        assert cancelled == {1, 2, 3}


async def test_a_search_gives_way_to_another_with_its_token():
    """Observed: and is answered with nothing."""
    async with searching() as (searches, _, nursery):
        client = connection()
        first = Caller(searches, nursery, client, "t")
        await settled()
        second = Caller(searches, nursery, client, "t")
        Caller(searches, nursery, connection(), "t")  # somebody else's
        await settled()

        assert (first.answer, second.answer) == (NOTHING, None)


async def test_a_dead_worker_fails_its_searches_and_is_replaced():
    """Ours."""
    async with searching() as (searches, births, nursery):
        caller = Caller(searches, nursery)
        searches.start(caller.client, "s", ROOTS)
        await settled()
        await births.born[0].says()

        assert isinstance(caller.answer, RpcError)
        assert "search again" in caller.answer.message
        with pytest.raises(RpcError, match="session not found: s"):
            searches.update(caller.client, "s", "a")
        again = Caller(searches, nursery)
        await settled()
        await births.born[1].says(Reply(births.born[1].told[1].n, ANSWER))
        assert again.answer == NOTHING


async def test_a_worker_that_nobody_wants_ends(autojump_clock):
    """Ours: it gives back what it knew of the disk."""
    async with searching() as (searches, births, nursery):
        client = connection()
        searches.start(client, "s", ROOTS)
        await trio.sleep(3 * IDLE_SECONDS)
        [worker] = births.born
        assert not any(isinstance(frame, Bye) for frame in worker.told)

        searches.stop(client, "s")
        await trio.sleep(2.5 * IDLE_SECONDS)
        assert isinstance(worker.told[-1], Bye)
        await worker.says()

        Caller(searches, nursery)
        await trio.sleep(1)
        assert len(births.born) == 2
