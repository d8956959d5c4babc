import msgspec
import pytest

from protocol.grant import NOTHING, Grant, listed
from protocol.permission import (
    AdditionalFileSystemPermissions,
    AdditionalNetworkPermissions,
    GrantedPermissionProfile,
    PermissionsRequestApprovalResponse,
)
from protocol.policy import ReadOnly
from tests.workers.asking import (
    ACCEPTED,
    DECLINED,
    DENIED,
    REVIEWED,
    FakeTurn,
    granular,
    request,
)
from workers.approval.permission import Answer
from workers.approval.verdict import Verdict
from workers.tools import Unasked

OUT = Grant(listed(None, ["/work/out"]), network=True)


def response(*, write=(), network=None, **more):
    profile = GrantedPermissionProfile(
        file_system=AdditionalFileSystemPermissions(write=list(write)) if write else None,
        network=AdditionalNetworkPermissions(network) if network is not None else None,
    )
    return PermissionsRequestApprovalResponse(profile, **more)


ALL = response(write=["/work/out"], network=True)


async def ask(turn, asked=OUT, reason="to write"):
    return await turn.approvals.grants.request(turn, "call_1", asked, reason)


async def test_the_question_says_what_is_asked_for(tmp_path):
    """Observed."""
    turn = FakeTurn(tmp_path, ALL, policy="on-request")

    assert await ask(turn) == Answer(OUT)
    assert turn.question == {
        "threadId": "thread",
        "turnId": "turn",
        "itemId": "call_1",
        "cwd": "/work",
        "reason": "to write",
        "permissions": {
            "network": {"enabled": True},
            "fileSystem": {
                "read": None,
                "write": ["/work/out"],
                "entries": [{"path": {"type": "path", "path": "/work/out"}, "access": "write"}],
            },
        },
    }


@pytest.mark.parametrize("policy", ["never", granular()])
async def test_some_policies_refuse_without_a_question(tmp_path, policy):
    """Observed: `request_permissions` of a granular policy is off by default."""
    turn = FakeTurn(tmp_path, policy=policy)

    assert await ask(turn) == Answer()
    assert turn.asked == []


@pytest.mark.parametrize(
    "policy", ["on-request", "on-failure", "untrusted", granular(request_permissions=True)]
)
async def test_other_policies_ask(tmp_path, policy):
    """Observed."""
    turn = FakeTurn(tmp_path, ALL, policy=policy)

    assert await ask(turn) == Answer(OUT)


@pytest.mark.parametrize(
    "answer",
    [
        Unasked("nobody there"),
        msgspec.ValidationError("nonsense"),
        response(),
        response(write=["out"]),
        response(write=["/"]),
        response(network=False),
        response(write=["/work/out"], scope="session", strict_auto_review=True),
    ],
)
async def test_what_is_no_yes_grants_nothing(tmp_path, answer):
    """Observed: an error, nonsense, too much, or a review that only a turn can have."""
    turn = FakeTurn(tmp_path, answer)

    assert await ask(turn) == Answer()
    assert turn.approvals.grants.held(turn) == NOTHING


async def test_a_grant_is_for_the_turn_or_for_the_session(tmp_path):
    """Observed."""
    turn = FakeTurn(
        tmp_path, response(write=["/work/out"]), response(network=True, scope="session")
    )
    grants = turn.approvals.grants

    await ask(turn)
    await ask(turn)
    assert set(map(repr, grants.held(turn).entries)) == set(map(repr, OUT.entries))
    assert grants.held(turn).network

    turn.id = "next"
    assert grants.held(turn) == Grant(network=True)


async def test_grants_of_one_turn_add_up(tmp_path):
    """Observed."""
    turn = FakeTurn(tmp_path, response(write=["/work/out"]), response(network=True))

    await ask(turn)
    await ask(turn)

    assert turn.approvals.grants.held(turn) == OUT


# ---- commands with more than their sandbox


async def test_the_question_about_a_wider_sandbox_shows_it(tmp_path):
    """Observed: and no rule can be made of it."""
    turn = FakeTurn(tmp_path, "accept", policy="on-request", sandbox=ReadOnly())

    assert await turn.command("touch x", additional=OUT, justification="why") == ACCEPTED
    assert turn.question["additionalPermissions"]["network"] == {"enabled": True}
    assert turn.question["additionalPermissions"]["fileSystem"]["write"] == ["/work/out"]
    assert turn.question["availableDecisions"] == ["accept", "cancel"]
    assert turn.question["proposedExecpolicyAmendment"] == ["touch", "x"]
    assert turn.question["reason"] == "why"


async def test_what_is_granted_is_not_asked_again(tmp_path):
    """Observed."""
    turn = FakeTurn(tmp_path, policy="on-request", sandbox=ReadOnly())

    verdict = await turn.command("touch x", additional=OUT, granted=True)

    assert verdict == Verdict(allowed=True)


async def test_accepting_for_the_session_covers_the_same_permissions_only(tmp_path):
    """Observed."""
    answers = ("acceptForSession", "decline")
    turn = FakeTurn(tmp_path, *answers, policy="on-request", sandbox=ReadOnly())

    assert await turn.command("touch x", additional=OUT) == ACCEPTED
    assert await turn.command("touch x", additional=OUT) == Verdict(allowed=True, agreed=True)
    more = Grant(listed(None, ["/work"]), network=True)
    assert await turn.command("touch x", additional=more) == DECLINED
    assert await turn.command("touch x") == Verdict(allowed=True)


async def test_who_agreed_to_a_wider_sandbox_has_not_agreed_to_none(tmp_path):
    """Ours: the reference runs it outside, unasked, as it does what was agreed to without one."""
    turn = FakeTurn(tmp_path, "accept", "decline", sandbox=ReadOnly())
    again = request("touch x", additional=OUT, granted=True)

    first = await turn.approvals.commands.permit(turn, again)
    second = await turn.approvals.commands.retry(turn, again, first)

    assert second is not None
    assert not second.allowed
    assert len(turn.asked) == 2


# ---- a turn under review


async def test_in_a_strict_turn_a_model_decides_about_everything(tmp_path):
    """Observed: also what was accepted for the session, and what else nobody is asked about."""
    strict = response(write=["/work/out"], strict_auto_review=True)
    turn = FakeTurn(tmp_path, strict, policy="on-request", sandbox=ReadOnly())
    turn.reviews = [REVIEWED, DENIED, DENIED, REVIEWED]

    assert (await ask(turn)).strict
    assert await turn.command("cat a") == REVIEWED
    assert await turn.command("cat a") == DENIED
    assert await turn.patch("/work/out/a") == DENIED
    assert (await turn.patch("/work/out/b")).allowed
    assert len(turn.asked) == 1

    turn.id = "next"
    assert await turn.command("cat a") == Verdict(allowed=True)


# ---- patches


async def test_a_patch_into_what_was_granted_is_not_asked(tmp_path):
    """Observed under `untrusted`; ours: only for files that the grant is about."""
    answer = response(write=["/work/out"], scope="session")
    turn = FakeTurn(tmp_path, answer, "decline", "decline")
    await ask(turn)

    assert await turn.patch("/work/out/a", "/work/out/b/c") == Verdict(allowed=True)
    assert not (await turn.patch("/work/out/a", "/work/b")).allowed
    assert not (await turn.patch("/work/outside")).allowed
