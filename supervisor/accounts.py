"""Logging in and out, and keeping tokens fresh: one for the whole host.

Everybody who finds a token refused asks here, and all get the answer of one refresh: a refresh
token can be used once.
"""

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

import trio

from protocol.account import (
    AccountLoginCompletedNotification,
    AccountUpdatedNotification,
    ChatgptAuthTokensRefreshParams,
    ExternalLogin,
)
from protocol.errors import DECODE_ERRORS, INTERNAL_ERROR, RpcError, invalid
from protocol.frames import Token
from protocol.methods import ACCOUNT_LOGIN_COMPLETED, ACCOUNT_UPDATED, CHATGPT_TOKENS_REFRESH
from supervisor import login as file
from supervisor.connection import Connection
from supervisor.login import Login, Tokens, account_of, by_tokens, claims

if TYPE_CHECKING:
    from supervisor.host import Host
    from supervisor.issuer import DeviceCode
    from supervisor.loaded import Loaded
    from supervisor.signin import SignIn

CLIENT_SECONDS = 10.0  # for a client to bring new tokens; the reference server's figure

log = logging.getLogger("atrio.accounts")


class Accounts:
    """`nursery` runs logins, and what need not be waited for."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.host: Host  # set by the server
        self._nursery = nursery
        self._keeper: Connection | None = None  # the client that keeps the tokens itself
        self._pending: SignIn | None = None
        self._refreshing = trio.Lock()

    # ---- logging in

    def by_key(self, key: str, client: Connection) -> None:
        """Raises RpcError."""
        self._keep(Login("apikey", key, file.ApiKeyAccount()), partial(file.keep_key, key=key))
        self._tell(client)

    def by_client(self, told: ExternalLogin, client: Connection) -> None:
        """With tokens that stay in memory, since the client keeps them.  Raises RpcError."""
        self.host.config.login_in_memory = _external(told)
        self._keeper = client
        self._tell(client)

    async def in_browser(self, originator: str, workspace: str | None) -> "tuple[SignIn, str]":
        """The login, and where to send the browser.  Raises RpcError."""
        from supervisor.signin import SignIn  # noqa: PLC0415 - brings an HTTP library

        await self._replace()
        signing = self._pending = SignIn()
        begun, url = trio.Event(), list[str]()

        def tell(address: str) -> None:
            url.append(address)
            begun.set()

        run = partial(signing.in_browser, originator, workspace, partial(self._take, workspace))
        self._nursery.start_soon(self._run, signing, partial(run, tell), begun)
        await begun.wait()
        if not url:
            raise RpcError(INTERNAL_ERROR, f"failed to start login server: {signing.why}")
        return signing, url[0]

    async def by_code(self, workspace: str | None) -> "tuple[SignIn, DeviceCode]":
        """Raises RpcError."""
        from supervisor import issuer  # noqa: PLC0415 - as above
        from supervisor.signin import SignIn  # noqa: PLC0415

        try:
            device = await issuer.device_code()
        except issuer.IssuerError as error:
            raise RpcError(INTERNAL_ERROR, f"failed to request device code: {error}") from None
        await self._replace()
        signing = self._pending = SignIn()
        run = partial(signing.by_code, device, partial(self._take, workspace))
        self._nursery.start_soon(self._run, signing, run, trio.Event())
        return signing, device

    async def _run(
        self, signing: "SignIn", run: Callable[[], Awaitable[None]], begun: trio.Event
    ) -> None:
        try:
            await run()
        except OSError as error:
            signing.why = error.strerror or str(error)
            self._pending = None if self._pending is signing else self._pending
            return
        finally:
            begun.set()
        if self._pending is signing:
            self._pending = None
        why = None if signing.why is None else f"Login server error: {signing.why}"
        done = AccountLoginCompletedNotification(why is None, why, signing.id)
        self.host.tell_all(ACCOUNT_LOGIN_COMPLETED.name, ACCOUNT_LOGIN_COMPLETED.encode(done))
        if why is None:
            self._tell_updated(None)

    async def _replace(self) -> None:
        if self._pending is not None:
            self._pending.why = "Login cancelled"
            self._pending.scope.cancel()
            await self._pending.ended.wait()
            await trio.lowlevel.checkpoint()  # it says so before the new one is answered

    def cancel(self, id: str) -> bool:
        """Whether there was such a login."""
        if self._pending is None or self._pending.id != id:
            return False
        self._pending.scope.cancel()
        self._pending = None
        return True

    async def _take(self, workspace: str | None, tokens: Tokens) -> None:
        from supervisor.issuer import IssuerError  # noqa: PLC0415

        known = by_tokens(tokens)
        tokens.account_id = known.account_id
        if workspace is not None and known.account_id != workspace:
            raise IssuerError(f"Login is restricted to workspace id {workspace}.")
        try:
            self._keep(known, partial(file.keep_tokens, tokens=tokens))
        except RpcError as error:
            raise IssuerError(error.message) from None

    def _keep(self, known: Login, store: "partial[None]") -> None:
        """Where the configuration wants it.  Raises RpcError."""
        config = self.host.config
        where = config.credentials_store()
        if where == "keyring":
            raise RpcError(
                INTERNAL_ERROR,
                "this server keeps no login in a keyring; set cli_auth_credentials_store to file",
            )
        config.login_in_memory = known if where == "ephemeral" else None
        if where == "ephemeral":
            return
        try:
            store(self.host.home)
        except OSError as error:
            problem = f"{self.host.home / file.FILE} cannot be written: {error.strerror or error}"
            raise RpcError(INTERNAL_ERROR, problem) from None

    # ---- logging out

    def log_out(self, client: Connection) -> None:
        """The issuer is told beside it: without network a logout takes no longer.  Raises
        RpcError."""
        known = self.host.config.login()
        try:
            file.forget(self.host.home)
        except OSError as error:
            raise RpcError(INTERNAL_ERROR, f"logout failed: {error}") from None
        self.host.config.login_in_memory, self._keeper = None, None
        if known is not None and known.mode == "chatgpt" and known.refresh_token:
            self._nursery.start_soon(_revoke, known.refresh_token)
        self._tell_updated(client)

    def _tell(self, client: Connection) -> None:
        done = AccountLoginCompletedNotification(success=True)
        body = ACCOUNT_LOGIN_COMPLETED.encode(done)
        self.host.tell_all(ACCOUNT_LOGIN_COMPLETED.name, body, answering=client)
        self._tell_updated(client)

    def _tell_updated(self, client: Connection | None) -> None:
        known = self.host.config.login()
        told = AccountUpdatedNotification(
            auth_mode=known.mode if known else None, plan_type=known.plan if known else None
        )
        self.host.tell_all(ACCOUNT_UPDATED.name, ACCOUNT_UPDATED.encode(told), answering=client)

    # ---- keeping tokens fresh

    async def fresh(self, refused: str | None = None) -> Login | None:
        """The login of now, its token renewed if it is stale, or the one that was `refused`.

        Raises RpcError when that does not succeed.
        """
        async with self._refreshing:
            known = self.host.config.login()
            if known is None or known.mode == "apikey":
                return known
            if not known.is_stale and known.token != refused:
                return known
            if known.mode == "chatgptAuthTokens":
                return await self._ask_keeper(known) if refused else known
            return await self._refresh(known)

    def renew(self, thread: "Loaded", n: int, refused: str) -> None:
        """For a thread whose provider does not take its token any more."""
        self._nursery.start_soon(self._renew, thread, n, refused)

    async def _renew(self, thread: "Loaded", n: int, refused: str) -> None:
        try:
            known = await self.fresh(refused=refused)
        except RpcError as error:
            thread.send(Token(n, problem=error.message))
            return
        if known is not None and thread.spec.settings.provider.uses_login:
            thread.spec.settings.provider.bearer_token = known.token
        thread.send(Token(n, known.token if known else None, "nobody is logged in any more"))

    async def _refresh(self, known: Login) -> Login | None:
        from supervisor import issuer  # noqa: PLC0415 - as above

        before = Tokens("", known.token, known.refresh_token, known.account_id)
        try:
            tokens = await issuer.refresh(before)
        except issuer.IssuerError as error:
            raise RpcError(INTERNAL_ERROR, str(error)) from None
        if not tokens.id_token:
            tokens.id_token = file.id_token(self.host.home)
        self._keep(by_tokens(tokens), partial(file.keep_tokens, tokens=tokens))
        return self.host.config.login()

    async def _ask_keeper(self, known: Login) -> Login:
        keeper = self._keeper
        if keeper is None or keeper not in self.host.clients:
            raise RpcError(INTERNAL_ERROR, "the client that keeps the ChatGPT tokens has gone")
        asked = ChatgptAuthTokensRefreshParams("unauthorized", known.account_id)
        with trio.move_on_after(CLIENT_SECONDS):
            try:
                told = await self.host.asks.ask_client(keeper, CHATGPT_TOKENS_REFRESH, asked)
            except DECODE_ERRORS as error:
                raise RpcError(INTERNAL_ERROR, f"malformed tokens: {error}") from None
            renewed = _external(
                ExternalLogin(told.access_token, told.chatgpt_account_id, told.chatgpt_plan_type)
            )
            self.host.config.login_in_memory = renewed
            return renewed
        raise RpcError(INTERNAL_ERROR, "the client brought no new ChatGPT tokens in time")


def _external(told: ExternalLogin) -> Login:
    known = claims(told.access_token)
    if not known:
        raise RpcError(INTERNAL_ERROR, "failed to set external auth: invalid ID token format")
    return Login(
        "chatgptAuthTokens",
        told.access_token,
        account_of(known, told.chatgpt_plan_type),
        account_id=told.chatgpt_account_id,
    )


async def _revoke(refresh_token: str) -> None:
    from supervisor import issuer  # noqa: PLC0415 - as above

    try:
        await issuer.revoke(refresh_token)
    except issuer.IssuerError as error:
        log.warning("the issuer was not told of the logout: %s", error)


def needs_chatgpt(known: Login | None, what: str) -> Login:
    """Raises RpcError in the reference server's words."""
    if known is None:
        raise invalid(f"codex account authentication required to {what}")
    if known.mode == "apikey":
        raise invalid(f"chatgpt authentication required to {what}")
    return known
