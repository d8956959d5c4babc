import msgspec
import pytest

from protocol.approval import (
    CommandExecutionRequestApprovalParams,
)
from protocol.item import FileUpdateChange, UpdateChange
from protocol.methods import FILE_CHANGE_APPROVAL
from protocol.policy import (
    ReadOnly,
    WorkspaceWrite,
)
from tests.workers.asking import ACCEPTED, FakeTurn, granular
from workers.approval.verdict import Verdict
from workers.hooks.subject import of_patch
from workers.tools import TurnAborted, Unasked

# ---- patches


async def test_the_question_about_a_patch(tmp_path):
    """Observed: null fields are there."""
    turn = FakeTurn(tmp_path, "accept")

    assert await turn.patch("/work/a") == ACCEPTED
    assert turn.question == {
        "threadId": "thread",
        "turnId": "turn",
        "itemId": "call_1",
        "reason": None,
        "grantRoot": None,
    }


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ("decline", "declined"),
        (msgspec.ValidationError("perhaps"), "declined"),
        (Unasked("nobody there"), "failed"),
    ],
)
async def test_a_refused_patch(tmp_path, answer, status):
    """Observed."""
    assert await FakeTurn(tmp_path, answer).patch("/work/a") == Verdict(
        allowed=False, message="patch rejected by user", status=status, asked=True
    )


async def test_cancelling_a_patch_ends_the_turn(tmp_path):
    """Observed."""
    with pytest.raises(TurnAborted):
        await FakeTurn(tmp_path, "cancel").patch("/work/a")


async def test_a_patch_accepted_for_the_session_covers_its_files(tmp_path):
    """Observed: all files of a later patch must be covered; ours: the new name of one as well."""
    turn = FakeTurn(tmp_path, "acceptForSession", "decline", "decline")
    moved = FileUpdateChange(diff="", kind=UpdateChange("/work/c"), path="/work/a")

    await turn.patch("/work/a", "/work/b")

    assert await turn.patch("/work/b") == Verdict(allowed=True, agreed=True)
    assert not (await turn.patch("/work/a", "/work/c")).allowed
    call = of_patch("call_1", "")
    assert not (await turn.approvals.patches.permit(turn, call, [moved], roots_ok=True)).allowed


@pytest.mark.parametrize("policy", ["on-request", "on-failure", "never", granular()])
async def test_a_patch_that_the_sandbox_allows_is_not_asked(tmp_path, policy):
    """Observed; only `untrusted` asks about each."""
    turn = FakeTurn(tmp_path, policy=policy, sandbox=WorkspaceWrite())
    free = FakeTurn(tmp_path, policy=policy)

    assert await turn.patch("/work/a") == Verdict(allowed=True)
    assert await free.patch("/etc/a", roots_ok=False) == Verdict(allowed=True)


@pytest.mark.parametrize("policy", ["on-request", "on-failure", granular()])
async def test_a_patch_beyond_the_sandbox_is_asked(tmp_path, policy):
    """Observed, but for on-failure, where ours asks and the reference writes unasked."""
    turn = FakeTurn(tmp_path, "accept", policy=policy, sandbox=WorkspaceWrite())

    assert await turn.patch("/etc/a", roots_ok=False) == ACCEPTED
    assert turn.asked[0][0] is FILE_CHANGE_APPROVAL


@pytest.mark.parametrize("policy", ["never", granular(sandbox_approval=False)])
@pytest.mark.parametrize(
    ("sandbox", "what"),
    [
        (ReadOnly(), "writing is blocked by read-only sandbox"),
        (WorkspaceWrite(), "writing outside of the project"),
    ],
)
async def test_a_patch_beyond_the_sandbox_is_refused_where_nobody_is_asked(
    tmp_path, policy, sandbox, what
):
    """Observed."""
    turn = FakeTurn(tmp_path, policy=policy, sandbox=sandbox)

    assert await turn.patch("/etc/a", roots_ok=False) == Verdict(
        allowed=False, message=f"patch rejected: {what}; rejected by user approval settings"
    )


def test_the_params_leave_out_what_is_null():
    """Observed: no `reason`, `approvalId` or network fields in an ordinary question."""
    params = CommandExecutionRequestApprovalParams("i", 1, "t", "u")

    assert set(msgspec.to_builtins(params)) == {"itemId", "startedAtMs", "threadId", "turnId"}
