"""Logins to MCP servers: the SDK's OAuth, with our store of tokens.

A connection only uses and refreshes what is stored.  Logging in is a matter of its own, since it
needs a person: `login.py`.
"""

import time
from typing import Any

import httpx2
import trio
from mcp.client.auth import OAuthClientProvider, OAuthFlowError
from mcp.client.auth.utils import (
    build_oauth_authorization_server_metadata_discovery_urls,
    build_protected_resource_metadata_discovery_urls,
    handle_auth_metadata_response,
    handle_protected_resource_response,
)
from mcp.shared.auth import (
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthMetadata,
    OAuthToken,
)
from pydantic import AnyUrl

from protocol.settings import McpServer
from workers.mcp import credentials
from workers.mcp.credentials import Entry

DISCOVERY_SECONDS = 5.0  # the reference server's, too (observed)
NOWHERE = "http://127.0.0.1/callback"  # of a connection, which never sends anybody anywhere


class Store:
    """What the SDK asks for and stores, of one server."""

    def __init__(self, home: str, name: str, url: str) -> None:
        self._home = home
        self._name = name
        self._url = url
        self._client: OAuthClientInformationFull | None = None

    async def entry(self) -> Entry | None:
        return await trio.to_thread.run_sync(credentials.find, self._home, self._name, self._url)

    async def get_tokens(self) -> OAuthToken | None:
        entry = await self.entry()
        return None if entry is None else token(entry)

    async def set_tokens(self, tokens: OAuthToken) -> None:
        client = self._client or await self.get_client_info()
        entry = Entry(
            server_name=self._name,
            server_url=self._url,
            client_id=client.client_id if client and client.client_id else "",
            access_token=tokens.access_token,
            expires_at=_expiry(tokens.expires_in),
            refresh_token=tokens.refresh_token,
            scopes=(tokens.scope or "").split(),
        )
        await trio.to_thread.run_sync(credentials.keep, self._home, entry)

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        entry = await self.entry()
        if entry is None or not entry.client_id:
            return None
        return OAuthClientInformationFull(client_id=entry.client_id)

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self._client = client_info  # it is stored together with the tokens


def token(entry: Entry) -> OAuthToken:
    left = None if entry.expires_at is None else int(entry.expires_at / 1000 - time.time())
    return OAuthToken(
        access_token=entry.access_token,
        expires_in=None if left is None else left - credentials.SKEW_SECONDS,
        refresh_token=entry.refresh_token,
        scope=" ".join(entry.scopes) or None,
    )


def _expiry(expires_in: int | None) -> int | None:
    return None if expires_in is None else int((time.time() + expires_in) * 1000)


class Stored(OAuthClientProvider):
    """Uses the stored tokens, and refreshes them; where that does not help it asks for a login."""

    def __init__(self, home: str, name: str, server: McpServer) -> None:
        assert server.url is not None
        self._server = server
        self._store = Store(home, name, server.url)
        self._name = name
        super().__init__(
            server_url=server.url,
            client_metadata=metadata(NOWHERE),
            storage=self._store,
            redirect_handler=self._refuse,
        )

    async def _refuse(self, _url: str) -> None:
        raise OAuthFlowError(
            f"The MCP server {self._name} wants a login: use mcpServer/oauth/login, "
            f"or `codex mcp login {self._name}`"
        )

    async def _initialize(self) -> None:
        await super()._initialize()
        if self.context.current_tokens is not None:
            self.context.update_token_expiry(self.context.current_tokens)
            if not self.context.is_token_valid():
                self.context.oauth_metadata = await discover(self.context.server_url)

    async def _handle_refresh_response(self, response: httpx2.Response) -> bool:
        """Another worker may have been faster, and its refresh have spent the token of ours."""
        if await super()._handle_refresh_response(response):
            return True
        entry = await self._store.entry()
        if entry is None or entry.is_stale:
            return False
        self.context.current_tokens = token(entry)
        self.context.update_token_expiry(self.context.current_tokens)
        return True


def metadata(redirect_uri: str) -> OAuthClientMetadata:
    return OAuthClientMetadata(
        client_name="Codex",
        redirect_uris=[AnyUrl(redirect_uri)],
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
        token_endpoint_auth_method="none",  # noqa: S106 - the method of a client without a secret
    )


async def authorized(home: str, name: str, server: McpServer) -> Any:
    """What adds the stored token to the requests of a connection; None where there is none."""
    if server.url is None or server.bearer_token_env_var is not None:
        return None
    entry = await Store(home, name, server.url).entry()
    return None if entry is None else Stored(home, name, server)


async def discover(url: str) -> OAuthMetadata | None:
    """Who gives tokens for this server; None when nobody says that it takes any."""
    with trio.move_on_after(DISCOVERY_SECONDS):
        async with httpx2.AsyncClient(timeout=DISCOVERY_SECONDS) as client:
            try:
                return await _discover(client, url)
            except httpx2.HTTPError:
                return None
    return None


async def _discover(client: httpx2.AsyncClient, url: str) -> OAuthMetadata | None:
    issuer: str | None = None
    for at in build_protected_resource_metadata_discovery_urls(None, url):
        told = await handle_protected_resource_response(await client.get(at))
        if told is not None:
            issuer = str(told.authorization_servers[0])
            break
    for at in build_oauth_authorization_server_metadata_discovery_urls(issuer, url):
        _, found = await handle_auth_metadata_response(await client.get(at))
        if found is not None:
            return found
    return None
