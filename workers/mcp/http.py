"""An MCP server at an address: streamable HTTP, by the SDK."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx2
from mcp.client._transport import TransportStreams
from mcp.client.streamable_http import streamable_http_client

from protocol.settings import McpServer

CONNECT_SECONDS = 30.0
READ_SECONDS = 300.0  # a server may hold a response open; the deadline of a call ends it earlier


class Unset(Exception):
    """A variable that the configuration names is not there."""


@asynccontextmanager
async def reached(
    name: str, server: McpServer, auth: httpx2.Auth | None
) -> AsyncGenerator[TransportStreams]:
    """Raises Unset."""
    assert server.url is not None
    timeout = httpx2.Timeout(CONNECT_SECONDS, read=READ_SECONDS)
    async with (
        httpx2.AsyncClient(headers=headers(name, server), timeout=timeout, auth=auth) as client,
        streamable_http_client(server.url, http_client=client) as streams,
    ):
        yield streams


def headers(name: str, server: McpServer) -> dict[str, str]:
    """Raises Unset for the variable of a token; others that are not set are left out (observed)."""
    told = dict(server.http_headers)
    for header, variable in server.env_http_headers.items():
        if value := os.environ.get(variable, "").strip():
            told[header] = value
    if (variable := server.bearer_token_env_var) is not None:
        if not (token := os.environ.get(variable)):
            raise Unset(f"Environment variable {variable} for MCP server '{name}' is not set")
        told["Authorization"] = f"Bearer {token}"
    return told
