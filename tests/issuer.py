"""An OAuth issuer for tests: a real HTTP server on loopback with codes, PKCE and refreshed tokens.

What it is asked it keeps in `asked`; a test may answer paths of its own by `pages`.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import h11
import trio


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Said:
    """`body` is sent as JSON, a text as it is."""

    status: int = 200
    body: Any = ""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Issuer:
    """`token` is the newest access token; `expires_in` is told of each in seconds."""

    expires_in: int = 3600
    url: str = ""
    token: str = ""
    asked: list[Asked] = field(default_factory=list)
    pages: dict[str, Callable[[Asked], Said]] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    """More members of an answer with tokens."""
    _codes: dict[str, str] = field(default_factory=dict)
    _given: int = 0

    async def serve(self, *, task_status=trio.TASK_STATUS_IGNORED) -> None:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
        task_status.started()
        await trio.serve_listeners(self._answer, [listener])

    def count(self, path: str) -> int:
        return sum(asked.path == path for asked in self.asked)

    async def _answer(self, stream: trio.SocketStream) -> None:
        peer = h11.Connection(h11.SERVER)
        async with stream:
            try:
                while (asked := await _request(peer, stream)) is not None:
                    self.asked.append(asked)
                    await _send(peer, stream, self._said(asked))
                    peer.start_next_cycle()
            except (h11.ProtocolError, trio.BrokenResourceError, trio.ClosedResourceError):
                return  # clients leave as they like

    def _said(self, asked: Asked) -> Said:
        if (page := self.pages.get(asked.path)) is not None:
            return page(asked)
        match asked.path:
            case "/.well-known/oauth-authorization-server":
                return Said(body=self._metadata())
            case "/register":
                return Said(201, {**asked.body, "client_id": "client-1"})
            case "/authorize" | "/oauth/authorize":
                return self._authorize(asked.query)
            case "/token" | "/oauth/token":
                return self._token(asked.body)
            case _:
                return Said(404)

    def _metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "registration_endpoint": f"{self.url}/register",
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": ["read"],
        }

    def _authorize(self, query: dict[str, str]) -> Said:
        """The person says yes at once: send the browser back with a code."""
        assert query["code_challenge_method"] == "S256"
        code = f"code-{len(self._codes) + 1}"
        self._codes[code] = query["code_challenge"]
        back = urlencode({"code": code, "state": query["state"]})
        return Said(302, headers={"location": f"{query['redirect_uri']}?{back}"})

    def _token(self, form: dict[str, str]) -> Said:
        if form["grant_type"] == "authorization_code":
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            proof = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            if self._codes.pop(form["code"], None) != proof:
                return Said(400, {"error": "invalid_grant"})
        elif form["refresh_token"] != f"refresh-{self._given}":
            return Said(400, {"error": "invalid_grant"})
        return Said(body=self.tokens())

    def tokens(self) -> dict[str, Any]:
        """New tokens; the ones before are worth nothing from now on."""
        self._given += 1
        self.token = f"access-{self._given}"
        return {
            "access_token": self.token,
            "token_type": "Bearer",
            "expires_in": self.expires_in,
            "refresh_token": f"refresh-{self._given}",
            **self.extra,
        }


async def _request(peer: h11.Connection, stream: trio.SocketStream) -> Asked | None:
    head, body = None, bytearray()
    while True:
        match event := peer.next_event():
            case h11.NEED_DATA:
                peer.receive_data(await stream.receive_some(1 << 16))
            case h11.Request():
                head = event
            case h11.Data():
                body += event.data
            case h11.EndOfMessage():
                return _asked(head, bytes(body))
            case _:
                return None


def _asked(head: h11.Request, body: bytes) -> Asked:
    parts = urlsplit(head.target.decode())
    headers = {name.decode().lower(): value.decode() for name, value in head.headers}
    kind = headers.get("content-type", "")
    read: Any = body.decode()
    if kind.startswith("application/json") and body:
        read = json.loads(body)
    elif kind.startswith("application/x-www-form-urlencoded"):
        read = _flat(body.decode())
    return Asked(head.method.decode(), parts.path, _flat(parts.query), headers, read)


def _flat(text: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(text).items()}


async def _send(peer: h11.Connection, stream: trio.SocketStream, said: Said) -> None:
    plain = isinstance(said.body, str)
    body = (said.body if plain else json.dumps(said.body)).encode()
    kind = "text/plain" if plain else "application/json"
    headers = {"content-type": kind, "content-length": str(len(body)), **said.headers}
    response = h11.Response(status_code=said.status, headers=list(headers.items()))
    for event in (response, h11.Data(data=body), h11.EndOfMessage()):
        await stream.send_all(peer.send(event) or b"")
