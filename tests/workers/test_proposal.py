"""In plan mode: an answer is split into a plan and what is said around it."""

from itertools import pairwise

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol.item import AgentMessage, Plan
from protocol.model import CollaborationMode, CollaborationSettings
from tests.workers.talking import message, talking
from workers.proposal import Proposal

PLAN_MODE = CollaborationMode("plan", CollaborationSettings("gpt-5.4"))
TEXT = "Look:\n<proposed_plan>\n1. this\n2. <that>\n</proposed_plan>\nWell?\n"
PIECES = st.sampled_from(
    ["<proposed_plan>", "</proposed_plan>", "\n", " ", "<", "</", "x", "plan>", "<proposed_", "ü"]
)


class FakeTurn:
    """`items` are those completed, `deltas` what was streamed of each kind."""

    id = "turn"
    thread_id = "thread"

    def __init__(self):
        self.items = []
        self.deltas = {"plan": "", "agentMessage": ""}
        self.open = []

    def started(self, item):
        assert item.text == ""
        self.open.append(item.id)

    def completed(self, item):
        self.open.remove(item.id)
        self.items.append((type(item), item.id, item.text))

    def tell(self, row, params):
        assert params.item_id in self.open
        self.deltas[row.name.split("/")[1]] += params.delta


def split(text, cuts=()):
    """What becomes of a text that comes in pieces."""
    turn = FakeTurn()
    proposal = Proposal(turn)
    proposal.begin(AgentMessage("m1", ""))
    ends = [0, *cuts, len(text)]
    for a, b in pairwise(ends):
        proposal.take("m1", text[a:b])
    proposal.end(AgentMessage("m1", text))
    assert turn.open == []
    return turn


def test_the_plan_is_an_item_of_its_own_and_the_marks_are_never_shown():
    """Observed: the plan is completed first, its id is made from the turn's."""
    turn = split(TEXT)

    assert turn.items == [
        (Plan, "turn-plan", "1. this\n2. <that>\n"),
        (AgentMessage, "m1", "Look:\nWell?\n"),
    ]


@pytest.mark.parametrize("at", range(len(TEXT) + 1))
def test_the_stream_may_cut_the_marks_anywhere(at):
    """Ours: the items, and the deltas together, are the same as of the whole text."""
    whole, cut = split(TEXT), split(TEXT, [at])

    assert (cut.items, cut.deltas) == (whole.items, whole.deltas)


@given(text=st.lists(PIECES, max_size=12).map("".join), data=st.data())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_text_cut_anywhere_gives_the_same_items(text, data):
    """Ours: as above, for whatever a model may write."""
    places = st.lists(st.integers(0, len(text)), max_size=6).map(sorted)
    whole, cut = split(text), split(text, data.draw(places))

    assert (cut.items, cut.deltas) == (whole.items, whole.deltas)


@given(text=st.lists(PIECES, max_size=12).map("".join))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_streamed_is_what_the_items_hold_in_the_end(text):
    """Ours: a client that joins the deltas has the item."""
    turn = split(text)
    held = {Plan: "", AgentMessage: ""}
    for kind, _, shown in turn.items:
        held[kind] += shown

    assert turn.deltas == {"plan": held[Plan], "agentMessage": held[AgentMessage]}


@pytest.mark.parametrize(
    "text", ["see <proposed_plan>\n", "<proposed_plan> x\n", "x</proposed_plan>\n", "<proposed_"]
)
def test_a_mark_that_is_not_alone_on_its_line_is_text(text):
    """Observed."""
    assert split(text).items == [(AgentMessage, "m1", text)]


def test_a_plan_without_an_end_lasts_to_the_end_of_the_message():
    """Observed."""
    assert split("<proposed_plan>\n1. this").items == [(Plan, "turn-plan", "1. this")]


async def test_a_turn_in_plan_mode_streams_both(tmp_path):
    """Observed: the plan is started when its mark is seen."""
    async with talking(tmp_path) as talk:
        with trio.fail_after(5):
            await talk.turn([message(TEXT, cuts=[20])], collaboration_mode=PLAN_MODE)

    kinds = [(what, kind) for what, kind, _ in talk.items if what != "delta"]
    assert kinds == [
        ("started", "agentMessage"),
        ("started", "plan"),
        ("completed", "plan"),
        ("completed", "agentMessage"),
    ]


async def test_outside_plan_mode_the_marks_are_text(talk):
    """Observed."""
    await talk.turn([message(TEXT)])

    assert talk.items[-1] == ("completed", "agentMessage", TEXT)


def test_a_second_plan_replaces_the_first():
    """Observed: though its pieces follow those of the first."""
    again = "<proposed_plan>\none\n</proposed_plan>\n<proposed_plan>\ntwo\n</proposed_plan>\n"
    turn = split(again)

    assert turn.items == [(Plan, "turn-plan", "two\n")]
    assert turn.deltas["plan"] == "one\ntwo\n"
