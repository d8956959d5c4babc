import pytest

from protocol.grant import NOTHING, Grant, listed
from protocol.policy import (
    DangerFullAccess,
    ExactPath,
    ExternalSandbox,
    ReadOnly,
    WorkspaceWrite,
)
from protocol.profile import entry, managed, profile_of, special
from protocol.settings import Provider, Settings
from sandbox import Unenforceable
from sandbox.reach import Places, reach
from workers.widening import widened


@pytest.fixture
def work(tmp_path):
    for name in ("out", "other", ".git/hooks"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path.resolve()


def settings(work, policy, profile=None):
    return Settings(
        home="/none",
        cwd=str(work),
        model="m",
        provider=Provider("p", "p"),
        sandbox_policy=policy,
        permission_profile=profile,
    )


def reached(thread, grant):
    """How far a command of the thread reaches with the grant."""
    profile = widened(thread, grant)
    return reach(thread.sandbox_policy, profile, Places.here(thread.cwd, {}))


def write(*paths, network=None):
    return Grant(listed(None, [str(path) for path in paths]), network)


WORKSPACE = WorkspaceWrite(exclude_slash_tmp=True, exclude_tmpdir_env_var=True)


def test_without_a_grant_the_sandbox_is_as_it_was(work):
    """Ours."""
    profile = profile_of(ReadOnly())

    assert widened(settings(work, ReadOnly()), NOTHING) is None
    assert widened(settings(work, ReadOnly(), profile), NOTHING) is profile


def test_exactly_what_was_granted_is_added(work):
    """Observed: the folder, and neither its neighbours nor the network."""
    found = reached(settings(work, ReadOnly()), write(work / "out"))

    assert found.access(str(work / "out" / "x")) == "write"
    assert found.access(str(work / "other")) == found.access(str(work)) == "read"
    assert not found.network


def test_the_network_is_opened_and_nothing_else(work):
    """Observed."""
    found = reached(settings(work, ReadOnly()), Grant(network=True))

    assert found.network
    assert found.rules == {"/": "read"}


def test_a_grant_to_read_takes_no_write_away(work):
    """Ours: the reference makes the folder unwritable by it."""
    found = reached(settings(work, WORKSPACE), Grant(listed([str(work / "out")], None)))

    assert found.access(str(work / "out")) == "write"


def test_of_two_grants_for_one_place_the_wider_counts(work):
    """Observed."""
    out = str(work / "out")

    assert reached(settings(work, ReadOnly()), Grant(listed([out], [out]))).access(out) == "write"


def test_a_folder_in_the_writable_root_gets_no_new_fences(work):
    """Ours: as a root of its own, `out/.git` would become unwritable by the grant."""
    found = reached(settings(work, WORKSPACE), write(work / "out"))

    assert found.access(str(work / "out" / ".git")) == "write"


@pytest.mark.parametrize("name", [".git", ".git/hooks"])
def test_what_is_protected_can_be_granted(work, name):
    """Observed: the repository, or a part of it."""
    found = reached(settings(work, WORKSPACE), write(work / name))

    assert found.access(str(work / name / "x")) == "write"
    assert found.access(str(work / ".codex")) == "read"
    assert name == ".git" or found.access(str(work / ".git" / "config")) == "read"


def test_the_whole_disk_can_be_granted(work):
    """Observed."""
    found = reached(settings(work, ReadOnly()), write("/"))

    assert found.access("/etc") == "write"
    assert not found.network


@pytest.mark.parametrize("access", ["read", "write"])
def test_what_the_profile_hides_stays_hidden(work, access):
    """Observed: the profile is the user's own, and says so of this very place."""
    out = str(work / "out")
    profile = managed(
        [entry(special("root"), "read"), entry(ExactPath(out), "none")], network=False
    )

    granted = Grant([entry(ExactPath(out), access)])
    found = reached(settings(work, ReadOnly(), profile), granted)

    assert found.access(out) == "none"


def test_what_a_grant_hides_is_hidden(work):
    """Observed: the model may ask for a folder but for a part of it."""
    hidden = entry(ExactPath(str(work / "out" / "sub")), "none")
    granted = Grant([hidden, *write(work / "out").entries])

    found = reached(settings(work, ReadOnly()), granted)

    assert found.access(str(work / "out")) == "write"
    assert found.access(str(work / "out" / "sub")) == "none"


def test_a_place_that_has_become_a_link_is_not_granted_any_more(work):
    """Ours: a command could lead the grant anywhere."""
    granted = write(work / "out")
    (work / "out").rmdir()
    (work / "out").symlink_to(work / "other")

    found = reached(settings(work, ReadOnly()), granted)

    assert found.access(str(work / "other")) == "read"


def test_what_cannot_be_enforced_is_left_to_who_enforces(work):
    """Ours: a grant must not turn a profile that nobody can keep into an error of its own."""
    profile = managed([entry(special("moon"), "write")], network=False)
    thread = settings(work, ReadOnly(), profile)

    assert (
        widened(thread, write(work / "out")).file_system.entries[0]
        == profile.file_system.entries[0]
    )
    with pytest.raises(Unenforceable):
        reached(thread, write(work / "out"))


def test_without_a_sandbox_there_is_nothing_to_widen(work):
    """Observed."""
    for policy in (DangerFullAccess(), ExternalSandbox()):
        assert reached(settings(work, policy), write(work / "out", network=True)) is None
    assert widened(settings(work, ExternalSandbox()), Grant(network=True)) == profile_of(
        ExternalSandbox("enabled")
    )
