"""A response that broke off is asked for again."""

from types import SimpleNamespace
from typing import Any

import pytest

from workers.provider import ProviderError
from workers.retry import retrying


class Attempts:
    """Fails with each error in turn, then succeeds."""

    def __init__(self, *errors: ProviderError) -> None:
        self._errors = list(errors)
        self.count = 0

    async def __call__(self) -> str:
        self.count += 1
        if self._errors:
            raise self._errors.pop(0)
        return "said"


@pytest.fixture
def turn() -> Any:
    told: list[tuple[int, int]] = []
    provider = SimpleNamespace(stream_max_retries=2)
    return SimpleNamespace(
        settings=SimpleNamespace(provider=provider),
        told=told,
        warn_retry=lambda _, attempt, limit: told.append((attempt, limit)),
    )


def broken(**how) -> ProviderError:
    return ProviderError("broke off", **{"retry": True, **how})


async def test_each_retry_is_told(turn, autojump_clock):
    """Observed: `Reconnecting... n/N`."""
    assert await retrying(turn, Attempts(broken(), broken(delay_s=30))) == "said"
    assert turn.told == [(1, 2), (2, 2)]


async def test_there_are_as_many_retries_as_allowed(turn, autojump_clock):
    """Observed: `stream_max_retries`; the last error counts."""
    attempts = Attempts(broken(), broken(), broken())
    with pytest.raises(ProviderError):
        await retrying(turn, attempts)
    assert attempts.count == 3


async def test_what_would_fail_again_is_not_retried(turn):
    """Observed: a refusal of the provider is final."""
    attempts = Attempts(broken(retry=False))
    with pytest.raises(ProviderError):
        await retrying(turn, attempts)
    assert (attempts.count, turn.told) == (1, [])
