"""What waits for one client: order, bounds, and the end."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from supervisor.outbox import Closed, Outbox


async def test_all_that_waits_is_taken_in_one_piece():
    """Ours (DESIGN 3): one write for what is ready together."""
    box = Outbox()
    for piece in (b"a", b"b", b"c"):
        box.put(piece)

    assert await box.take() == b"abc"
    assert box.size == 0


async def test_taking_waits_for_something_to_take(nursery):
    """Ours."""
    box, taken = Outbox(), []

    async def take():
        taken.append(await box.take())

    nursery.start_soon(take)
    await wait_all_tasks_blocked()
    box.put(b"a")
    await wait_all_tasks_blocked()
    assert taken == [b"a"]


async def test_a_closed_box_gives_what_it_has_and_takes_no_more():
    """Ours: the last answers still go out."""
    box = Outbox()
    box.put(b"a")
    box.close()
    box.put(b"b")

    assert await box.take() == b"a"
    with pytest.raises(Closed):
        await box.take()


@pytest.mark.parametrize("end", ["take", "close"])
async def test_whoever_waits_for_room_goes_on_when_there_is_some_or_never_will_be(end, nursery):
    """Ours (DESIGN 7): stdio reads no further while its client does not."""
    box, went_on = Outbox(limit=3), trio.Event()

    async def wait():
        await box.wait_room()
        went_on.set()

    box.put(b"four")
    assert box.full
    nursery.start_soon(wait)
    await wait_all_tasks_blocked()
    assert not went_on.is_set()
    await box.take() if end == "take" else box.close()
    with trio.fail_after(5):
        await went_on.wait()


async def test_several_may_wait_for_different_room(nursery):
    """Ours: whoever reads from the client, and whoever holds back what its processes say."""
    box, went_on = Outbox(limit=8), []

    async def wait(size):
        await box.wait_room(size)
        went_on.append(size)

    box.put(b"ten bytes!")
    for size in (None, 1, 0):
        nursery.start_soon(wait, size)
        await wait_all_tasks_blocked()
    await box.take()
    box.put(b"3by")
    await wait_all_tasks_blocked()
    assert went_on == [None]
    await box.take()
    await wait_all_tasks_blocked()
    assert sorted(went_on[1:]) == [0, 1]


class Wire:
    """Takes `room` bytes at once."""

    def __init__(self, box, room):
        self.box, self.room = box, room
        self.pushed, self.taken = b"", b""
        box.push = self.push

    def push(self, data):
        fits = data[: self.room]
        self.pushed += fits
        self.room -= len(fits)
        return len(fits)

    async def write(self):
        while True:
            self.taken += await self.box.take()
            await trio.sleep_forever()  # the write of this piece does not end


@pytest.mark.parametrize("room", [0, 1, 2, 3, 6])
async def test_what_the_system_takes_at_once_need_not_wake_the_writer(room, nursery):
    """Ours: and what it does not take follows, each byte once and in order."""
    wire = Wire(Outbox(), room)
    nursery.start_soon(wire.write)
    await wait_all_tasks_blocked()
    for piece in (b"ab", b"cd", b"ef"):
        wire.box.put(piece)
    await wait_all_tasks_blocked()

    assert wire.pushed == b"abcdef"[:room]
    assert wire.pushed + wire.taken == b"abcdef"
    nursery.cancel_scope.cancel()


async def test_nothing_overtakes_what_is_being_written(nursery):
    """Ours: while a piece is under way, pushing would put the next one before its end."""
    wire = Wire(Outbox(), 0)
    nursery.start_soon(wire.write)
    await wait_all_tasks_blocked()
    wire.box.put(b"first")
    await wait_all_tasks_blocked()
    wire.room = 100
    wire.box.put(b"second")

    assert wire.pushed == b""
    nursery.cancel_scope.cancel()
