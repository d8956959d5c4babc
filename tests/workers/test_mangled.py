"""A thread's file after power cuts, bad disks and other programs: it loads all the same."""

from pathlib import Path

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol import goal, stored
from protocol.event import (
    AgentSaid,
    ContextCompacted,
    ItemCompleted,
    RolledBack,
    TaskComplete,
    TaskStarted,
)
from protocol.goal import begun
from protocol.rollout import Compacted, SessionMeta, TurnContext, encode, line
from workers.compaction import spoken
from workers.history import History, message
from workers.replay import replay
from workers.rollout import Rollout
from workers.tokens import estimate

ID = "019a0000-0000-7000-8000-000000000001"


def turn(n):
    return [
        line("event_msg", TaskStarted(f"t{n}", n)),
        line("turn_context", TurnContext(f"t{n}", "/w", model="m")),
        line("response_item", message("user", f"question {n}")),
        line("event_msg", {"type": "user_message", "message": f"question {n}"}),
        line("response_item", {"type": "function_call", "name": "x", "call_id": f"c{n}"}),
        line("event_msg", AgentSaid(f"answer {n}")),
        line("event_msg", {"type": "token_count", "info": None}),
        line("event_msg", TaskComplete(f"t{n}", completed_at=n)),
    ]


LINES = [
    encode(part)
    for part in [
        line("session_meta", SessionMeta(ID, cwd="/w")),
        *turn(1),
        line("event_msg", goal.event(ID, begun(ID, "Ship it", 5, 1))),
        *turn(2),
        line("compacted", Compacted("short", [message("user", "short")])),
        line("event_msg", ContextCompacted()),
        *turn(3),
        line("event_msg", RolledBack(1)),
        *turn(4),
    ]
]
FOREIGN = [
    *(
        b"\n",
        b"{}\n",
        b"[]\n",
        b"null\n",
        b'"\xff\xfe"\n',
        b"\x00" * 40 + b"\n",
        b"{" * 5000 + b"\n",
    ),
    b'{"timestamp":"x","type":"event_msg","payload":{"type":"thread_rolled_back","num_turns":-3}}\n',
    b'{"timestamp":"x","type":"event_msg","payload":{"type":"task_complete","turn_id":7}}\n',
    b'{"timestamp":"x","type":"compacted","payload":{"message":1,"replacement_history":{}}}\n',
    b'{"timestamp":"x","type":"response_item","payload":{"type":"message","role":5}}\n',
    b'{"timestamp":"x","type":"response_item","payload":{"type":"message","role":"user"}}\n',
    encode(line("event_msg", ItemCompleted("", "t1", {"type": "commandExecution"}))),
    *(
        b'{"timestamp":"x","type":"response_item","payload":%b}\n' % payload
        for payload in (
            b"{}",
            b'{"role":"user"}',
            b'{"type":"message","role":"user","content":"text"}',
            b'{"type":"message","role":"user","content":["text"]}',
            b'{"type":"message","role":"user","content":[{"text":5}]}',
            b'{"type":"function_call_output","call_id":["c"],"output":5}',
            b'{"type":"function_call","call_id":{}}',
            b'{"type":["message"]}',
        )
    ),
    b'{"timestamp":"x","type":"turn_context","payload":[]}\n',
    b'{"timestamp":"x","type":"of_tomorrow","payload":{"type":"unheard_of"}}\n',
]
PLACE = st.integers(0, len(LINES) - 1)
DAMAGE = st.lists(
    st.one_of(
        st.tuples(st.just("drop"), PLACE, PLACE),
        st.tuples(st.just("twice"), PLACE, PLACE),
        st.tuples(st.just("move"), PLACE, PLACE),
        st.tuples(st.just("cut"), PLACE, st.integers(0, 200)),
        st.tuples(st.just("foreign"), PLACE, st.integers(0, len(FOREIGN) - 1)),
    ),
    max_size=6,
)


def mangled(damage) -> bytes:
    lines = list(LINES)
    for kind, place, other in damage:
        at = place % len(lines)
        match kind:
            case "drop" if len(lines) > 1:
                del lines[at]
            case "twice":
                lines.insert(other % len(lines), lines[at])
            case "move":
                lines.insert(other % len(lines), lines.pop(at))
            case "cut":
                lines[at] = lines[at][:other]
            case "foreign":
                lines.insert(at, FOREIGN[other])
            case _:
                pass
    return b"".join(lines)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(DAMAGE)
def test_a_damaged_file_loads_and_goes_on(tmp_path: Path, damage):
    """Ours: what is whole is used, what is not stays where it is, and a turn is added behind it."""
    file = tmp_path / "rollout.jsonl"
    before = mangled(damage)
    file.write_bytes(before)
    rollout = Rollout.open(str(file), ID)
    loaded = replay(str(file))
    goal.read(str(file), ID)
    spoken(History(loaded.items).for_request())
    estimate(loaded.items, "")
    msgspec.json.encode(loaded.turns)
    rollout.event(TaskStarted("t9", 9))
    rollout.item(message("user", "question 9"))
    rollout.event(AgentSaid("answer 9"), TaskComplete("t9", completed_at=9))
    rollout.close()
    again = replay(str(file))

    whole = before[: before.rfind(b"\n") + 1]
    assert file.read_bytes().startswith(whole)
    assert stored.read_turns(str(file)) == again.turns
    assert again.turns[-1].id == "t9"
    assert again.items[-1] == message("user", "question 9")
    assert len(again.turns) == len(loaded.turns) + 1
