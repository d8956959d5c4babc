"""A request finds whoever answers it, and gets exactly one answer whatever goes wrong."""

import json

import pytest
import trio

from protocol.errors import INTERNAL_ERROR, INVALID_REQUEST, OVERLOADED, invalid
from protocol.frames import Reply, StartThread
from protocol.mcp import ListMcpServerStatusResponse
from protocol.methods import MODEL_LIST, THREAD_START, THREAD_UNSUBSCRIBE
from supervisor import router
from supervisor.handlers import HANDLERS
from tests.supervisor.stage import ID, ask, heard, request, spec, staged, told, until

OTHER = "01999999-0000-7000-8000-000000000001"


@pytest.fixture
async def stage():
    async with staged() as stage:
        yield stage


@pytest.fixture
def client(stage):
    return stage.client()


@pytest.fixture
def serve(monkeypatch):
    """Have a function of the test answer a request."""

    def serve(row, handler):
        monkeypatch.setitem(HANDLERS, row.name, handler)

    return serve


async def error(client):
    (answer,) = await heard(client)
    return answer["error"]


async def test_an_unknown_method_is_refused(client):
    """Observed: -32600, an "unknown variant"."""
    ask(client, 1, "no/such/method")

    assert await error(client) == {
        "code": INVALID_REQUEST,
        "message": "Invalid request: unknown variant `no/such/method`",
    }


async def test_nothing_is_served_before_hello(client):
    """Observed."""
    client.info = None
    ask(client, 1, "thread/loaded/list")

    assert (await error(client))["message"] == "Not initialized"


async def test_what_is_experimental_needs_the_capability(client):
    """Observed: methods, and fields by their name on the wire."""
    client.experimental = False
    ask(client, 1, "thread/turns/list", threadId=ID)
    ask(client, 2, "thread/start", experimentalRawEvents=True)

    assert [m["error"]["message"].split()[0] for m in await heard(client)] == [
        "thread/turns/list",
        "thread/start.experimentalRawEvents",
    ]


@pytest.mark.parametrize("method", ["turn/start", "turn/interrupt", "thread/unsubscribe"])
async def test_params_of_a_wrong_shape_are_answered(client, method):
    """Observed: -32600, by the id of the request."""
    client.receive(json.dumps({"id": "r", "method": method, "params": {"threadId": 5}}).encode())

    (answer,) = await heard(client)
    assert (answer["id"], answer["error"]["code"]) == ("r", INVALID_REQUEST)


async def test_requests_about_threads_that_are_not_loaded_are_refused(client):
    """Observed: `thread not found`; and what is no id at all is named too."""
    ask(client, 1, "turn/start", threadId=ID, input=[])
    ask(client, 2, "turn/start", threadId="x", input=[])

    first, second = await heard(client)
    assert first["error"]["message"] == f"thread not found: {ID}"
    assert "invalid thread id: `x`" in second["error"]["message"]


async def test_answers_at_once_come_in_the_order_of_the_requests(client):
    """Ours: one outbox."""
    for n in range(20):
        ask(client, n, "thread/loaded/list")

    assert await told(client) == list(range(20))


async def test_a_slow_handler_does_not_hold_up_the_requests_behind_it(client, serve):
    """Ours: it runs as a task of its own."""
    go_on = trio.Event()

    async def slowly(host, client, params):
        await go_on.wait()
        return ListMcpServerStatusResponse([])

    serve(MODEL_LIST, slowly)
    ask(client, "slow", "model/list")
    ask(client, "quick", "thread/loaded/list")
    assert await told(client) == ["quick"]
    assert client.in_flight == 1
    go_on.set()
    await until(lambda: client.outbox.size)

    assert await told(client) == ["slow"]
    assert client.in_flight == 0


@pytest.mark.parametrize("slow", [False, True])
async def test_a_fault_in_a_handler_is_an_answer(stage, client, serve, slow, caplog):
    """Ours: -32603 and a traceback for the operator; nobody's connection ends."""

    def fault(host, client, params):
        raise KeyError("a fault of ours")

    async def slow_fault(host, client, params):
        await trio.lowlevel.checkpoint()
        fault(host, client, params)

    serve(MODEL_LIST, slow_fault if slow else fault)
    ask(client, 1, "model/list")
    await until(lambda: client.outbox.size)

    assert (await error(client))["code"] == INTERNAL_ERROR
    assert "a fault of ours" in caplog.text
    assert client.in_flight == stage.host.in_flight == 0


async def test_what_a_failed_request_has_announced_is_told_behind_its_error(stage, client, serve):
    """Ours: not behind the answer to whatever comes next."""

    def half(host, client, params):
        host.tell_all("skills/changed", b'{"method":"skills/changed"}', answering=client)
        raise invalid("the other half failed")

    serve(MODEL_LIST, half)
    other = stage.client()
    ask(client, 1, "model/list")
    ask(client, 2, "thread/loaded/list")

    assert await told(client) == [1, "skills/changed", 2]
    assert await told(other) == ["skills/changed"]


async def test_a_client_with_too_many_requests_is_refused_and_others_are_not(
    stage, client, monkeypatch
):
    """Ours (DESIGN 7): -32001, an answer that says when to come back."""
    monkeypatch.setattr(router, "IN_FLIGHT_LIMIT", 3)
    _, played = await stage.load(client)
    for n in range(4):
        ask(client, n, "turn/interrupt", threadId=ID, turnId="t")

    assert (await error(client))["code"] == OVERLOADED
    other = stage.client()
    ask(other, 1, "thread/loaded/list")
    assert await told(other) == [1]
    await played.say(Reply((await played.hear()).n, b"{}"))
    await until(lambda: client.outbox.size)
    ask(client, "again", "turn/interrupt", threadId=ID, turnId="t")
    assert await told(client) == [0]


async def test_the_server_counts_what_gone_clients_have_begun(stage, monkeypatch):
    """Ours (DESIGN 7): to come and go is no way around the bound."""
    monkeypatch.setattr(router, "TOTAL_LIMIT", 3)
    await stage.load(stage.client())
    for n in range(3):
        client = stage.client()
        ask(client, n, "turn/interrupt", threadId=ID, turnId="t")
        client.close()
    last = stage.client()
    ask(last, 1, "thread/loaded/list")

    assert (await error(last))["code"] == OVERLOADED


async def test_a_client_that_goes_while_its_thread_is_being_loaded_leaves_no_trace(
    stage, client, serve
):
    """Ours: the thread is there for others, and for the grace period."""

    async def start(host, client, params):
        return await host.threads.load(spec())

    serve(THREAD_START, start)
    ask(client, 1, "thread/start")
    client.close()
    await until(lambda: stage.births.played)
    start = await stage.births.played[0].born()
    await until(lambda: not stage.host.in_flight)

    assert isinstance(start, StartThread)
    assert not stage.threads.loaded(ID).subscribers
    assert stage.host.clients == set()


async def test_a_handler_that_names_a_thread_leaves_the_answer_to_its_worker(stage, client, serve):
    """Ours: `thread/resume` joins a loaded thread as it is, and subscribes."""
    loaded, played = await stage.load(stage.client())
    serve(THREAD_UNSUBSCRIBE, lambda host, client, params: loaded)
    ask(client, "r", "thread/unsubscribe", threadId=ID)
    await played.say(Reply((await played.hear()).n, b'{"from":"worker"}'))
    await until(lambda: client.outbox.size)

    assert await heard(client) == [{"id": "r", "result": {"from": "worker"}}]
    assert client in loaded.subscribers


async def test_labelling_a_thread_is_no_reason_to_listen_to_it(stage, client):
    """Observed: metadata and memory mode are answered by the worker, and subscribe nobody."""
    loaded, played = await stage.load(stage.client())
    ask(client, "r", "thread/memoryMode/set", threadId=ID, mode="disabled")
    await played.say(Reply((await played.hear()).n, b"{}"))
    await until(lambda: client.outbox.size)

    assert client not in loaded.subscribers


async def test_a_gone_client_listens_to_nothing(stage, client):
    """Ours."""
    threads = [(await stage.load(client, id))[0] for id in (ID, OTHER)]
    client.close()
    stage.router.request(client, request())

    assert [thread.subscribers for thread in threads] == [{}, {}]
