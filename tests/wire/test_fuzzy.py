"""`fuzzyFileSearch` through the whole server."""

import msgspec
import pytest
import trio

from protocol.errors import INTERNAL_ERROR, INVALID_REQUEST, RpcError
from protocol.fuzzy import (
    FuzzyFileSearchParams,
    FuzzyFileSearchResult,
    FuzzyFileSearchSessionStartParams,
    FuzzyFileSearchSessionStopParams,
    FuzzyFileSearchSessionUpdateParams,
)
from protocol.methods import (
    FUZZY_FILE_SEARCH,
    FUZZY_FILE_SEARCH_SESSION_COMPLETED,
    FUZZY_FILE_SEARCH_SESSION_START,
    FUZZY_FILE_SEARCH_SESSION_STOP,
    FUZZY_FILE_SEARCH_SESSION_UPDATE,
    FUZZY_FILE_SEARCH_SESSION_UPDATED,
)
from supervisor.searches import SESSIONS


@pytest.fixture(autouse=True)
def files(project):
    (project / "src").mkdir()
    for name in ("src/alpha.rs", "src/beta.rs", "abc.txt"):
        (project / name).touch()


async def find(client, project, query, **params):
    asked = FuzzyFileSearchParams(query=query, roots=[str(project)], **params)
    return (await client.call(FUZZY_FILE_SEARCH, asked)).files


async def start(client, project, id="s"):
    params = FuzzyFileSearchSessionStartParams(session_id=id, roots=[str(project)])
    await client.call(FUZZY_FILE_SEARCH_SESSION_START, params)


async def update(client, query, id="s"):
    params = FuzzyFileSearchSessionUpdateParams(session_id=id, query=query)
    await client.call(FUZZY_FILE_SEARCH_SESSION_UPDATE, params)


async def told(client, query, id="s"):
    """The paths of the last list before the query is answered in full."""
    await client.next(
        FUZZY_FILE_SEARCH_SESSION_UPDATED, lambda p: (p.session_id, p.query) == (id, query)
    )
    await client.next(FUZZY_FILE_SEARCH_SESSION_COMPLETED, lambda p: p.session_id == id)
    method = FUZZY_FILE_SEARCH_SESSION_UPDATED.name
    lists = [h.params for h in client.heard if h.method == method and h.params.session_id == id]
    return [file.path for file in lists[-1].files]


async def refusal(client, method, **params) -> tuple[int, str]:
    with pytest.raises(RpcError) as raised:
        await client.request(method, msgspec.json.encode(params))
    return raised.value.code, raised.value.message


async def test_a_search_finds_files_by_a_few_letters(connect, project):
    """Observed."""
    client = await connect()

    assert await find(client, project, "salp") == [
        FuzzyFileSearchResult(
            root=str(project), path="src/alpha.rs", match_type="file", file_name="alpha.rs",
            score=104, indices=[0, 4, 5, 6],
        )
    ]  # fmt: skip
    assert [(f.path, f.match_type) for f in await find(client, project, "src$")] == [
        ("src", "directory")
    ]
    assert await find(client, project, "") == []


async def test_each_search_sees_what_is_there_now(connect_stdio, project):
    """Observed."""
    client = await connect_stdio()
    assert await find(client, project, "later") == []
    (project / "later").touch()

    assert [f.path for f in await find(client, project, "later")] == ["later"]


async def test_a_session_answers_one_query_after_the_other(connect, project):
    """Observed: first with nothing, for the empty query."""
    client = await connect()
    await start(client, project)

    assert await told(client, "") == []
    for query, paths in (("alp", ["src/alpha.rs"]), ("alpx", []), ("beta", ["src/beta.rs"])):
        await update(client, query)
        assert await told(client, query) == paths


async def test_of_queries_that_follow_fast_the_last_is_answered(connect_stdio, project):
    """Ours: nobody waits for what nobody wants any more."""
    client = await connect_stdio()
    await start(client, project)
    for query in ("a", "al", "alp"):
        await update(client, query)

    assert await told(client, "alp") == ["src/alpha.rs"]


async def test_a_session_ends_when_it_is_stopped(connect_stdio, project):
    """Observed: stopping what is not there is no error."""
    client = await connect_stdio()
    await start(client, project)
    stop = FuzzyFileSearchSessionStopParams(session_id="s")
    await client.call(FUZZY_FILE_SEARCH_SESSION_STOP, stop)
    await client.call(FUZZY_FILE_SEARCH_SESSION_STOP, stop)

    assert await refusal(client, "fuzzyFileSearch/sessionUpdate", sessionId="s", query="x") == (
        INVALID_REQUEST,
        "fuzzy file search session not found: s",
    )


async def test_sessions_belong_to_the_connection(connect_ws, project):
    """Ours: in the reference server every client hears of all of them."""
    one, other = await connect_ws(), await connect_ws()
    await start(one, project)
    await start(other, project / "src")
    await update(one, "abc")
    await update(other, "alpha")

    assert await told(one, "abc") == ["abc.txt"]
    assert await told(other, "alpha") == ["alpha.rs"]
    queries = {h.params.query for h in one.heard if h.method.endswith("sessionUpdated")}
    assert queries <= {"", "abc"}


async def test_nonsense_is_refused(connect_stdio, project):
    """Observed, but for the bounds."""
    client = await connect_stdio()
    session = "fuzzyFileSearch/sessionStart"

    assert await refusal(client, session, sessionId="", roots=[str(project)]) == (
        INVALID_REQUEST,
        "sessionId must not be empty",
    )
    assert await refusal(client, session, sessionId="s", roots=[]) == (
        INTERNAL_ERROR,
        "failed to start fuzzy file search session: at least one search directory is required",
    )
    code, text = await refusal(client, "fuzzyFileSearch", query="x" * 5000, roots=["/"])
    assert (code, "at most 4096 characters" in text) == (INVALID_REQUEST, True)
    asked = FuzzyFileSearchParams(
        query="a", roots=["", "missing", "a\0b", str(project / "abc.txt")]
    )
    assert (await client.call(FUZZY_FILE_SEARCH, asked)).files == []


async def test_a_connection_has_a_bounded_number_of_sessions(connect_stdio, project):
    """Ours: each keeps all paths of its folders."""
    client = await connect_stdio()
    for n in range(SESSIONS):
        await start(client, project, str(n))
    await start(client, project, "0")  # in the place of the one before

    code, text = await refusal(
        client, "fuzzyFileSearch/sessionStart", sessionId="more", roots=[str(project)]
    )

    assert (code, "stop some" in text) == (INVALID_REQUEST, True)


async def test_a_worker_that_dies_is_replaced(connect_stdio, project):
    """Ours: its sessions are gone, and the next search works."""
    client = await connect_stdio()
    await start(client, project)
    await told(client, "")
    server = connect_stdio.server
    await server.kill(*server.nursery().children())  # it is one of them, the others are spares

    with trio.fail_after(10):
        while await still_there(client):
            await trio.lowlevel.checkpoint()

    assert [f.path for f in await find(client, project, "alp")] == ["src/alpha.rs"]


async def still_there(client) -> bool:
    try:
        await update(client, "x")
    except RpcError:
        return False
    return True
