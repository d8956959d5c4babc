"""While a client asks its user something, time stands still for commands."""

import trio

from workers.elicitation import Elicitations


async def test_the_time_of_an_open_question_does_not_count(autojump_clock):
    """Observed: also when it is asked late, and when several are."""
    asked, never = Elicitations(), trio.Event()

    async def ask():
        await trio.sleep(3)
        asked.change(2)
        await trio.sleep(100)
        asked.change(-1)
        await trio.sleep(100)
        asked.change(-1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await asked.wait_over(never, 10)
    assert trio.current_time() >= 210
    assert trio.current_time() < 211


async def test_what_comes_is_not_waited_for_any_longer(autojump_clock):
    """Ours: an open question holds nothing up that has its end."""
    asked, come = Elicitations(), trio.Event()
    asked.change(1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(asked.wait_over, come, 10)
        await trio.sleep(50)
        come.set()
    assert trio.current_time() < 51
