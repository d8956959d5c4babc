"""Permission profiles and sandbox policies say the same thing twice."""

import pytest

from protocol.policy import (
    ActivePermissionProfile,
    ActiveWritableRoot,
    AdditionalWritableRoot,
    DangerFullAccess,
    ExactPath,
    ExternalSandbox,
    ProfileSelection,
    ReadOnly,
    WorkspaceWrite,
)
from protocol.profile import (
    Places,
    by_id,
    entry,
    in_project,
    managed,
    policy_of,
    profile_of,
    selected,
    special,
    widened,
)

MEMORIES = "/home/memories"
HERE = Places("/w", tmpdir="/var/scratch")


@pytest.mark.parametrize(
    "policy",
    [
        DangerFullAccess(),
        ReadOnly(),
        ReadOnly(network_access=True),
        ExternalSandbox("enabled"),
        ExternalSandbox("restricted"),
        WorkspaceWrite(),
        WorkspaceWrite(True, True, True, ["/a", "/b"]),
    ],
)
def test_a_policy_survives_the_way_through_its_profile(policy):
    """Ours: clients read either, so neither may say less."""
    assert policy_of(profile_of(policy), "/work") == policy


def test_a_workspace_lists_its_places_in_the_order_that_clients_know():
    """Observed: configured roots stand before the protected folders."""
    profile = profile_of(WorkspaceWrite(writable_roots=["/a"]))

    assert profile == managed(
        [
            entry(special("root"), "read"),
            entry(in_project(), "write"),
            entry(special("slash_tmp"), "write"),
            entry(special("tmpdir"), "write"),
            entry(ExactPath("/a"), "write"),
            entry(in_project(".git"), "read"),
            entry(in_project(".agents"), "read"),
            entry(in_project(".codex"), "read"),
        ],
        network=False,
    )


def test_a_place_below_the_project_becomes_a_root_of_its_own():
    """Ours: a policy has no other way to say it."""
    profile = managed([entry(in_project("build"), "write")], network=False)

    assert policy_of(profile, "/work") == WorkspaceWrite(True, True, False, ["/work/build"])


def test_writing_everywhere_is_full_access_only_with_the_network():
    """Observed: files free and network closed is an external sandbox to older clients."""
    everywhere = [entry(special("root"), "write")]

    assert policy_of(managed(everywhere, network=True), "/") == DangerFullAccess()
    assert policy_of(managed(everywhere, network=False), "/") == ExternalSandbox("restricted")


def test_who_may_write_may_write_to_the_memories_too():
    """Observed: decided before the client's own roots, which come first."""
    roots = [AdditionalWritableRoot("/srv")]

    profile, active = selected(ProfileSelection(":workspace", roots), {}, MEMORIES, HERE)
    assert profile == widened(profile_of(WorkspaceWrite()), ["/srv", MEMORIES])
    assert active == ActivePermissionProfile(
        ":workspace", modifications=[ActiveWritableRoot("/srv")]
    )

    profile, _ = selected(ProfileSelection(":read-only", roots), {}, MEMORIES, HERE)
    assert policy_of(profile, "/w") == WorkspaceWrite(True, True, False, ["/srv"])


def test_what_is_writable_already_is_not_added_but_reported():
    """Observed: below the cwd, the temporary folders, or a root before it."""
    asked = ["/w/x", "/tmp/y", "/var/scratch/z", "/srv", "/srv/in"]
    picked = ProfileSelection(":workspace", [AdditionalWritableRoot(root) for root in asked])

    profile, active = selected(picked, {}, MEMORIES, HERE)

    assert profile == widened(profile_of(WorkspaceWrite()), ["/srv", MEMORIES])
    assert [m.path for m in active.modifications] == asked


def test_no_root_is_added_where_nothing_is_confined():
    """Observed: the modification is not even reported."""
    picked = ProfileSelection(":danger-no-sandbox", [AdditionalWritableRoot("/srv")])

    profile, active = selected(picked, {}, MEMORIES, HERE)

    assert policy_of(profile, "/") == DangerFullAccess()
    assert active == ActivePermissionProfile(":danger-no-sandbox")


@pytest.mark.parametrize(
    ("id", "named", "text"),
    [
        (":danger-full-access", {}, "unknown built-in profile `:danger-full-access`"),
        ("house", {}, "requires a `[permissions]` table"),
        ("house", {"other": profile_of(ReadOnly())}, "undefined profile `house`"),
    ],
)
def test_an_unknown_profile_is_named(id, named, text):
    """Observed: three different texts."""
    with pytest.raises(ValueError, match="default_permissions") as raised:
        by_id(id, named)

    assert text in str(raised.value)
