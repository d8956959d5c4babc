"""`fuzzyFileSearch`: checked here, done by the search worker."""

from pathlib import Path

from protocol.errors import INTERNAL_ERROR, RpcError, invalid
from protocol.fuzzy import (
    FuzzyFileSearchParams,
    FuzzyFileSearchResponse,
    FuzzyFileSearchSessionStartParams,
    FuzzyFileSearchSessionStartResponse,
    FuzzyFileSearchSessionStopParams,
    FuzzyFileSearchSessionStopResponse,
    FuzzyFileSearchSessionUpdateParams,
    FuzzyFileSearchSessionUpdateResponse,
)
from protocol.methods import (
    FUZZY_FILE_SEARCH,
    FUZZY_FILE_SEARCH_SESSION_START,
    FUZZY_FILE_SEARCH_SESSION_STOP,
    FUZZY_FILE_SEARCH_SESSION_UPDATE,
)
from protocol.seldom import Root
from supervisor.connection import Connection
from supervisor.handlers import serves
from supervisor.host import Host

QUERY_CHARS = 4096  # no path is longer, so nothing longer could be found
QUERY_WORDS = 64
ROOTS = 256


@serves(FUZZY_FILE_SEARCH)
async def search(
    host: Host, client: Connection, params: FuzzyFileSearchParams
) -> FuzzyFileSearchResponse:
    _check(params.query)
    roots = _roots(params.roots)
    if not roots or not params.query:
        return FuzzyFileSearchResponse(files=[])
    return await host.searches.find(client, roots, params.query, params.cancellation_token)


@serves(FUZZY_FILE_SEARCH_SESSION_START)
def session_start(
    host: Host, client: Connection, params: FuzzyFileSearchSessionStartParams
) -> FuzzyFileSearchSessionStartResponse:
    if not params.session_id:
        raise invalid("sessionId must not be empty")
    if not params.roots:
        raise RpcError(
            INTERNAL_ERROR,
            "failed to start fuzzy file search session: at least one search directory is required",
        )
    host.searches.start(client, params.session_id, _roots(params.roots))
    return FuzzyFileSearchSessionStartResponse()


@serves(FUZZY_FILE_SEARCH_SESSION_UPDATE)
def session_update(
    host: Host, client: Connection, params: FuzzyFileSearchSessionUpdateParams
) -> FuzzyFileSearchSessionUpdateResponse:
    _check(params.query)
    host.searches.update(client, params.session_id, params.query)
    return FuzzyFileSearchSessionUpdateResponse()


@serves(FUZZY_FILE_SEARCH_SESSION_STOP)
def session_stop(
    host: Host, client: Connection, params: FuzzyFileSearchSessionStopParams
) -> FuzzyFileSearchSessionStopResponse:
    host.searches.stop(client, params.session_id)
    return FuzzyFileSearchSessionStopResponse()


def _check(query: str) -> None:
    if len(query) > QUERY_CHARS or len(query.split()) > QUERY_WORDS:
        raise invalid(f"query must have at most {QUERY_CHARS} characters and {QUERY_WORDS} words")


def _roots(given: list[str]) -> list[Root]:
    """Relative ones mean the server's folder; an empty one means nothing (observed)."""
    if len(given) > ROOTS:
        raise invalid(f"roots must be at most {ROOTS}")
    here = Path.cwd()
    return [Root(root, str(here / root)) for root in given if root and "\0" not in root]
