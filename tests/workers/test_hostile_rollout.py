"""Files that a disk, a crash or a stranger has been at: what is whole in them is not lost."""

import json
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol import meta, stored, summary
from protocol.item import AgentMessage, TextInput, UserMessage
from supervisor import scan
from workers.compaction import spoken
from workers.history import History
from workers.replay import replay
from workers.rollout import Rollout
from workers.tokens import estimate

ID = "01999999-0000-7000-8000-000000000001"
STAMP = "2026-01-02T03:04:05.678Z"
SETTINGS = settings(
    max_examples=150,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def line(type: str, payload) -> bytes:
    return json.dumps({"timestamp": STAMP, "type": type, "payload": payload}).encode()


def event(type: str, **payload) -> bytes:
    return line("event_msg", {"type": type, **payload})


def item(role: str, text: str) -> bytes:
    kind = "output_text" if role == "assistant" else "input_text"
    content = [{"type": kind, "text": text}]
    return line("response_item", {"type": "message", "role": role, "content": content})


def turn(id: str, question: str, answer: str) -> list[bytes]:
    patch = {"a": {"type": "update", "unified_diff": "@@", "move_path": None}}
    return [
        event("task_started", turn_id=id, started_at=1, model_context_window=9),
        line("turn_context", {"turn_id": id, "cwd": "/", "model": "m", "summary": "auto"}),
        item("user", question),
        event("user_message", message=question, images=[], local_images=[], text_elements=[]),
        line("response_item", {"type": "function_call", "name": "x", "arguments": "{}",
                               "call_id": "c"}),
        line("response_item", {"type": "function_call_output", "call_id": "c", "output": "o"}),
        event("patch_apply_end", call_id="p", turn_id=id, success=True, changes=patch),
        event("token_count", info={"total_token_usage": {}, "last_token_usage": {}}),
        event("agent_message", message=answer, phase=None, memory_citation=None),
        item("assistant", answer),
        event("task_complete", turn_id=id, last_agent_message=answer, completed_at=2),
    ]  # fmt: skip


META = line("session_meta", {"id": ID, "timestamp": STAMP, "cwd": "/", "model_provider": "p"})
LINES = [
    META,
    *turn("t1", "one?", "one"),
    event("thread_rolled_back", num_turns=1),
    *turn("t2", "two?", "two"),
    line("compacted", {"message": "sum", "replacement_history": [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "two?"}]},
    ]}),
    event("entered_review_mode", target={"type": "custom"}, user_facing_hint="h"),
    event("exited_review_mode", review_output={"findings": [{"title": "t"}]}),
    *turn("t3", "three?", "three"),
]  # fmt: skip
LAST = turn("last", "last?", "at last")

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "id", "text", "role", "content", "x"]), inner)
    ),
    max_leaves=6,
)
junk = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([b"\0" * 4096, b"{}", b"[]", b"null", b"{", b'"', b"\xff\xfe", b"[" * 100_000,
                     b'{"a":' * 5000, META.replace(ID.encode(), b"another")]),
)  # fmt: skip


@st.composite
def spoiled(draw) -> bytes:
    """The lines of a good file, some of them lost, torn, doubled, moved or not what they were."""
    lines = list(LINES)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["drop", "double", "swap", "tear", "junk", "join", "alter"])):
            case "drop" if len(lines) > 1:
                del lines[at]
            case "double":
                lines.insert(at, lines[at])
            case "swap":
                lines[at], lines[0] = lines[0], lines[at]
            case "tear":
                lines[at] = lines[at][: draw(st.integers(0, len(lines[at])))]
            case "junk":
                lines.insert(at, draw(junk))
            case "join":
                lines[at] = lines[at] + lines[draw(st.integers(0, len(lines) - 1))]
            case _:
                lines[at] = altered(draw, lines[at])
    return b"\n".join(lines) + b"\n"


def altered(draw, whole: bytes) -> bytes:
    """The line with something else in the place of a value."""
    try:
        read = json.loads(whole)
        payload = read["payload"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return whole
    if not isinstance(payload, dict) or not payload:
        return whole
    payload[draw(st.sampled_from(sorted(payload)))] = draw(anything)
    return json.dumps(read).encode()


def words(turn) -> list[str]:
    said: list[str] = []
    for shown in turn.items:
        match shown:
            case UserMessage():
                said += [part.text for part in shown.content if isinstance(part, TextInput)]
            case AgentMessage():
                said.append(shown.text)
            case _:
                pass
    return said


@SETTINGS
@given(data=spoiled())
def test_what_follows_the_harm_is_read_whole(tmp_path, data):
    """Ours (DESIGN 5): a line that cannot be read is passed over and takes nothing along."""
    path = tmp_path / f"rollout-2026-01-02T03-04-05-{ID}.jsonl"
    path.write_bytes(data + b"\n".join(LAST) + b"\n")

    turns = stored.read_turns(str(path))
    assert (turns[-1].id, words(turns[-1])) == ("last", ["last?", "at last"])
    loaded = replay(str(path))
    assert loaded.turns == turns
    history = History(loaded.items)
    assert loaded.items[-1]["content"][0]["text"] == "at last"
    assert history.for_request()[-1] == loaded.items[-1]
    assert spoken(loaded.items)[-1] == "last?"
    assert estimate(loaded.items, "") > 0


@SETTINGS
@given(data=spoiled())
def test_a_harmed_file_is_listed_or_not_and_never_in_the_way(tmp_path, data):
    """Ours: a thread whose file does not say whose it is cannot be shown, but nobody stumbles."""
    path = tmp_path / f"rollout-2026-01-02T03-04-05-{ID}.jsonl"
    path.write_bytes(data)

    row = scan.examine(str(path))
    assert row is not None
    assert row.id == ID
    with path.open("rb") as file:
        assert (summary.summary(file) is None) == (row.thread is None)
    assert row.thread is None or meta.read(str(path)) is not None


@SETTINGS
@given(data=spoiled(), torn=st.binary(max_size=40))
def test_a_harmed_file_is_gone_on_with_and_loses_no_line(tmp_path, data, torn):
    """Ours: only a last line without its end is cut off."""
    path = tmp_path / f"rollout-2026-01-02T03-04-05-{ID}.jsonl"
    path.write_bytes(data + torn)

    rollout = Rollout.open(str(path), ID)
    rollout.event({"type": "agent_message", "message": "more"})
    rollout.close()
    now = Path(path).read_bytes()
    whole = data + torn[: torn.rfind(b"\n") + 1]
    assert now.startswith(whole)
    assert b'"more"' in now[len(whole) :]
