"""The handshake, and what may come in instead of good messages."""

from contextlib import suppress

import msgspec
import pytest
import trio

from protocol.errors import INVALID_REQUEST, RpcError
from protocol.initialize import (
    ClientInfo,
    InitializeParams,
    MockExperimentalMethodParams,
    MockExperimentalMethodResponse,
)
from protocol.loading import ThreadStartParams
from protocol.methods import (
    CONFIG_WARNING,
    INITIALIZE,
    MOCK_EXPERIMENTAL_METHOD,
    THREAD_LOADED_LIST,
    THREAD_START,
)
from protocol.thread import ThreadLoadedListParams
from tests.client import Gone

ALIVE = ThreadLoadedListParams()


async def test_the_server_says_who_it_is(connect, home):
    """Observed: the client's name comes first in the user agent."""
    client = await connect(initialize=False)
    told = await client.call(
        INITIALIZE, InitializeParams(client_info=ClientInfo(name="my_editor", version="1.2.3"))
    )

    assert told.codex_home == str(home)
    assert told.user_agent.startswith("my_editor/")


async def test_nothing_is_served_before_initialize(connect):
    """Observed: `Not initialized`."""
    client = await connect(initialize=False)
    with pytest.raises(RpcError, match="^Not initialized$"):
        await client.call(THREAD_LOADED_LIST, ALIVE)


async def test_a_second_initialize_is_refused(connect):
    """Observed: `Already initialized`."""
    client = await connect()
    with pytest.raises(RpcError, match="^Already initialized$"):
        await client.initialize()


async def test_the_experimental_gate_opens_by_the_capability(connect_ws):
    """Observed: `X requires experimentalApi capability`."""
    stable = await connect_ws(experimental=False)
    with pytest.raises(RpcError, match="requires experimentalApi capability"):
        await stable.call(MOCK_EXPERIMENTAL_METHOD, MockExperimentalMethodParams(value="x"))
    bold = await connect_ws(experimental=True)
    answer = await bold.call(MOCK_EXPERIMENTAL_METHOD, MockExperimentalMethodParams(value="x"))

    assert answer == MockExperimentalMethodResponse(echoed="x")


async def test_what_a_client_opts_out_of_it_does_not_hear(connect, provider):
    """Observed: per connection."""
    client = await connect(initialize=False)
    await client.initialize(without=["thread/started"])
    await client.start()
    await client.call(THREAD_LOADED_LIST, ALIVE)

    assert "thread/started" not in client.methods


BAD_LINES = [
    b"not json",
    b"[]",
    b"{}",
    b'"text"',
    b"null",
    b'{"id":null,"method":"thread/list","params":{}}',
    b'{"id":1.5,"method":"thread/list","params":{}}',
    b'{"id":{},"method":"thread/list","params":{}}',
    b'[{"id":1,"method":"thread/loaded/list","params":{}}]',
    b'{"method":"no/such/notification"}',
    b'{"method":"initialized"}',
    b'{"id":77,"result":{}}',
    b'{"id":"x","error":{"code":1,"message":"nobody asked"}}',
    b"[" * 100_000 + b"]" * 100_000,
    b'{"id":78,"method":"thread/start","params":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001,
]


async def test_what_is_no_request_is_passed_over(connect):
    """Observed: bad JSON, batches, stray answers and unknown notifications get no reply."""
    client = await connect()
    for line in BAD_LINES:
        await client.send(line)
        await client.call(THREAD_LOADED_LIST, ALIVE)


async def test_bytes_that_are_no_text_do_not_end_a_server_on_stdio(connect_stdio):
    """Ours: one invalid byte ends the reference server."""
    client = await connect_stdio()
    for line in (b"\xff\xfe", b'{"id":9,"method":"\xff"}', b"\0\0\0"):
        await client.send(line)
        await client.call(THREAD_LOADED_LIST, ALIVE)


BAD_REQUESTS = [
    (b'"thread/start"', b"null"),
    (b'"thread/start"', b"[]"),
    (b'"thread/start"', b"7"),
    (b'"thread/start"', b'{"cwd":5}'),
    (b'"thread/start"', b'{"cwd":"/","approvalPolicy":"whenever"}'),
    (b'"turn/start"', b"{}"),
    (b'"turn/start"', b'{"threadId":1,"input":[]}'),
    (b'"turn/start"', b'{"threadId":"x","input":[{"type":"smoke"}]}'),
    (b'"turn/start"', b'{"threadId":"00000000-0000-7000-8000-000000000000","input":[]}'),
    (b'"turn/interrupt"', b'{"threadId":"not-an-id","turnId":"y"}'),
    (b'"thread/read"', b'{"threadId":"' + b"x" * 100_000 + b'"}'),
    (b'"thread/list"', b'{"limit":"many"}'),
    (b'"thread/list"', b'{"cursor":"nonsense"}'),
    (b'"thread/resume"', b'{"threadId":"../../etc/passwd"}'),
    (b'"no/such/method"', b"{}"),
    (b'""', b"{}"),
]


async def test_a_bad_request_is_answered_with_an_error(connect):
    """Observed: -32600 for nearly everything; ours: every request is answered."""
    client = await connect()
    for method, params in BAD_REQUESTS:
        await client.send(b'{"id":"bad","method":' + method + b',"params":' + params + b"}")
        answer = await client.answer_to("bad")
        assert answer.error is not None, (method, params)
        assert answer.error.code == INVALID_REQUEST, (method, params)


async def test_a_request_without_params_is_answered(connect):
    """Observed: an error where params are declared."""
    client = await connect()
    await client.send(b'{"id":"bare","method":"thread/start"}')
    answer = await client.answer_to("bare")

    assert answer.error is not None


async def test_bad_text_inside_params_is_answered(connect_stdio):
    """Ours: the envelope is good, so there is an id to answer to."""
    client = await connect_stdio()
    await client.send(b'{"id":"bad","method":"thread/read","params":{"threadId":"\xff"}}')
    answer = await client.answer_to("bad")

    assert answer.error is not None


async def test_the_same_id_twice_is_answered_twice(connect):
    """Ours: ids are the client's business."""
    client = await connect()
    line = b'{"id":"twin","method":"thread/loaded/list","params":{}}'
    await client.send(line)
    await client.send(line)

    assert (await client.answer_to("twin")).error is None
    assert (await client.answer_to("twin")).error is None


async def test_a_line_of_twenty_megabytes_does_not_end_the_server(connect_stdio):
    """Ours: it is answered or passed over, and the next line is served."""
    client = await connect_stdio()
    big = msgspec.json.encode({"threadId": "x" * 20_000_000})
    await client.send(b'{"id":"big","method":"thread/read","params":' + big + b"}")

    await client.call(THREAD_LOADED_LIST, ALIVE)


async def test_a_message_of_twenty_megabytes_costs_a_websocket_client_its_connection(connect_ws):
    """Observed: messages are at most 16 MiB; ours: others are not disturbed."""
    big, other = await connect_ws(), await connect_ws()
    with suppress(Gone):  # it may close while we send
        await big.send(b'{"id":1,"method":"' + b"x" * 20_000_000 + b'"}')
    await big.gone()

    await other.call(THREAD_LOADED_LIST, ALIVE)


async def test_a_broken_configuration_is_told(connect, home):
    """Observed: defaults and a `configWarning`."""
    with (home / "config.toml").open("a") as file:
        file.write("\nthis is = = not TOML\n")
    client = await connect()
    warning = await client.next(CONFIG_WARNING)

    assert warning.path == str(home / "config.toml")
    await client.call(THREAD_LOADED_LIST, ALIVE)


async def test_an_unknown_provider_is_named_in_the_error(connect):
    """Ours: the error says which provider there is not."""
    client = await connect()
    with pytest.raises(RpcError, match="nowhere"):
        await client.call(THREAD_START, ThreadStartParams(model_provider="nowhere"))


async def test_the_end_of_stdin_ends_the_server_in_order(connect_stdio):
    """Observed: status 0."""
    await connect_stdio()

    assert await connect_stdio.server.end() == 0


async def test_a_signal_ends_a_server_on_stdio_in_order(connect_stdio):
    """Ours: the reference is killed by it."""
    client = await connect_stdio()
    await client.start()
    connect_stdio.server.processes()
    connect_stdio.server.process.terminate()
    with trio.fail_after(15):
        assert await connect_stdio.server.process.wait() == 0
