"""Memory citations are taken out of an answer, wherever the stream cuts it."""

import pytest

from protocol.item import MemoryCitation, MemoryCitationEntry
from tests.workers.talking import message
from workers.citation import CLOSE, OPEN, Hidden, split

BODY = (
    "\n<citation_entries>\nMEMORY.md:1-2|note=[why [so]]\nno entry\n</citation_entries>\n"
    "<rollout_ids>\na\nb\na\n</rollout_ids>\n"
)
CITED = MemoryCitation([MemoryCitationEntry(2, 1, "why [so]", "MEMORY.md")], ["a", "b"])
TEXT = f"Before {OPEN}{BODY}{CLOSE} after <b> x"


def test_the_text_and_what_it_rests_on_are_told_apart():
    """Observed: lines that are no entry are passed over."""
    assert split(TEXT) == ("Before  after <b> x", CITED)
    assert split("a < b") == ("a < b", None)
    assert split(f"x{OPEN}y{CLOSE}z") == ("xz", None)
    assert split(f"x {OPEN} never closed") == ("x ", None)


@pytest.mark.parametrize("step", [1, 2, 3, 7, 17, 18, 19, 1000])
def test_a_mark_is_found_however_the_stream_cuts_it(step):
    """Ours: nothing of it is shown, and nothing else is lost."""
    hidden = Hidden()
    pieces = [hidden.take(TEXT[at : at + step]) for at in range(0, len(TEXT), step)]

    assert "".join([*pieces, hidden.end()]) == split(TEXT)[0]


def test_what_only_looks_like_a_mark_is_shown_in_the_end():
    """Ours."""
    hidden = Hidden()
    assert (hidden.take("a <oai-mem"), hidden.end()) == ("a ", "<oai-mem")


async def test_the_model_is_told_its_own_answer_as_it_was(talk):
    """Observed."""
    await talk.turn([message(TEXT)])
    talk.heard.clear()
    await talk.turn([message("two", "m2")])

    assert talk.model.inputs[1][-2]["content"][0]["text"] == TEXT


async def test_deltas_and_item_hold_the_text_alone(talk):
    """Observed: the text of the item is the sum of its deltas."""
    await talk.turn([message(TEXT, cuts=[10, 30])])
    (done,) = [t["item"] for t in talk.told("item/completed") if t["item"]["type"] != "userMessage"]

    assert done["text"] == "Before  after <b> x"
    assert done["memoryCitation"]["threadIds"] == ["a", "b"]
    assert "".join(d["delta"] for d in talk.told("item/agentMessage/delta")) == done["text"]
