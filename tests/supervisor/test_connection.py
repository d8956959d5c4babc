"""One client: what it says, what it is told, and behind what."""

import json

import pytest

from protocol.envelope import Answer, Request
from protocol.errors import invalid
from protocol.initialize import ClientInfo
from supervisor.connection import Connection
from supervisor.outbox import Outbox
from tests.supervisor.stage import heard, told


class Receiver:
    def __init__(self):
        self.received = []

    def request(self, client, request):
        self.received.append(request)

    def answer(self, client, answer):
        self.received.append(answer)

    def gone(self, client):
        self.received.append("gone")


@pytest.fixture
def client():
    return Connection(Receiver(), "line", info=ClientInfo("test", "0"))


def note(method):
    return json.dumps({"method": method}).encode()


def test_requests_and_answers_are_handed_in_as_they_come(client):
    """Observed: notifications and what is no message get no reply, and end nothing."""
    for message in (
        b'{"id":1,"method":"a","params":{}}', b'{"method":"initialized"}', b"[]", b"{", b"\xff",
        b'{"id":2,"result":null}', b'{"id":null,"method":"b"}', b'{"id":3}', b"[" * 100_000,
    ):  # fmt: skip
        client.receive(message)

    assert client.receiver.received == [Request(1, "a", b"{}"), Answer(2, b"null")]


async def test_what_follows_an_answer_comes_right_behind_it(client):
    """Observed: a name is told to the client that gave it behind the answer."""
    client.follow("b", note("b"))
    client.tell("a", note("a"))
    client.reply("r", b"{}")
    client.reply("s", b"{}")

    assert await told(client) == ["a", "r", "b", "s"]


async def test_what_follows_a_request_that_failed_is_told_all_the_same(client):
    """Ours: it has happened; nor may it wait for the answer to something else."""
    client.follow("b", note("b"))
    client.refuse("r", invalid("no"))
    client.reply("s", b"{}")

    assert await told(client) == ["r", "b", "s"]


async def test_before_hello_and_after_opting_out_it_is_told_nothing(client):
    """Observed: both are per connection; answers come regardless."""
    client.opted_out = frozenset({"a"})
    client.tell("a", note("a"))
    client.tell("b", note("b"))
    client.info = None
    client.tell("b", note("b"))
    client.reply("r", b"{}")

    assert await told(client) == ["b", "r"]


@pytest.mark.parametrize("id", [1, -(1 << 63), "a", 'quo"te', "ü"])
async def test_ids_come_back_as_they_were(client, id):
    """Observed."""
    client.reply(id, b"{}")
    client.refuse(id, invalid("no"))

    assert [m["id"] for m in await heard(client)] == [id, id]


async def test_a_client_that_is_behind_by_a_whole_outbox_is_noticed():
    """Ours (DESIGN 7): its transport decides what becomes of it."""
    client = Connection(Receiver(), "line", Outbox(limit=50), ClientInfo("test", "0"))
    client.tell("a", b"x" * 48)
    assert not client.overrun.is_set()
    client.tell("a", b"x")

    assert client.overrun.is_set()


async def test_after_its_end_it_is_gone_and_told_no_more(client):
    """Ours: handlers that are still at it need not know."""
    client.close()
    client.reply("r", b"{}")

    assert client.receiver.received == ["gone"]
    assert await told(client) == []
