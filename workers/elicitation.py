"""Questions that a client asks its user on its own: commands have all the time until the answer.

A command may be what asks, for a login in a browser say; so the time that it is given before the
model hears of it stands still meanwhile.
"""

from typing import TYPE_CHECKING

import trio

from protocol.errors import invalid
from protocol.maintenance import (
    ThreadDecrementElicitationParams,
    ThreadDecrementElicitationResponse,
    ThreadIncrementElicitationParams,
    ThreadIncrementElicitationResponse,
)
from protocol.methods import THREAD_DECREMENT_ELICITATION, THREAD_INCREMENT_ELICITATION
from workers.mailbox import serves

if TYPE_CHECKING:
    from workers.thread import LoadedThread


class Elicitations:
    """How many are open."""

    def __init__(self) -> None:
        self.count = 0
        self._changed = trio.Event()

    def change(self, by: int) -> None:
        self.count += by
        self._changed.set()
        self._changed = trio.Event()

    async def wait_over(self, event: trio.Event, seconds: float) -> None:
        """Return when the event has come, or so much time without an open question has passed."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._expire, nursery.cancel_scope, seconds)
            await event.wait()
            nursery.cancel_scope.cancel()

    async def _expire(self, scope: trio.CancelScope, seconds: float) -> None:
        while seconds > 0:
            begun = trio.current_time()
            if self.count:
                await self._changed.wait()
                continue
            with trio.move_on_after(seconds):
                await self._changed.wait()
            seconds -= trio.current_time() - begun
        scope.cancel()


@serves(THREAD_INCREMENT_ELICITATION)
def thread_increment_elicitation(
    thread: "LoadedThread",
    params: ThreadIncrementElicitationParams,  # noqa: ARG001
) -> ThreadIncrementElicitationResponse:
    thread.elicitations.change(1)
    return ThreadIncrementElicitationResponse(thread.elicitations.count, paused=True)


@serves(THREAD_DECREMENT_ELICITATION)
def thread_decrement_elicitation(
    thread: "LoadedThread",
    params: ThreadDecrementElicitationParams,  # noqa: ARG001
) -> ThreadDecrementElicitationResponse:
    if thread.elicitations.count == 0:
        raise invalid("out-of-band elicitation count is already zero")
    thread.elicitations.change(-1)
    count = thread.elicitations.count
    return ThreadDecrementElicitationResponse(count, paused=count > 0)
