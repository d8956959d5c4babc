"""What a call may want beyond its sandbox, and in which words it may not."""

import json

import pytest

from protocol.grant import NOTHING, Grant, listed, merged
from protocol.policy import GranularApproval, GranularSettings
from protocol.settings import Provider, Settings
from workers.tools import ToolFailure
from workers.tools.arguments import arguments
from workers.tools.wish import PermissionArguments, Wish, asked, wish

DEBUG = (
    "Granular(GranularApprovalConfig { sandbox_approval: true, rules: true, skill_approval: false, "
    "request_permissions: false, mcp_elicitations: true })"
)
GRANULAR = GranularApproval(
    granular=GranularSettings(mcp_elicitations=True, rules=True, sandbox_approval=True)
)
POLICIES = [
    ("never", "Never"),
    ("on-failure", "OnFailure"),
    ("untrusted", "UnlessTrusted"),
    (GRANULAR, DEBUG),
]
DISABLED = (
    "additional permissions are disabled; enable `features.exec_permission_approvals` before using "
    "`with_additional_permissions`"
)
ON = {"exec_permission_approvals": True}


class Turn:
    id = "turn"

    def __init__(self, *, policy="on-request", features=None, held=NOTHING):
        self.settings = Settings(
            home="/none",
            cwd="/work",
            model="m",
            provider=Provider("p", "p"),
            approval_policy=policy,
            features=features or {},
        )
        self.approvals = self.grants = self
        self._held = held

    def held(self, turn):
        return self._held


def given(**profile):
    return arguments(PermissionArguments, json.dumps(profile))


def write(*paths, network=None):
    return Grant(listed(None, list(paths)), network)


OUT = {"file_system": {"write": ["/work/out"]}}
WIDER = "with_additional_permissions"


def wished(turn, permissions="use_default", profile=None, *, late=False, cwd="/work"):
    return wish(turn, permissions, None if profile is None else given(**profile), cwd, late=late)


def refusal(*args, **more):
    with pytest.raises(ToolFailure) as refused:
        wished(*args, **more)
    return str(refused.value)


# ---- what is asked for


def test_relative_paths_start_where_the_command_runs(tmp_path):
    """Observed: `~` too; twice the same is once."""
    here = str(tmp_path.resolve())
    profile = given(file_system={"read": ["a"], "write": ["out", "./out/", ".", ""]})

    assert asked(profile, here) == Grant(listed([f"{here}/a"], [f"{here}/out", here]))


def test_links_are_followed_before_anybody_is_asked(tmp_path):
    """Ours: the reference shows the link, and the user cannot see where it leads."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")

    found = asked(given(file_system={"write": ["link/x"]}), str(tmp_path))

    assert found == write(str(tmp_path.resolve() / "real" / "x"))


@pytest.mark.parametrize(
    "profile",
    [
        {"file_system": {"write": "out"}},
        {"file_system": {"write": [5]}},
        {"file_system": {"write": ["a"], "glob_scan_max_depth": 3}},
        {"file_system": {"read": ["a"], "entries": []}},
        {"file_system": {"bogus": 1}},
        {"bogus": 1},
        {"network": True},
    ],
)
def test_malformed_permissions_are_told_to_the_model(profile):
    """Observed: refused before anybody is asked; the words are ours."""
    with pytest.raises(ToolFailure, match="failed to parse function arguments: "):
        given(**profile)


def test_a_pattern_can_only_hide():
    """Observed."""
    pattern = {"path": {"type": "glob_pattern", "pattern": "/a/*"}, "access": "write"}
    with pytest.raises(ToolFailure, match="glob file system permissions only support deny-read"):
        asked(given(file_system={"entries": [pattern]}), "/work")


# ---- may it be wished for?


@pytest.mark.parametrize(("policy", "name"), POLICIES)
@pytest.mark.parametrize(("late", "may_not"), [(False, "cannot"), (True, "should not")])
def test_other_policies_refuse_to_leave_the_sandbox(policy, name, late, may_not):
    """Observed: refused before there is an item; two kinds of tools have two ways to say it."""
    assert refusal(Turn(policy=policy), "require_escalated", late=late) == (
        f"approval policy is {name}; reject command — "
        f"you {may_not} ask for escalated permissions if the approval policy is {name}"
    )


@pytest.mark.parametrize("late", [False, True])
def test_leaving_the_sandbox_may_be_wished_on_request(late):
    """Observed: what is held does not matter then."""
    turn = Turn(held=write("/work/out"))

    assert wished(turn, "require_escalated", late=late) == Wish(escalated=True)


@pytest.mark.parametrize(
    ("permissions", "profile"),
    [(WIDER, OUT), (WIDER, None), ("use_default", OUT), ("require_escalated", OUT)],
)
def test_without_the_feature_nothing_can_be_added(permissions, profile):
    """Observed."""
    assert refusal(Turn(), permissions, profile) == DISABLED
    assert refusal(Turn(features={"request_permissions_tool": True}), permissions, profile) == (
        DISABLED
    )


@pytest.mark.parametrize(("policy", "name"), POLICIES)
def test_other_policies_refuse_a_wider_sandbox(policy, name):
    """Observed: in two ways, by kind of tool."""
    turn = Turn(policy=policy, features=ON)

    assert refusal(turn, WIDER, OUT) == (
        f"approval policy is {name}; reject command — "
        f"you cannot ask for escalated permissions if the approval policy is {name}"
    )
    assert refusal(turn, WIDER, OUT, late=True) == (
        f"approval policy is {name}; reject command — "
        "you cannot request additional permissions unless the approval policy is OnRequest"
    )


@pytest.mark.parametrize(
    ("permissions", "profile", "words"),
    [
        (
            WIDER,
            None,
            (
                "missing `additional_permissions`; provide at least one of `network` or "
                "`file_system` "
                "when using `with_additional_permissions`"
            ),
        ),
        (
            WIDER,
            {"file_system": {"write": []}, "network": {}},
            (
                "`additional_permissions` must include at least one requested permission in "
                "`network` "
                "or `file_system`"
            ),
        ),
        (
            "require_escalated",
            OUT,
            (
                "`additional_permissions` requires `sandbox_permissions` set to "
                "`with_additional_permissions`"
            ),
        ),
    ],
)
def test_what_makes_no_sense_is_refused(permissions, profile, words):
    """Observed."""
    assert refusal(Turn(features=ON), permissions, profile) == words


@pytest.mark.parametrize("permissions", ["use_default", WIDER])
def test_a_wider_sandbox_may_be_wished_on_request(permissions):
    """Observed: permissions that are given are meant, whatever the other argument says."""
    assert wished(Turn(features=ON), permissions, OUT) == Wish(additional=write("/work/out"))


# ---- what is held already


def test_what_is_held_is_added_by_itself():
    """Observed: under any policy, and without any feature."""
    held = write("/work/out", network=True)
    for policy, _ in POLICIES:
        turn = Turn(policy=policy, held=held)
        assert wished(turn) == Wish(held=held, additional=held, granted=True)


def test_asking_for_what_is_held_needs_no_question():
    """Observed: with the feature of the tool that it was granted by."""
    held = write("/work/out")
    turn = Turn(features={"request_permissions_tool": True}, held=held)

    found = wished(turn, WIDER, {"file_system": {"write": ["/work/out/a"]}})

    assert found.granted
    assert found.held == held


def test_asking_for_more_than_is_held_asks_for_both():
    """Observed: the question shows all that the command will have."""
    held = write("/work/out")
    turn = Turn(features=ON, held=held)

    found = wished(turn, WIDER, {"network": {"enabled": True}})

    assert found == Wish(held=held, additional=merged(Grant(network=True), held))


def test_a_link_out_of_what_is_held_is_not_held(tmp_path):
    """Ours: a command in its sandbox can make one, and its target is somewhere else."""
    out = tmp_path.resolve() / "out"
    out.mkdir()
    (out / "link").symlink_to("/etc")
    turn = Turn(features=ON, held=write(str(out)))

    found = wished(turn, WIDER, {"file_system": {"write": [str(out / "link")]}})

    assert not found.granted
    assert write("/etc").entries[0] in found.additional.entries
