"""A thread's token of the host's login, renewed when the provider does not take it any more."""

import trio

from protocol.frames import NeedToken, Token
from workers.link import Link
from workers.provider import ProviderError


class Renewal:
    """The supervisor keeps the login; it renews once for all who ask at the same time."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._asked = 0
        self._open: dict[int, tuple[trio.Event, list[Token]]] = {}

    async def renew(self, refused: str) -> str | None:
        """Another token; None when the refused one is all there is.

        Raises ProviderError when the login is of no use any more.
        """
        self._asked += 1
        n, answered = self._asked, (trio.Event(), list[Token]())
        self._open[n] = answered
        self._link.send(NeedToken(n, refused))
        try:
            await answered[0].wait()
        finally:
            del self._open[n]
        [told] = answered[1]
        if told.token is None:
            raise ProviderError(told.problem, info="unauthorized")
        return None if told.token == refused else told.token

    def take(self, token: Token) -> None:
        if waiting := self._open.get(token.n):
            waiting[1].append(token)
            waiting[0].set()
