"""What stays of a history that gives way to its summary."""

import pytest

from workers import wording
from workers.compaction import CUT, KEPT_TOKENS, shortened, spoken
from workers.history import ABORTED, message


def test_the_users_words_stay_and_nothing_else():
    """Observed: no context, no answers, no earlier summary."""
    picture = {"type": "input_image", "image_url": "data:"}
    said = {
        "type": "message",
        "role": "user",
        "content": [
            {"type": "input_text", "text": "look at this"},
            {"type": "input_text", "text": "<image>"},
            picture,
            {"type": "input_text", "text": "</image>"},
        ],
    }
    items = [
        message("developer", "rules"),
        message("user", "<environment_context>\n"),
        message("user", "# AGENTS.md instructions for /work"),
        message("user", f"{wording.COMPACTED}\n\nearlier"),
        message("user", "<b>bold</b> is what I want"),
        {"type": "function_call", "call_id": "c", "name": "x", "arguments": "{}"},
        message("user", ABORTED),
        said,
    ]
    assert spoken(items) == ["<b>bold</b> is what I want", "look at this"]


@pytest.mark.parametrize("letter", ["x", "é", "🙂"])
def test_old_words_go_when_there_are_too_many(letter):
    """Ours: the latest stay whole, the one at the edge is cut between two characters."""
    budget = KEPT_TOKENS * 4
    kept = spoken([message("user", t) for t in ("oldest", letter * budget, "latest")])
    assert kept[-1] == "latest"
    assert kept[0].endswith(CUT)
    assert len("".join(kept).removesuffix(CUT).encode()) <= budget + len(CUT.encode())
    assert len(kept) == 2


def test_a_call_and_its_output_go_together():
    """Ours: a provider refuses an output without its call."""
    call = {"type": "function_call", "call_id": "c"}
    output = {"type": "function_call_output", "call_id": "c", "output": ""}
    assert shortened([call, output, message("user", "x")]) == [message("user", "x")]
