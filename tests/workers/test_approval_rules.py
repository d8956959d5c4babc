from pathlib import Path

import pytest

from protocol.policy import (
    ReadOnly,
)
from tests.workers.asking import (
    ACCEPTED,
    DECLINED,
    FakeTurn,
    granular,
    prompting,
    write_rules,
)
from workers.approval.verdict import Verdict

# ---- rules


async def test_a_rule_that_allows_runs_the_command_without_sandbox(tmp_path):
    """Observed: only if rules allow every part of the script."""
    write_rules(tmp_path, 'prefix_rule(pattern=["touch"])')
    turn = FakeTurn(tmp_path, "decline", policy="on-request", sandbox=ReadOnly())

    assert await turn.command("touch a; touch b") == Verdict(allowed=True, sandboxed=False)
    assert await turn.command("touch a && ls") == Verdict(allowed=True)
    assert await turn.command("touch a > b") == Verdict(allowed=True)


async def test_the_part_that_no_rule_allows_is_asked(tmp_path):
    """Observed."""
    write_rules(tmp_path, 'prefix_rule(pattern=["touch"])')
    turn = FakeTurn(tmp_path, "decline")

    assert await turn.command("touch a && mkdir c") == DECLINED
    assert turn.question["proposedExecpolicyAmendment"] == ["mkdir", "c"]


@pytest.mark.parametrize(
    ("justified", "reason"),
    [(True, "requires approval: Because."), (False, "requires approval by policy")],
)
async def test_a_rule_that_prompts_offers_no_amendment(tmp_path, justified, reason):
    """Observed: the question has a reason and two answers."""
    prompting(tmp_path, justified=justified)
    turn = FakeTurn(tmp_path, "accept", policy="on-request")

    assert await turn.command("touch a") == ACCEPTED
    assert turn.question["reason"] == f"`/bin/bash -lc 'touch a'` {reason}"
    assert turn.question["availableDecisions"] == ["accept", "cancel"]
    assert "proposedExecpolicyAmendment" not in turn.question


async def test_a_rule_that_prompts_can_be_answered_for_the_session(tmp_path):
    """Observed."""
    prompting(tmp_path)
    turn = FakeTurn(tmp_path, "acceptForSession", policy="on-request")

    await turn.command("touch a")

    assert await turn.command("touch a") == Verdict(allowed=True, agreed=True)


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("never", "approval required by policy, but AskForApproval is set to Never"),
        (
            granular(rules=False),
            "approval required by policy rule, but AskForApproval::Granular.rules is false",
        ),
    ],
)
async def test_a_rule_that_prompts_where_nobody_is_asked_forbids(tmp_path, policy, message):
    """Observed."""
    prompting(tmp_path)

    verdict = await FakeTurn(tmp_path, policy=policy).command("touch a")

    assert verdict == Verdict(allowed=False, message=message)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (', justification="Because."', "Because."),
        ("", "policy forbids commands starting with `touch`"),
    ],
)
async def test_a_rule_that_forbids_says_why(tmp_path, more, why):
    """Observed, whatever the policy."""
    write_rules(tmp_path, f'prefix_rule(pattern=["touch"], decision="forbidden"{more})')

    verdict = await FakeTurn(tmp_path).command("touch a")

    message = f"`/bin/bash -lc 'touch a'` rejected: {why}"
    assert verdict == Verdict(allowed=False, message=message)


async def test_broken_rules_are_told_and_do_not_stop_the_thread(tmp_path):
    """Observed: the command is asked as if there were no rules."""
    write_rules(tmp_path, "oops")
    turn = FakeTurn(tmp_path, "decline")

    assert [Path(problem.path).name for problem in turn.approvals.problems] == ["my.rules"]
    assert await turn.command("touch a") == DECLINED
