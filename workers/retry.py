"""Ask the model again when its answer broke off, as often as the provider's settings allow."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import trio

from workers.provider import ProviderError

if TYPE_CHECKING:
    from workers.running import RunningTurn

T = TypeVar("T")

BACKOFF_S = 0.2  # before the first retry of a stream, doubled for each further one


async def retrying(turn: "RunningTurn", attempt: Callable[[], Awaitable[T]]) -> T:
    """The result of the first attempt that succeeds; clients hear of each that did not.

    Raises the last attempt's ProviderError.
    """
    limit, retries = turn.settings.provider.stream_max_retries, 0
    while True:
        try:
            return await attempt()
        except ProviderError as error:
            if not error.retry or retries >= limit:
                raise
            retries += 1
            turn.warn_retry(error, retries, limit)
            await trio.sleep(error.delay_s or BACKOFF_S * 2 ** (retries - 1))
