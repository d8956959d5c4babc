"""`fuzzyFileSearch`: files by a few letters of their paths, once or with each keystroke."""

from typing import Literal

from msgspec import Struct

from protocol.wire import Nothing, Wire

FuzzyFileSearchMatchType = Literal["file", "directory"]


class FuzzyFileSearchParams(Wire):
    """A search ends, and finds nothing, when another one comes with its `cancellation_token`."""

    query: str
    roots: list[str]
    cancellation_token: str | None = None


class FuzzyFileSearchResult(Struct, kw_only=True):
    """The one shape with names in snake_case on the wire; `indices` are the letters that match."""

    root: str
    path: str
    match_type: FuzzyFileSearchMatchType
    file_name: str
    score: int
    indices: list[int] | None = None


class FuzzyFileSearchResponse(Wire):
    """The best, by score and then by path."""

    files: list[FuzzyFileSearchResult]


class FuzzyFileSearchSessionStartParams(Wire):
    session_id: str
    roots: list[str]


class FuzzyFileSearchSessionStartResponse(Nothing):
    """The folders are being looked through."""


class FuzzyFileSearchSessionUpdateParams(Wire):
    session_id: str
    query: str


class FuzzyFileSearchSessionUpdateResponse(Nothing):
    """What it finds is told by notifications."""


class FuzzyFileSearchSessionStopParams(Wire):
    session_id: str


class FuzzyFileSearchSessionStopResponse(Nothing):
    """Nothing more will be told of it."""


class FuzzyFileSearchSessionUpdatedNotification(Wire):
    session_id: str
    query: str
    files: list[FuzzyFileSearchResult]


class FuzzyFileSearchSessionCompletedNotification(Wire):
    """The last `sessionUpdated` was the whole answer to its query."""

    session_id: str
