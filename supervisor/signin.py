"""A login that a person is in the middle of: in a browser, or with a code on another device.

There is one at a time: a new one ends the one before (observed).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import uuid4

import trio

from supervisor import issuer
from supervisor.callback import Callback, listening
from supervisor.issuer import DeviceCode, IssuerError, Proof
from supervisor.login import Tokens

BROWSER_SECONDS = 600.0  # for the person; the reference server's figure
DEVICE_SECONDS = 900.0

Take = Callable[[Tokens], Awaitable[None]]
"""Keeps the tokens, or raises IssuerError."""


@dataclass(eq=False)
class SignIn:
    """`ended` is set when nothing of it is left; `why` says how it went, None for well."""

    id: str = field(default_factory=lambda: str(uuid4()))
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    why: str | None = "Login was not completed"
    ended: trio.Event = field(default_factory=trio.Event)

    async def in_browser(
        self, originator: str, workspace: str | None, take: Take, begun: Callable[[str], None]
    ) -> None:
        """`begun` gets the address.  Raises OSError when no port is free for the way back."""
        try:
            async with listening() as callback:
                proof = Proof()
                begun(
                    issuer.authorization_url(
                        callback.redirect_uri, callback.state, proof, originator, workspace
                    )
                )
                with self.scope:
                    self.scope.deadline = trio.current_time() + BROWSER_SECONDS
                    await self._come_back(callback, proof, take)
                self._note_end()
        finally:
            self.ended.set()

    async def _come_back(self, callback: Callback, proof: Proof, take: Take) -> None:
        code, told = await callback.code(), callback.told
        self.why = told.get("error_description") or told.get("error") or "no code came back"
        if code is not None:
            self.why = None
            try:
                await take(await issuer.exchange(code, callback.redirect_uri, proof.verifier))
            except IssuerError as error:
                self.why = str(error)
        callback.settle(self.why)
        await trio.sleep(0.2)  # for the browser to be told before its server goes

    async def by_code(self, device: DeviceCode, take: Take) -> None:
        try:
            with self.scope:
                self.scope.deadline = trio.current_time() + DEVICE_SECONDS
                while (tokens := await issuer.device_tokens(device)) is None:
                    await trio.sleep(device.seconds)
                await take(tokens)
                self.why = None
            self._note_end()
        except IssuerError as error:
            self.why = str(error)
        finally:
            self.ended.set()

    def _note_end(self) -> None:
        if self.why is not None and trio.current_time() >= self.scope.deadline:
            self.why = "Login timed out"
