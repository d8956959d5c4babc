"""What a turn/start changes, and what it leaves alone."""

import pytest

from protocol.errors import RpcError
from protocol.model import CollaborationMode, CollaborationSettings
from protocol.overrides import turn_overrides
from protocol.policy import (
    AdditionalWritableRoot,
    DangerFullAccess,
    ProfileSelection,
    ReadOnly,
    WorkspaceWrite,
)
from protocol.profile import profile_of
from protocol.settings import Provider, Settings
from protocol.turn import TurnStartParams


def settings(**changes) -> Settings:
    provider = Provider(id="mock", name="Mock")
    return Settings(**{"home": "/h", "cwd": "/w", "model": "m", "provider": provider, **changes})


def after(before: Settings, **params) -> Settings:
    return turn_overrides(before, TurnStartParams(input=[], thread_id="t", **params))


def test_a_turn_without_overrides_changes_nothing():
    """Observed: null fields keep what is."""
    before = settings(effort="low", service_tier="flex")

    assert after(before) == before


def test_overrides_replace_what_they_name():
    """Observed: they hold for this turn and those after it."""
    now = after(
        settings(),
        model="gpt-5.2",
        effort="low",
        summary="concise",
        cwd="sub",
        approval_policy="never",
        approvals_reviewer="guardian_subagent",
        personality="friendly",
        service_tier="fast",
    )

    assert now == settings(
        model="gpt-5.2",
        effort="low",
        summary="concise",
        cwd="/w/sub",
        approval_policy="never",
        approvals_reviewer="guardian_subagent",
        personality="friendly",
        service_tier="priority",
    )


def test_another_model_keeps_the_effort():
    """Observed."""
    assert after(settings(effort="high"), model="x").effort == "high"


def test_a_sandbox_policy_brings_its_profile():
    """Observed: no profile is active then, and the memories are not added."""
    now = after(settings(), sandbox_policy=WorkspaceWrite(writable_roots=["/tmp/x"]))

    assert now.sandbox_policy == WorkspaceWrite(writable_roots=["/tmp/x"])
    assert now.permission_profile == profile_of(now.sandbox_policy)
    assert now.active_permission_profile is None


def test_a_profile_brings_its_sandbox_policy():
    """Observed: built-in ones and those of the configuration."""
    house = profile_of(ReadOnly(network_access=True))
    before = settings(permission_profiles={"house": house})

    built_in = after(before, permissions=ProfileSelection(":danger-no-sandbox"))
    assert built_in.sandbox_policy == DangerFullAccess()

    own = after(before, permissions=ProfileSelection("house"))
    assert (own.sandbox_policy, own.permission_profile) == (ReadOnly(network_access=True), house)
    assert own.active_permission_profile
    assert own.active_permission_profile.id == "house"


@pytest.mark.parametrize(
    ("params", "text"),
    [
        (
            {"permissions": ProfileSelection(":read-only"), "sandbox_policy": ReadOnly()},
            "`permissions` cannot be combined with `sandboxPolicy`",
        ),
        (
            {"permissions": ProfileSelection("nope")},
            "failed to load configuration: default_permissions requires a `[permissions]` table",
        ),
        (
            {"permissions": ProfileSelection(":workspace", [AdditionalWritableRoot("rel")])},
            "Invalid request: AbsolutePathBuf deserialized without a base path",
        ),
        (
            {"sandbox_policy": WorkspaceWrite(writable_roots=["rel"])},
            "Invalid request: AbsolutePathBuf deserialized without a base path",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(params, text):
    """Observed."""
    with pytest.raises(RpcError) as raised:
        after(settings(), **params)

    assert raised.value.message == text


def test_a_collaboration_mode_brings_model_and_effort_and_follows_later_ones():
    """Observed: the mode wins over the turn's own fields, later turns change it in place."""
    plan = CollaborationMode("plan", CollaborationSettings("gpt-5.4", "be brief", "low"))

    now = after(settings(effort="high"), collaboration_mode=plan, model="ignored")
    assert (now.model, now.effort, now.collaboration_mode) == ("gpt-5.4", "low", plan)

    later = after(now, model="gpt-5.2", effort="medium")
    assert later.collaboration_mode == CollaborationMode(
        "plan", CollaborationSettings("gpt-5.2", "be brief", "medium")
    )


def test_a_tier_of_null_is_taken_away_and_one_left_out_stays():
    """Observed."""
    before = settings(service_tier="flex")

    assert after(before).service_tier == "flex"
    assert after(before, service_tier=None).service_tier is None
    assert after(before, service_tier="fast").service_tier == "priority"
