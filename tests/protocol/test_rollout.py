"""The line format: what is written, what is read, what is passed over."""

import json

import pytest

from protocol import rollout
from protocol.thread import NamedSource, SpawnedSource, ThreadSpawn

PLAIN = (
    b'{"timestamp":"2026-01-02T03:04:05.678Z","type":"event_msg",'
    b'"payload":{"type":"user_message","message":"hi"}}\n'
)


def test_a_line_comes_back_as_it_was_written():
    """Observed: `{timestamp, type, payload}`, in this order, one line each."""
    written = rollout.encode(rollout.line("response_item", {"type": "message", "role": "user"}))
    assert written.endswith(b"}\n")
    assert list(json.loads(written)) == ["timestamp", "type", "payload"]
    read = rollout.decode(written)
    assert read is not None
    assert bytes(read.payload) == b'{"type":"message","role":"user"}'


def test_timestamps_have_milliseconds_and_z():
    """Observed."""
    assert rollout.stamp(1_767_323_045_078) == "2026-01-02T03:04:05.078Z"
    assert rollout.unix_ms("2026-01-02T03:04:05.078Z") == 1_767_323_045_078
    assert rollout.unix_ms("2026-01-02T04:04:05.078+01:00") == 1_767_323_045_078
    assert rollout.unix_ms("yesterday") is None


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PLAIN, (b"event_msg", b"user_message")),
        (json.dumps(json.loads(PLAIN)).encode(), (b"event_msg", b"user_message")),
        (
            b'{"payload":{"message":"x","type":"user_message"},"type":"event_msg","timestamp":"t"}',
            (b"event_msg", b"user_message"),
        ),
        (b'{"timestamp":"t","type":"novelty","payload":{}}', (b"novelty", b"")),
        (b'{"timestamp":"t","type":"event_msg","payload":{"message":"x"}}', (b"event_msg", b"")),
        (b"{ broken\n", None),
        (b"\xff\xfe\n", None),
        (b"\n", None),
        (b"[1,2]", None),
    ],
)
def test_the_kind_of_any_line_is_known(data, kind):
    """Ours: other programs order and space their keys as they like; some lines are broken."""
    assert rollout.kind(data) == kind


def test_a_deep_line_is_passed_over():
    """Ours: nesting beyond the stack must not end the reader."""
    assert rollout.decode(b'{"a":' * 20_000) is None


def test_files_lie_by_day_and_carry_the_id(monkeypatch):
    """Observed: `YYYY/MM/DD/rollout-STAMP-ID.jsonl`."""
    name = rollout.file_name("0199a213-81c0-7800-8aa1-bbab2a035a53", 1_767_323_045_078)
    folder, _, file = name.rpartition("/")
    match = rollout.FILE_NAME.fullmatch(file)
    assert match is not None
    assert match[4] == "0199a213-81c0-7800-8aa1-bbab2a035a53"
    assert folder == f"{match[1]}/{match[2]}/{match[3]}"
    assert rollout.dated_path(file) == name
    assert rollout.dated_path("notes.jsonl") is None


@pytest.mark.parametrize(
    ("wire", "stored", "kind"),
    [
        ("vscode", "vscode", "vscode"),
        ("cli", "cli", "cli"),
        ("appServer", "mcp", "appServer"),
        (NamedSource(sub_agent="review"), {"subagent": "review"}, "subAgentReview"),
        (
            NamedSource(sub_agent=SpawnedSource(thread_spawn=ThreadSpawn(1, "p"))),
            {
                "subagent": {
                    "thread_spawn": {
                        "depth": 1,
                        "parent_thread_id": "p",
                        "agent_nickname": None,
                        "agent_path": None,
                        "agent_role": None,
                    }
                }
            },
            "subAgentThreadSpawn",
        ),
    ],
)
def test_sources_have_a_stored_spelling(wire, stored, kind):
    """Observed: `subagent` in the file, `subAgent` on the wire."""
    assert rollout.stored_source(wire) == stored
    assert rollout.wire_source(stored) == wire
    assert rollout.source_kind(wire) == kind


def test_an_unheard_of_source_is_unknown():
    """Ours: a newer program's file is still listed."""
    assert rollout.wire_source("hologram") == "unknown"
    assert rollout.wire_source(7) == "unknown"
