"""Questions: who is asked, whose answer counts, and who is told that it is over."""

import json

import pytest

from protocol.frames import Answered, Ask, Refused, Reply, Withdrawn
from tests.supervisor.stage import heard, question, request, staged, told, until

RESOLVED = "serverRequest/resolved"


@pytest.fixture
async def stage():
    async with staged() as stage:
        yield stage


async def joined(stage, loaded, played):
    """Another client that listens."""
    client = stage.client()
    loaded.call(client, request("joined", "thread/resume"), subscribe=True)
    await played.say(Reply((await played.hear()).n, b"{}"))
    await until(lambda: client in loaded.subscribers)
    return client


async def asked(stage, ask=None):
    """Two clients, a question to both, and the thread's worker."""
    first = stage.client()
    loaded, played = await stage.load(first)
    second = await joined(stage, loaded, played)
    await heard(second)
    await played.say(ask or question(7))
    await until(lambda: second.outbox.size)
    return first, second, played


def answer(client, id, **what):
    client.receive(json.dumps({"id": id, **what}).encode())


async def test_the_first_answer_counts_and_the_others_are_told(stage):
    """Observed: both are asked under the same id, and `serverRequest/resolved` names it."""
    first, second, played = await asked(stage)
    (asking,) = await heard(first)
    assert await heard(second) == [asking]
    answer(second, asking["id"], result={"answers": {}})
    answer(first, asking["id"], result={"answers": {"late": 1}})

    assert await played.hear() == Answered(7, b'{"answers": {}}')
    assert await told(first) == await told(second) == [RESOLVED]


async def test_a_refusal_is_an_answer(stage):
    """Observed: a JSON-RPC error declines."""
    first, _, played = await asked(stage)
    (asking,) = await heard(first)
    answer(first, asking["id"], error={"code": 1, "message": "not now"})

    assert await played.hear() == Refused(7, "not now")


@pytest.mark.parametrize("error", [5, "no", {"message": 1}, {}, [[[]]]])
async def test_a_refusal_without_words_is_one_too(stage, error):
    """Ours: clients may send any error."""
    first, _, played = await asked(stage)
    (asking,) = await heard(first)
    answer(first, asking["id"], error=error)

    assert await played.hear() == Refused(7, "refused")


@pytest.mark.parametrize("id", [99, "0", -1, "x"])
async def test_an_answer_that_nobody_asked_for_is_passed_over(stage, id):
    """Observed: stray answers get no reply."""
    first, _, _ = await asked(stage)
    await heard(first)
    answer(first, id, result={})

    assert await told(first) == []


async def test_who_does_not_listen_cannot_answer(stage):
    """Ours: the question was not put to it."""
    first, _, played = await asked(stage)
    (asking,) = await heard(first)
    answer(stage.client(), asking["id"], result={"answers": {"a": 1}})
    answer(first, asking["id"], result={})

    assert await played.hear() == Answered(7, b"{}")


async def test_who_joins_while_a_question_is_open_is_asked_behind_its_answer(stage):
    """Observed: a client that resumes the thread can decide for one that has gone."""
    first, second, played = await asked(stage)
    (asking,) = await heard(first)
    first.close()
    second.close()
    (thread,) = stage.threads
    late = await joined(stage, thread, played)

    assert await told(late) == ["joined", asking["method"]]
    answer(late, asking["id"], result={})
    assert await played.hear() == Answered(7, b"{}")


async def test_who_listens_already_is_not_asked_again_when_it_resumes(stage):
    """Ours: it has the question on its screen."""
    first, _, played = await asked(stage)
    await heard(first)
    (thread,) = stage.threads
    thread.call(first, request("again", "thread/resume"), subscribe=True)
    await played.say(Reply((await played.hear()).n, b"{}"))
    await until(lambda: first.outbox.size)

    assert await told(first) == ["again"]


async def test_a_withdrawn_question_is_closed_and_cannot_be_answered(stage):
    """Observed: an interrupt resolves the questions of its turn."""
    first, _, played = await asked(stage)
    (asking,) = await heard(first)
    await played.say(Withdrawn(8), Withdrawn(7), Withdrawn(7))
    await until(lambda: first.outbox.size)
    answer(first, asking["id"], result={})

    assert await told(first) == [RESOLVED]


async def test_what_a_client_was_asked_to_do_is_over_without_a_word(stage):
    """Observed: a call of a client's own tool is on nobody's screen."""
    first, second, played = await asked(stage, Ask(7, "item/tool/call", b"{}"))
    (asking,) = await heard(first)
    await heard(second)
    answer(first, asking["id"], result={})

    assert await played.hear() == Answered(7, b"{}")
    assert await told(second) == []
