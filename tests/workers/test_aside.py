"""What the provider says beside its answer, and who is told of it."""

from tests.workers.talking import message
from workers.events import decode
from workers.provider import Created, ServedBy, Verify


async def test_another_model_that_answers_is_told_once_a_turn(talk):
    """Observed: to clients, with a warning, and to the model in its history."""
    await talk.turn([[ServedBy("gpt-5.2"), ServedBy("gpt-5.2")], message("hi")])

    (told,) = talk.told("model/rerouted")
    assert (told["fromModel"], told["toModel"]) == ("gpt-5.4", "gpt-5.2")
    assert told["reason"] == "highRiskCyberActivity"
    assert "gpt-5.2" in talk.told("warning")[0]["message"]
    assert "Warning: " in str(talk.thread.history.items[-2])


async def test_the_model_that_was_asked_for_is_nothing_to_tell(talk):
    """Observed: its name may be spelled otherwise."""
    await talk.turn([[ServedBy("GPT-5.4"), Verify(["unheard of"])], message("hi")])

    assert not talk.told("model/rerouted")
    assert not talk.told("model/verification")


async def test_a_verification_is_told_once_a_turn(talk):
    """Observed."""
    wanted = Verify(["trusted_access_for_cyber", "other", "trusted_access_for_cyber"])
    await talk.turn([[wanted, wanted], message("hi")])

    (told,) = talk.told("model/verification")
    assert told["verifications"] == ["trustedAccessForCyber"]


def test_a_stream_names_its_model_and_what_it_wants_verified():
    """Observed: in the headers of its first events and in their metadata."""
    created = b'{"type":"response.created","response":{"id":"r","headers":{"OpenAI-Model":"m"}}}'
    told = (
        b'{"type":"response.metadata","headers":{"x-openai-model":"n"},'
        b'"metadata":{"openai_verification_recommendation":["a",1]}}'
    )
    broken = b'{"type":"response.metadata","headers":[],"metadata":7}'

    assert decode([created, told, broken]).events == [
        *(ServedBy("m"), Created()),
        *(ServedBy("n"), Verify(["a"])),
    ]
