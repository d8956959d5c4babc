"""Frames for the workers that are seldom needed: searches for files, questions to MCP servers."""

from msgspec import Struct

from protocol.frame import Frame
from protocol.settings import McpServer


class StartSearches(Frame):
    """Be a search worker: each call is a `Find`, or a `Query` about a session that one began."""


class Root(Struct, array_like=True):
    """A folder to search, as the client has named it and where it is."""

    name: str
    path: str


class Find(Frame):
    """Look for files.  Without a session `query` is answered with a reply.

    With one, what is in the folders is kept for queries; events carry `n` and name the session.
    """

    n: int
    roots: list[Root]
    query: str = ""
    session: str | None = None


class Query(Frame):
    """Session `n` has another query."""

    n: int
    text: str


class StartServices(Frame):
    """Be the service worker: it asks MCP servers for clients that have no thread."""

    home: str
    version: str


class AskStatus(Frame):
    """How do these MCP servers fare, and what do they offer?  `full` is with their resources."""

    n: int
    servers: dict[str, McpServer]
    full: bool


class ReadResource(Frame):
    """Start a server to read one resource of it."""

    n: int
    name: str
    server: McpServer
    uri: str


class LogIn(Frame):
    """Have a person log in to an MCP server; the reply has the address for the browser.

    How it ended is told by an event.  `timeout_secs` is for the person.
    """

    n: int
    name: str
    server: McpServer
    scopes: list[str] | None = None
    timeout_secs: int | None = None
    port: int = 0
    callback_url: str | None = None
