import msgspec
import pytest

from protocol.approval import (
    AmendingDecision,
    NetworkAmendment,
    NetworkPolicyAmendment,
)
from protocol.methods import WARNING
from protocol.policy import (
    DangerFullAccess,
    ReadOnly,
    WorkspaceWrite,
)
from tests.workers.asking import ACCEPTED, DECLINED, FakeTurn, amend, granular, request, write_rules
from workers.approval.verdict import Verdict
from workers.tools import TurnAborted, Unasked

# ---- the question and its answers


async def test_the_question_about_a_command_holds_what_the_client_shows(tmp_path):
    """Observed: null fields are left out, the amendment is the command itself."""
    turn = FakeTurn(tmp_path, "accept")

    assert await turn.command("touch made.txt") == ACCEPTED
    prefix = ["touch", "made.txt"]
    assert turn.question == {
        "threadId": "thread",
        "turnId": "turn",
        "itemId": "call_1",
        "command": "/bin/bash -lc 'touch made.txt'",
        "cwd": "/work",
        "commandActions": [{"type": "unknown", "command": "touch made.txt"}],
        "proposedExecpolicyAmendment": prefix,
        "availableDecisions": [
            "accept",
            {"acceptWithExecpolicyAmendment": {"execpolicy_amendment": prefix}},
            "cancel",
        ],
    }


async def test_the_item_is_announced_right_before_the_question(tmp_path):
    """Observed: `item/started` of an exec_command comes before its question, and only then."""
    turn = FakeTurn(tmp_path, "accept")
    announced = []

    await turn.command("ls", asking=lambda _: announced.append("ls"))
    await turn.command("touch x", asking=lambda _: announced.append(len(turn.asked)))

    assert announced == [0]


async def test_declining_refuses_the_command(tmp_path):
    """Observed."""
    assert await FakeTurn(tmp_path, "decline").command("touch x") == DECLINED


async def test_cancelling_ends_the_turn(tmp_path):
    """Observed."""
    with pytest.raises(TurnAborted):
        await FakeTurn(tmp_path, "cancel").command("touch x")


async def test_an_error_as_the_answer_fails_the_command(tmp_path):
    """Observed: the item's status is `failed`, the model hears the same."""
    verdict = await FakeTurn(tmp_path, Unasked("nobody there")).command("touch x")

    assert verdict == Verdict(
        allowed=False, message="rejected by user", status="failed", asked=True
    )


@pytest.mark.parametrize("answer", [msgspec.ValidationError("perhaps"), AmendingDecision()])
async def test_a_malformed_decision_declines(tmp_path, answer):
    """Observed for an unknown word; ours for an object that decides nothing."""
    assert await FakeTurn(tmp_path, answer).command("touch x") == DECLINED


@pytest.mark.parametrize(("action", "verdict"), [("allow", ACCEPTED), ("deny", DECLINED)])
async def test_a_network_amendment_decides_by_its_action(tmp_path, action, verdict):
    """Observed."""
    amendment = NetworkAmendment(NetworkPolicyAmendment(action, "a.b"))
    answer = AmendingDecision(apply_network_policy_amendment=amendment)

    assert await FakeTurn(tmp_path, answer).command("touch x") == verdict


# ---- the session's memory


async def test_accepting_for_the_session_covers_the_same_command_only(tmp_path):
    """Observed: same words, folder and terminal; how the shell was started does not matter."""
    turn = FakeTurn(tmp_path, "acceptForSession", "decline", "decline", "decline")
    again = Verdict(allowed=True, agreed=True)

    assert await turn.command("touch made.txt") == ACCEPTED
    assert await turn.command("touch made.txt") == again
    assert await turn.command("touch  'made.txt'", argv=["bash", "-c", "touch made.txt"]) == again
    assert await turn.command("touch other.txt") == DECLINED
    assert await turn.command("touch made.txt", cwd="/") == DECLINED
    assert await turn.command("touch made.txt", tty=True) == DECLINED


@pytest.mark.parametrize(
    ("first", "second"),
    [("touch a && mkdir b", "touch a; mkdir b"), ("rm '*'", "rm *"), ("rm '~'", "rm ~")],
)
async def test_scripts_that_differ_are_not_the_same_command(tmp_path, first, second):
    """Ours: equal words can still do different things."""
    turn = FakeTurn(tmp_path, "acceptForSession", "decline")

    assert await turn.command(first) == ACCEPTED
    assert await turn.command(second) == DECLINED


async def test_memory_does_not_overrule_a_rule_that_forbids(tmp_path):
    """Ours: rules may be added while a session runs."""
    turn = FakeTurn(tmp_path, "acceptForSession")
    await turn.command("touch x")

    write_rules(tmp_path, 'prefix_rule(pattern=["touch"], decision="forbidden")')

    assert not (await turn.command("touch x")).allowed


# ---- amendments


async def test_an_accepted_amendment_is_kept_and_covers_its_prefix(tmp_path):
    """Observed: the file's line, and that the next command is not asked."""
    turn = FakeTurn(tmp_path, amend("touch"))

    assert (await turn.command("touch made.txt")).allowed
    text = (tmp_path / "rules" / "default.rules").read_text()
    assert text == 'prefix_rule(pattern=["touch"], decision="allow")\n'
    assert await turn.command("touch b && touch c") == Verdict(allowed=True, sandboxed=False)


async def test_a_new_rule_is_told_to_the_model(tmp_path):
    """Observed: a developer message comes with the output of the call."""
    turn = FakeTurn(tmp_path, amend("npm", 'te"st'))

    await turn.command("touch x")

    ((role, text),) = turn.advice
    assert role == "developer"
    assert text.endswith('["npm","te\\"st"]')


async def test_an_amendment_that_cannot_be_kept_is_a_warning(tmp_path):
    """Observed for an empty prefix: the command runs, nothing is written."""
    turn = FakeTurn(tmp_path, amend())

    assert await turn.command("touch x") == ACCEPTED
    ((row, params),) = turn.told
    assert row is WARNING
    assert params.thread_id == "thread"
    assert "prefix of a rule cannot be empty" in params.message
    assert not (tmp_path / "rules").exists()
    assert turn.advice == []


@pytest.mark.parametrize(
    ("script", "proposal"),
    [
        ("touch a && mkdir b", ["touch", "a"]),
        ("ls && mkdir b", ["mkdir", "b"]),
        ("ls > x", ["/bin/bash", "-lc", "ls > x"]),
        ("touch *.py", ["touch", "*.py"]),
    ],
)
async def test_the_proposed_amendment_is_the_first_command_in_question(tmp_path, script, proposal):
    """Observed."""
    turn = FakeTurn(tmp_path, "decline")

    await turn.command(script)

    assert turn.question["proposedExecpolicyAmendment"] == proposal


async def test_a_command_with_a_here_document_has_no_amendment(tmp_path):
    """Observed: its words do not say what it does."""
    turn = FakeTurn(tmp_path, "decline")

    await turn.command("python3 - <<'X'\n1\nX")

    assert "proposedExecpolicyAmendment" not in turn.question
    assert turn.question["availableDecisions"] == ["accept", "cancel"]


@pytest.mark.parametrize(
    ("script", "prefix", "proposal"),
    [
        ("touch a b", ["touch", "a"], ["touch", "a"]),
        ("touch a b", ["mkdir"], ["touch", "a", "b"]),
        ("touch a && mkdir b", ["touch"], ["touch", "a"]),
        ("python3 -c 1", ["python3", "-c"], ["python3", "-c", "1"]),
        ("git push x", ["git"], ["git", "push", "x"]),
        ("git push x", ["git", "push"], ["git", "push"]),
    ],
)
async def test_the_models_prefix_is_proposed_when_it_fits(tmp_path, script, prefix, proposal):
    """Observed: it must cover the whole command and not allow a whole language."""
    turn = FakeTurn(tmp_path, "decline", policy="on-request", sandbox=ReadOnly())

    await turn.command(script, escalated=True, justification="j", prefix_rule=prefix)

    assert turn.question["proposedExecpolicyAmendment"] == proposal


# ---- when is it asked?


async def test_safe_commands_are_not_asked(tmp_path):
    """Observed under `untrusted`."""
    assert await FakeTurn(tmp_path).command("cat a.txt | head -3") == Verdict(allowed=True)


@pytest.mark.parametrize("policy", ["never", "on-request", "on-failure", granular()])
@pytest.mark.parametrize("sandbox", [DangerFullAccess(), ReadOnly()])
async def test_only_untrusted_asks_about_an_ordinary_command(tmp_path, policy, sandbox):
    """Observed: the sandbox confines it, or the user wanted none."""
    turn = FakeTurn(tmp_path, policy=policy, sandbox=sandbox)

    assert await turn.command("touch x > y") == Verdict(allowed=True)


async def test_leaving_the_sandbox_is_asked_on_request(tmp_path):
    """Observed: the model's justification is the reason."""
    turn = FakeTurn(tmp_path, "accept", policy="on-request", sandbox=WorkspaceWrite())

    verdict = await turn.command("touch x", escalated=True, justification="May I write?")

    assert verdict == Verdict(allowed=True, sandboxed=False, asked=True, agreed=True)
    assert turn.question["reason"] == "May I write?"


async def test_leaving_no_sandbox_is_not_asked(tmp_path):
    """Observed: there is nothing to leave under danger-full-access."""
    turn = FakeTurn(tmp_path, policy="on-request")

    assert (await turn.command("touch x", escalated=True, justification="j")).allowed


async def test_a_safe_command_stays_in_the_sandbox_that_it_wants_to_leave(tmp_path):
    """Ours: the reference runs it outside, unasked; what it may read is then not confined."""
    turn = FakeTurn(tmp_path, policy="on-request", sandbox=ReadOnly())

    assert await turn.command("ls", escalated=True) == Verdict(allowed=True)


@pytest.mark.parametrize("policy", ["on-request", "on-failure", granular()])
async def test_a_dangerous_command_is_asked_in_any_sandbox(tmp_path, policy):
    """Observed, also without a sandbox."""
    turn = FakeTurn(tmp_path, "decline", policy=policy)

    assert await turn.command("ls; rm -rf x") == DECLINED
    assert turn.question["proposedExecpolicyAmendment"] == ["rm", "-rf", "x"]


async def test_a_dangerous_command_under_never(tmp_path):
    """Observed: it runs without a sandbox and is blocked within one."""
    assert (await FakeTurn(tmp_path, policy="never").command("rm -rf x")).allowed

    confined = FakeTurn(tmp_path, policy="never", sandbox=WorkspaceWrite())
    verdict = await confined.command("rm -rf x")

    assert not verdict.allowed
    assert verdict.message == "`/bin/bash -lc 'rm -rf x'` rejected: blocked by policy"


async def test_a_granular_policy_may_refuse_the_question(tmp_path):
    """Observed: each kind of question has its switch."""
    turn = FakeTurn(tmp_path, policy=granular(sandbox_approval=False))

    verdict = await turn.command("rm -rf x")

    assert not verdict.allowed
    assert "Granular.sandbox_approval is false" in verdict.message


# ---- once more, without the sandbox


@pytest.mark.parametrize("policy", ["on-failure", granular()])
async def test_what_the_sandbox_stopped_may_be_asked_again(tmp_path, policy):
    """Observed: the reason, and the script as the amendment when it is not plain."""
    turn = FakeTurn(tmp_path, "accept", policy=policy, sandbox=ReadOnly())
    again = request("echo hi > x")

    first = await turn.approvals.commands.permit(turn, again)

    assert await turn.approvals.commands.retry(turn, again, first) == Verdict(
        allowed=True, sandboxed=False, asked=True, agreed=True
    )
    assert turn.question["reason"] == "command failed; retry without sandbox?"
    assert turn.question["proposedExecpolicyAmendment"] == ["/bin/bash", "-lc", "echo hi > x"]


async def test_a_declined_retry_is_a_refusal(tmp_path):
    """Observed."""
    turn = FakeTurn(tmp_path, "decline", policy="on-failure", sandbox=ReadOnly())

    verdict = await turn.approvals.commands.retry(turn, request("touch x"), Verdict(allowed=True))

    assert verdict is not None
    assert (verdict.allowed, verdict.message) == (False, "rejected by user")


async def test_what_the_user_agreed_to_is_retried_unasked(tmp_path):
    """Observed under `untrusted`: one question, two runs."""
    turn = FakeTurn(tmp_path, "accept", sandbox=ReadOnly())

    first = await turn.command("touch x")
    second = await turn.approvals.commands.retry(turn, request("touch x"), first)

    assert second == Verdict(allowed=True, sandboxed=False, asked=True, agreed=True)
    assert len(turn.asked) == 1


async def test_a_retry_can_be_answered_for_the_session(tmp_path):
    """Observed."""
    turn = FakeTurn(tmp_path, "acceptForSession", policy="on-failure", sandbox=ReadOnly())
    first = Verdict(allowed=True)

    await turn.approvals.commands.retry(turn, request("touch x"), first)

    assert await turn.approvals.commands.retry(turn, request("touch x"), first) == Verdict(
        allowed=True, sandboxed=False, agreed=True
    )


@pytest.mark.parametrize("policy", ["never", "on-request", granular(sandbox_approval=False)])
async def test_other_policies_let_the_failure_stand(tmp_path, policy):
    """Observed: on-request leaves it to the model to ask."""
    turn = FakeTurn(tmp_path, policy=policy, sandbox=ReadOnly())

    assert (
        await turn.approvals.commands.retry(turn, request("touch x"), Verdict(allowed=True)) is None
    )


async def test_a_failure_outside_the_sandbox_stands(tmp_path):
    """Ours: there is nothing to leave."""
    turn = FakeTurn(tmp_path, policy="on-failure")
    first = Verdict(allowed=True, sandboxed=False)

    assert await turn.approvals.commands.retry(turn, request("touch x"), first) is None
