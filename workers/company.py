"""Tasks that go along with another one and end with it, whether they are done or not."""

from collections.abc import Awaitable, Callable

import trio


class Company:
    """Until it is closed, tasks may join it."""

    def __init__(self) -> None:
        self.closed = False
        self._scopes: set[trio.CancelScope] = set()

    async def keep(self, task: Callable[[], Awaitable[None]]) -> None:
        """Run the task, for as long as this is open."""
        with trio.CancelScope() as scope:
            self._scopes.add(scope)
            if self.closed:
                scope.cancel()
            try:
                await task()
            finally:
                self._scopes.discard(scope)

    def close(self) -> None:
        self.closed = True
        for scope in self._scopes:
            scope.cancel()
