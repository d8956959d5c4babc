"""What an HTTP request at our door gets: a status, or the upgrade to WebSocket.

Decided from the head alone and without I/O, before the WebSocket library sees a byte.  The
statuses and their order are the reference server's (observed).
"""

from dataclasses import dataclass
from http import HTTPStatus

from supervisor.auth import Admits

HEAD_LIMIT = 16 << 10  # bytes; what h11, which reads the head again, takes too
HEALTH = ("/readyz", "/healthz")

CURE = {
    400: "Not a WebSocket handshake; connect with a WebSocket client (RFC 6455, version 13).",
    401: "No valid token; send the header Authorization: Bearer TOKEN.",
    403: "Requests with an Origin header come from web pages, which are not let in.",
    405: "Use GET.",
    431: "The head of the request is too long; send fewer headers.",
}


@dataclass(frozen=True)
class Head:
    """A request line and its headers: names in lower case, repeated ones joined by commas."""

    method: str
    path: str
    version: str
    headers: dict[str, str]

    def has(self, name: str, token: str) -> bool:
        """Whether a header that is a list of tokens holds this one."""
        return token in (part.strip().lower() for part in self.headers.get(name, "").split(","))


@dataclass(frozen=True)
class Rule:
    """Whom a listener lets in.  Browsers are told by their Origin header."""

    browsers: bool = False
    admits: Admits | None = None


def parse(head: bytes) -> Head | None:
    """Read all up to the empty line; None when it is no HTTP request."""
    first, *rest = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        return None
    headers: dict[str, str] = {}
    for line in rest:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():  # a folded line is one of these
            return None
        before = headers.get(name.lower())
        headers[name.lower()] = value.strip() if before is None else f"{before},{value.strip()}"
    return Head(words[0], words[1].partition("?")[0], words[2], headers)


def judge(head: Head | None, rule: Rule) -> int:
    """The status to answer with; 101 lets the client in."""
    if head is None:
        return 400
    if "origin" in head.headers and not rule.browsers:
        return 403
    if head.path in HEALTH:
        return 200 if head.method in ("GET", "HEAD") else 405
    if head.method != "GET":
        return 405
    if not _is_handshake(head):
        return 400
    if rule.admits is not None and not rule.admits(_bearer(head)):
        return 401
    return 101


def _is_handshake(head: Head) -> bool:
    return (
        head.version == "HTTP/1.1"
        and head.has("connection", "upgrade")
        and head.has("upgrade", "websocket")
        and head.headers.get("sec-websocket-version") == "13"
        and bool(head.headers.get("sec-websocket-key"))
        and bool(head.headers.get("host"))
    )


def _bearer(head: Head) -> str:
    scheme, _, token = head.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def response(status: int, *, body: bool = True) -> bytes:
    """A whole response, after which the connection ends; `body` is False for HEAD."""
    text = CURE.get(status, "").encode() + b"\n" if status in CURE else b""
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nconnection: close\r\n"
    if status == 401:
        head += "www-authenticate: Bearer\r\n"
    if status == 405:
        head += "allow: GET, HEAD\r\n"
    head += f"content-type: text/plain\r\ncontent-length: {len(text)}\r\n\r\n"
    return head.encode() + (text if body else b"")
