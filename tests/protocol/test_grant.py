import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from protocol.grant import NOTHING, Grant, allows, answered, covers, listed, merged, shown, within
from protocol.permission import (
    AdditionalFileSystemPermissions,
    AdditionalNetworkPermissions,
    GrantedPermissionProfile,
    RequestPermissionProfile,
)
from protocol.policy import ExactPath, GlobPatternPath, SpecialPath, SpecialRoot
from protocol.profile import Places, entry, in_project, special

HERE = Places("/work")
OUT = Grant(listed(None, ["/work/out"]))


def lists(read=None, write=None, network=None):
    return Grant(listed(read, write), network)


def test_a_grant_is_shown_by_lists_and_by_entries():
    """Observed: clients that know no entries read the lists."""
    seen = shown(lists(["/a"], ["/b"], network=True), RequestPermissionProfile)

    assert seen.network == AdditionalNetworkPermissions(True)
    assert seen.file_system == AdditionalFileSystemPermissions(
        read=["/a"], write=["/b"], entries=listed(["/a"], ["/b"])
    )
    assert seen.file_system.glob_scan_max_depth is UNSET


def test_entries_that_two_lists_cannot_say_leave_the_lists_null():
    """Observed: with a place that is hidden, or one that is named by its role."""
    hidden = [entry(ExactPath("/a"), "none"), entry(ExactPath("/b"), "write")]
    for entries in (hidden, [entry(in_project(), "write")]):
        files = shown(Grant(entries), RequestPermissionProfile).file_system
        assert files == AdditionalFileSystemPermissions(entries=entries)


@pytest.mark.parametrize(
    ("answer", "granted"),
    [
        (lists(["/work/out"], ["/work/out"], network=True), lists(["/work/out"], ["/work/out"])),
        (lists(["/work"], ["/work", "/etc"]), NOTHING),
        (lists(["/work/out/a"], ["/work/out/sub"]), lists(["/work/out/a"], ["/work/out/sub"])),
        (lists(None, ["/work/outside"]), NOTHING),
        (NOTHING, NOTHING),
    ],
)
def test_an_answer_counts_as_far_as_it_was_asked_for(answer, granted):
    """Observed: places beside and above are dropped, places below are kept."""
    assert within(answer, OUT, HERE) == granted


def test_the_network_is_granted_only_when_both_say_so():
    """Observed: an answer that keeps it off grants nothing."""
    asked = lists(network=True)

    assert within(lists(network=True), asked, HERE) == lists(network=True)
    assert within(lists(network=False), asked, HERE) == NOTHING
    assert within(lists(network=True), lists(network=False), HERE) == NOTHING


def test_what_either_side_hides_bounds_the_grant():
    """Observed: hidden places stay when they lie in or around what is granted, else they go."""
    sub = entry(ExactPath("/work/out/sub"), "none")
    far = entry(ExactPath("/far"), "none")
    pattern = entry(GlobPatternPath("out/*.env"), "none")
    asked = Grant([far, sub, *OUT.entries], depth=3)
    answer = Grant([*OUT.entries, pattern])

    granted = within(answer, asked, HERE)

    assert granted.entries == [*OUT.entries, sub, entry(GlobPatternPath("/work/out/*.env"), "none")]
    assert granted.depth is None  # of two bounds the one that finds more


def test_a_place_below_a_hidden_one_is_not_granted():
    """Observed: what was asked to stay hidden is not in the request."""
    asked = Grant([entry(ExactPath("/work/out/sub"), "none"), *OUT.entries])

    assert within(lists(None, ["/work/out/sub/x"]), asked, HERE) == NOTHING


def test_the_project_is_granted_by_its_path():
    """Observed: the working directory may be another when the grant is used."""
    asked = Grant([entry(in_project(), "write")])

    assert within(asked, asked, HERE) == lists(None, ["/work"])
    assert within(OUT, asked, HERE) == OUT
    assert not within(asked, OUT, HERE)


def test_a_place_without_a_path_is_granted_as_it_is_named():
    """Observed: `minimal` is many places."""
    asked = Grant([entry(special("minimal"), "read")])

    assert within(asked, asked, HERE) == asked
    assert within(Grant([entry(special("minimal"), "write")]), asked, HERE) == NOTHING


@pytest.mark.parametrize("path", ["out", "./out", "~/out", ""])
def test_a_relative_path_is_no_answer(path):
    """Observed: it grants nothing."""
    files = AdditionalFileSystemPermissions(write=[path])
    with pytest.raises(ValueError, match="not an absolute path"):
        answered(GrantedPermissionProfile(file_system=files))


def test_a_path_that_leads_back_is_taken_for_what_it_is():
    """Ours: `out/..` is not in `out`."""
    files = AdditionalFileSystemPermissions(write=["/work/out/../..", "/work/out/x/../y/"])
    answer = answered(GrantedPermissionProfile(file_system=files))

    assert answer == lists(None, ["/", "/work/out/y"])
    assert within(answer, OUT, HERE) == lists(None, ["/work/out/y"])


def test_entries_count_over_lists():
    """Observed."""
    files = AdditionalFileSystemPermissions(read=["/a"], entries=listed(None, ["/b"]))

    assert answered(GrantedPermissionProfile(file_system=files)) == lists(None, ["/b"])


def test_grants_add_up():
    """Observed: those of the session and of the turn hold together."""
    both = merged(lists(["/a"], network=True), lists(["/a"], ["/b"]))

    assert both == Grant([*listed(["/a"], ["/b"])], network=True)
    assert merged(NOTHING, OUT) == merged(OUT, NOTHING) == merged(OUT, OUT) == OUT


def test_what_is_held_covers_what_is_in_it():
    """Observed: nobody is asked again."""
    held = lists(["/r"], ["/work/out"])

    assert covers(held, lists(["/work/out/x", "/r"], ["/work/out/y"]), HERE)
    assert not covers(held, lists(None, ["/r/x"]), HERE)
    assert not covers(held, lists(network=True), HERE)
    assert covers(lists(network=True), lists(network=False), HERE)


names = st.sampled_from(["/", "/a", "/a/b", "/a/b/c", "/ab", "/work", "/work/a"])
entries = st.lists(
    st.builds(entry, st.builds(ExactPath, names), st.sampled_from(["read", "write", "none"])),
    max_size=4,
)
grants = st.builds(Grant, entries, st.sampled_from([None, True, False]))


@given(grants, grants, st.builds(ExactPath, names), st.sampled_from(["read", "write"]))
def test_no_answer_grants_what_was_not_asked_for(answer, asked, place, access):
    """Ours: the sandbox is the user's, and a client's mistake must not open it."""
    wanted = entry(place, access)
    granted = within(answer, asked, HERE)

    if allows(granted, wanted, HERE):
        assert allows(asked, wanted, HERE)
        assert allows(answer, wanted, HERE)
    assert not granted.network or (asked.network and answer.network)


def test_an_unknown_place_is_no_other():
    """Ours: newer clients may know more."""
    unknown = Grant([entry(SpecialPath(SpecialRoot("moon")), "write")])

    assert not allows(OUT, unknown.entries[0], HERE)
    assert allows(unknown, unknown.entries[0], HERE)
