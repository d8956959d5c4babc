"""apply_patch as a client and a model see it."""

import json
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from protocol.item import AddChange, FileChange, FileUpdateChange, UpdateChange
from protocol.policy import DangerFullAccess, ReadOnly, WorkspaceWrite
from protocol.settings import Provider, Settings
from workers.approval.permission import Grants
from workers.hooks.runs import Hooks
from workers.hooks.subject import of_patch
from workers.tools import Call, ToolFailure, TurnAborted
from workers.tools.diff import TurnDiff
from workers.tools.patch import APPLY_PATCH, serve_patch

UPDATE = "*** Begin Patch\n*** Update File: a.txt\n@@\n one\n-two\n+TWO\n three\n*** End Patch\n"
INSIDE = WorkspaceWrite(exclude_slash_tmp=True, exclude_tmpdir_env_var=True)


def verdict(*, allowed=True, asked=False, message="", status="declined"):
    return SimpleNamespace(allowed=allowed, asked=asked, message=message, status=status)


@dataclass
class FakeTurn:
    cwd: str
    policy: object = field(default_factory=DangerFullAccess)
    approval: str = "never"
    answer: object = field(default_factory=verdict)
    log: list = field(default_factory=list)
    id: str = "turn"
    thread_id: str = "thread"

    def __post_init__(self):
        self.settings = Settings(
            home="/none",
            cwd=self.cwd,
            model="m",
            provider=Provider("p", "p"),
            approval_policy=self.approval,
            sandbox_policy=self.policy,
        )
        self.diff, self.approvals = TurnDiff(self.cwd), self
        self.patches, self.grants, self.hooks = self, Grants(), Hooks(None)

    async def permit(self, turn, call, changes, roots_ok):
        self.log.append(("asked", call.call_id, roots_ok))
        return self.answer() if callable(self.answer) else self.answer

    def advise(self, text):
        self.log.append(("advised", text))

    def started(self, item):
        self.log.append(("started", item))

    def completed(self, item):
        self.log.append(("completed", item))

    def record(self, event):
        self.log.append(("record", event))

    def tell(self, row, params):
        self.log.append((row.name, params))

    def names(self):
        return [entry[0] for entry in self.log]


@pytest.fixture
def work(tmp_path):
    (tmp_path / "a.txt").write_text("one\ntwo\nthree\n")
    return tmp_path


async def test_a_patch_is_shown_written_and_reported(work, autojump_clock):
    """Observed: the order of item, rollout line and turn diff, and the words for the model."""
    turn = FakeTurn(str(work))
    output = await APPLY_PATCH.serve(turn, Call("call_1", "apply_patch", UPDATE))
    assert output == (
        "Exit code: 0\nWall time: 0 seconds\nOutput:\n"
        "Success. Updated the following files:\nM a.txt\n"
    )
    change = FileUpdateChange(
        "@@ -1,3 +1,3 @@\n one\n-two\n+TWO\n three\n", UpdateChange(), f"{work}/a.txt"
    )
    assert turn.names() == ["started", "asked", "record", "completed", "turn/diff/updated"]
    assert turn.log[0][1] == FileChange([change], "call_1", "inProgress")
    assert turn.log[2][1] == {
        "type": "patch_apply_end",
        "call_id": "call_1",
        "turn_id": "turn",
        "stdout": "Success. Updated the following files:\nM a.txt\n",
        "stderr": "",
        "success": True,
        "changes": {
            f"{work}/a.txt": {"type": "update", "unified_diff": change.diff, "move_path": None}
        },
        "status": "completed",
    }
    assert turn.log[3][1] == FileChange([change], "call_1", "completed")
    assert turn.log[4][1].diff.startswith("diff --git a/a.txt b/a.txt\nindex 4cb29ea38f70")
    assert (work / "a.txt").read_text() == "one\nTWO\nthree\n"


async def test_additions_come_first_then_changes_then_deletions(work):
    """Observed: paths as the patch names them; in the item they are absolute and sorted."""
    turn = FakeTurn(str(work))
    body = (
        "*** Begin Patch\n*** Delete File: a.txt\n*** Add File: x/y\n+deep\n*** Add File: b\n"
        "*** End Patch\n"
    )
    output = await serve_patch(turn, of_patch("c", ""), body)
    assert output.endswith("A x/y\nA b\nD a.txt\n")
    paths = [change.path for change in turn.log[0][1].changes]
    assert paths == [f"{work}/{name}" for name in ("a.txt", "b", "x/y")]


async def test_a_moved_file_says_where_it_went(work):
    """Observed."""
    turn = FakeTurn(str(work))
    text = UPDATE.replace("a.txt\n", "a.txt\n*** Move to: sub/b.txt\n")
    assert (await serve_patch(turn, of_patch("c", ""), text)).endswith("M sub/b.txt\n")
    (change,) = turn.log[0][1].changes
    assert change.kind == UpdateChange(f"{work}/sub/b.txt")
    assert change.diff.endswith(f" three\n\n\nMoved to: {work}/sub/b.txt")
    assert sorted(p.name for p in work.rglob("*")) == ["b.txt", "sub"]


async def test_a_shell_tool_gets_json_and_its_own_folder(work, autojump_clock):
    """Observed."""
    turn = FakeTurn("/")
    output = await serve_patch(
        turn, of_patch("c", ""), UPDATE, cwd=str(work), through="shell_command"
    )
    assert json.loads(output) == {
        "output": "Success. Updated the following files:\nM a.txt\n",
        "metadata": {"exit_code": 0, "duration_seconds": 0.0},
    }
    assert turn.names()[0] == "advised"
    assert "through shell_command" in turn.log[0][1]


async def test_exec_command_has_the_time_around_it(work, autojump_clock):
    """Observed."""
    turn = FakeTurn(str(work))
    output = await serve_patch(turn, of_patch("c", ""), UPDATE, through="exec_command")
    head = "Wall time: 0.0000 seconds\nOutput:\n"
    assert output.startswith(head)
    assert json.loads(output.removeprefix(head))["metadata"]["exit_code"] == 0


async def test_the_shell_tool_reports_as_apply_patch_does(work):
    """Observed."""
    output = await serve_patch(FakeTurn(str(work)), of_patch("c", ""), UPDATE, through="shell")
    assert output.startswith("Exit code: 0\n")


async def test_a_patch_that_does_not_apply_comes_without_advice(work):
    """Observed: one thing at a time."""
    turn = FakeTurn(str(work))
    with pytest.raises(ToolFailure):
        await serve_patch(
            turn, of_patch("c", ""), UPDATE.replace("-two", "-nine"), through="exec_command"
        )
    assert turn.log == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rubbish", "apply_patch verification failed: invalid patch: The first line"),
        (UPDATE.replace("two", "2"), "apply_patch verification failed: Failed to find expected"),
        ("*** Begin Patch\n*** End Patch", "patch rejected: empty patch"),
    ],
)
async def test_a_patch_that_does_not_fit_is_no_item(work, text, message):
    """Observed."""
    turn = FakeTurn(str(work))
    with pytest.raises(ToolFailure, match=message):
        await serve_patch(turn, of_patch("c", ""), text)
    assert turn.log == []


@pytest.mark.parametrize(
    ("policy", "path", "reason"),
    [
        (ReadOnly(), "in", "writing is blocked by read-only sandbox"),
        (INSIDE, "../out", "writing outside of the project"),
    ],
)
async def test_what_policy_forbids_without_asking_is_no_item(work, policy, path, reason):
    """Observed."""
    turn = FakeTurn(str(work), policy)
    with pytest.raises(ToolFailure) as caught:
        await serve_patch(
            turn, of_patch("c", ""), f"*** Begin Patch\n*** Add File: {path}\n+x\n*** End Patch"
        )
    assert str(caught.value) == f"patch rejected: {reason}; rejected by user approval settings"
    assert turn.log == []
    assert not (work / path).exists()


@pytest.mark.parametrize(("path", "roots_ok"), [("in", True), ("../out", False)])
async def test_the_approver_is_told_whether_the_sandbox_allows_the_paths(work, path, roots_ok):
    """Observed: patches within the writable roots are not asked about."""
    declined = verdict(allowed=False)
    turn = FakeTurn(str(work), INSIDE, "on-request", declined)
    with pytest.raises(ToolFailure, match="patch rejected by user"):
        await serve_patch(
            turn, of_patch("c", ""), f"*** Begin Patch\n*** Add File: {path}\n+x\n*** End Patch"
        )
    assert turn.log[1] == ("asked", "c", roots_ok)


async def test_a_declined_patch_is_completed_as_declined_and_not_written(work):
    """Observed."""
    answer = verdict(allowed=False, asked=True, message="patch rejected by user")
    turn = FakeTurn(str(work), approval="untrusted", answer=answer)
    with pytest.raises(ToolFailure, match="patch rejected by user"):
        await serve_patch(turn, of_patch("c", ""), UPDATE)
    assert turn.names() == ["started", "asked", "record", "completed"]
    assert turn.log[2][1]["success"] is False
    assert turn.log[3][1].status == "declined"
    assert (work / "a.txt").read_text() == "one\ntwo\nthree\n"


async def test_a_cancelled_patch_is_not_completed(work):
    """Observed: the turn ends instead."""

    def cancel():
        raise TurnAborted

    turn = FakeTurn(str(work), approval="untrusted", answer=cancel)
    with pytest.raises(TurnAborted):
        await serve_patch(turn, of_patch("c", ""), UPDATE)
    assert turn.names() == ["started", "asked"]


async def test_a_file_changed_while_the_user_thinks_keeps_those_changes(work):
    """Ours: the patch is fitted again after the answer."""

    def edit():
        (work / "a.txt").write_text("zero\none\ntwo\nthree\n")
        return verdict(asked=True)

    turn = FakeTurn(str(work), approval="untrusted", answer=edit)
    await serve_patch(turn, of_patch("c", ""), UPDATE)
    assert (work / "a.txt").read_text() == "zero\none\nTWO\nthree\n"


async def test_a_patch_that_no_longer_fits_after_the_answer_fails(work):
    """Ours."""

    def edit():
        (work / "a.txt").write_text("other\n")
        return verdict(asked=True)

    turn = FakeTurn(str(work), approval="untrusted", answer=edit)
    with pytest.raises(ToolFailure, match="Failed to find expected lines"):
        await serve_patch(turn, of_patch("c", ""), UPDATE)
    assert turn.log[-1][1].status == "failed"
    assert (work / "a.txt").read_text() == "other\n"


async def test_a_patch_that_cannot_be_written_fails_and_changes_nothing(work, autojump_clock):
    """Observed, but for the files written before: ours takes them back."""
    turn = FakeTurn(str(work))
    (work / "b").write_text("b")
    text = UPDATE.replace("*** End Patch", "*** Add File: b/x\n+x\n*** End Patch")
    output = await serve_patch(turn, of_patch("c", ""), text)
    assert output.startswith("Exit code: 1\nWall time: 0 seconds\nOutput:\nFailed to write file")
    assert turn.names() == ["started", "asked", "record", "completed"]
    assert turn.log[-1][1].status == "failed"
    assert turn.log[-1][1].changes[1].kind == AddChange()
    assert (work / "a.txt").read_text() == "one\ntwo\nthree\n"


def test_the_model_is_given_a_grammar():
    """Observed: the shape of the tool's entry in a request."""
    spec = dict(APPLY_PATCH.spec)
    assert spec.pop("description")
    assert "begin hunk+ end" in spec["format"].pop("definition")
    assert spec == {
        "type": "custom",
        "name": "apply_patch",
        "format": {"type": "grammar", "syntax": "lark"},
    }
