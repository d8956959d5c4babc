"""What a thread's file says of the thread as a whole, however often it was changed."""

import json

import pytest

from protocol import meta
from protocol.errors import RpcError
from protocol.maintenance import ThreadMetadataGitInfoUpdateParams as Change
from protocol.rollout import Git, SessionMeta
from protocol.thread import GitInfo

ID, OTHER = "0199a213-81c0-7800-8aa1-bbab2a035a53", "0199a213-81c0-7800-8aa1-000000000000"


def line(kind: str, **payload) -> str:
    head = {"timestamp": "2026-01-02T03:04:05.678Z", "type": kind}
    return json.dumps({**head, "payload": payload}) + "\n"


@pytest.fixture
def file(tmp_path):
    def write(*lines: str) -> str:
        path = tmp_path / "r.jsonl"
        path.write_text("".join(lines))
        return str(path)

    return write


def test_the_last_word_on_each_matter_counts(file):
    """Observed: a line about the memory mode alone leaves the git info as it was."""
    found = meta.read(
        file(
            line("session_meta", id=ID, cwd="/work", git={"branch": "main"}),
            line("event_msg", type="user_message", message='"session_meta"'),
            line("session_meta", id=ID, cwd="/elsewhere", git={"branch": "topic"}),
            line("session_meta", id=ID, memory_mode="disabled"),
            line("session_meta", id=OTHER, git={"branch": "source"}),
        )
    )
    assert found is not None
    assert (found.cwd, found.memory_mode) == ("/work", "disabled")
    assert meta.git_info(found) == GitInfo("topic")


def test_cleared_git_info_is_none(file):
    """Observed: an empty object is written, and null is shown."""
    found = meta.read(
        file(
            line("session_meta", id=ID, git={"branch": "main"}),
            line("session_meta", id=ID, git={}),
        )
    )
    assert found is not None
    assert meta.git_info(found) is None


def test_a_file_without_meta_says_nothing(file):
    """Ours: garbage is passed over."""
    assert meta.read(file("garbage\n", line("session_meta", id=5), line("event_msg"))) is None


def test_git_info_is_changed_by_the_field():
    """Observed: texts are trimmed, null clears, what is left out stays."""
    found = SessionMeta(ID, git=Git("abc", "main"))
    meta.set_git(found, Change(sha=None, origin_url=" https://x.org/r "))
    assert meta.git_info(found) == GitInfo("main", "https://x.org/r", None)


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (None, "gitInfo must include at least one field"),
        (Change(), "gitInfo must include at least one field"),
        (Change(sha=" "), "gitInfo.sha must not be empty"),
        (Change(origin_url=""), "gitInfo.originUrl must not be empty"),
    ],
)
def test_a_change_of_nothing_is_refused(change, cause):
    """Observed: in these words, and nothing has changed."""
    found = SessionMeta(ID, git=Git("abc"))
    with pytest.raises(RpcError, match=f"^{cause}$"):
        meta.set_git(found, change)
    assert found.git == Git("abc")
