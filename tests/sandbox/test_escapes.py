"""What a command in the sandbox must not reach, on the real kernel: one line of the table each."""

import os
import socket
from collections.abc import Iterator
from functools import partial

import pytest

from sandbox import Unenforceable, plan
from sandbox.place import opened


def test_no_privilege_is_kept(each):
    """Ours: the reference server, run as root, keeps all of them."""
    said = each.python("print(open('/proc/self/status').read())")
    assert "CapEff: 0000000000000000" in said
    assert "CapBnd: 0000000000000000" in said
    assert "NoNewPrivs: 1" in said
    assert "Seccomp: 2" in said


def test_the_kernels_settings_are_read_only(box):
    """Ours: as root they would be writable, since they ask for the user id only."""
    act = "attempt(os.open, '/proc/sys/kernel/core_pattern', os.O_WRONLY)"
    assert box.python(act) in {"EROFS", "EACCES"}


# ---- the network


@pytest.fixture
def listeners(tmp_path) -> Iterator[dict[str, str]]:
    """Servers of the host: how to reach each, as an expression."""
    tcp = socket.create_server(("127.0.0.1", 0))
    path = str(tmp_path / "work" / "s")
    abstract = f"\0atrio-test-{os.getpid()}"
    unix, hidden = (socket.socket(socket.AF_UNIX) for _ in range(2))
    unix.bind(path)
    hidden.bind(abstract)
    unix.listen()
    hidden.listen()
    yield {
        "tcp": f"socket.create_connection(('127.0.0.1', {tcp.getsockname()[1]}), 2)",
        "unix": f"socket.socket(socket.AF_UNIX).connect({path!r})",
        "abstract": f"socket.socket(socket.AF_UNIX).connect({abstract!r})",
    }
    for server in (tcp, unix, hidden):
        server.close()


@pytest.mark.parametrize("kind", ["tcp", "unix", "abstract"])
def test_servers_of_the_host_are_out_of_reach(box, listeners, kind):
    """Ours: SANDBOX.md's table, network; open, the network reaches them all."""
    code = f"attempt(lambda: {listeners[kind]})"
    assert box.python(code) in {"EPERM", "ECONNREFUSED", "ENETUNREACH"}
    box.allow(network_access=True)
    assert box.python(code) == "ok"


SOCKETS = {
    "unix datagrams": "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)",
    "a pair of datagram sockets": "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)",
    "vsock": "socket.socket(40, socket.SOCK_STREAM)",
    "packet": "socket.socket(17, socket.SOCK_RAW)",
    "alg": "socket.socket(38, socket.SOCK_SEQPACKET)",
    "audit": "socket.socket(16, socket.SOCK_RAW, 9)",
}


@pytest.mark.parametrize("kind", SOCKETS)
def test_sockets_that_no_namespace_covers_cannot_be_had(box, kind):
    """Ours: SANDBOX.md's table, network."""
    assert box.python(f"attempt(lambda: {SOCKETS[kind]})") == "EPERM"


@pytest.mark.parametrize("kind", ["vsock", "packet", "alg", "audit"])
def test_an_open_network_does_not_open_the_kernel(box, kind):
    """Ours: AF_VSOCK leads to the hypervisor."""
    box.allow(network_access=True)
    assert box.python(f"attempt(lambda: {SOCKETS[kind]})") == "EPERM"


def test_no_address_but_its_own_is_reachable(box):
    """Ours: also nothing by UDP; there is no way out."""
    code = "s = socket.socket(2, 2); attempt(s.sendto, b'x', ('192.0.2.1', 53))"
    assert box.python(code) in {"ENETUNREACH", "EPERM"}


def test_a_closed_network_is_named_to_the_command(each):
    """Observed: the variable, only when it is closed."""
    assert each.shell("echo ${CODEX_SANDBOX_NETWORK_DISABLED-unset}") == (0, "1")
    each.allow(network_access=True)
    assert each.shell("echo ${CODEX_SANDBOX_NETWORK_DISABLED-unset}") == (0, "unset")


# ---- roots that move, and names that lie


def test_a_root_that_a_command_has_replaced_is_refused(each):
    """Ours: the reference server writes to where the link points."""
    inner = each.work / "inner"
    inner.mkdir()
    each.allow(writable_roots=[str(inner)])
    assert each.shell("echo a > inner/a") == (0, "")
    each.allow(writable_roots=[])
    assert (
        each.python(f"os.rename('inner', 'old'); os.symlink({str(each.outside)!r}, 'inner')") == ""
    )
    each.allow(writable_roots=[str(inner)])
    with pytest.raises(Unenforceable, match="is a link that a command could have changed"):
        each.shell("echo stolen > inner/there")
    assert (each.outside / "there").read_text() == "mine"


def test_a_root_that_was_replaced_under_an_earlier_policy_is_refused(each, tmp_path):
    """Ours: the folder around it need not be writable now."""
    inner = each.work / "inner"
    inner.symlink_to(each.outside)
    each.shell("true")
    launch = partial(plan, each.policy, ["true"], str(tmp_path), {}, project=str(inner))
    with pytest.raises(Unenforceable, match="could have changed"):
        launch()


def test_a_root_may_be_named_by_a_link_that_no_command_could_change(each, tmp_path):
    """Ours: people keep such links."""
    (tmp_path / "link").symlink_to(each.outside)
    each.allow(writable_roots=[str(tmp_path / "link")])
    assert each.shell(f"echo x > {tmp_path}/link/new && cat {each.outside}/new") == (0, "x")


def test_a_place_that_has_become_a_link_is_refused(tmp_path):
    """Ours: also when the link is its last step, which opening does not follow."""
    (tmp_path / "way").symlink_to("/")
    for path in (tmp_path / "way", tmp_path / "way/usr"):
        with pytest.raises(Unenforceable, match="replaced by a link"):
            opened(str(path), "read-only")


def test_a_root_that_moves_between_plan_and_start_is_refused(each):
    """Ours: what is mounted is the folder that was resolved, or nothing."""
    cwd = str(each.work)
    launch = plan(each.policy, ["true"], cwd, {}, project=cwd)
    each.work.rename(f"{cwd}-old")
    each.work.symlink_to(each.outside)
    with pytest.raises(Unenforceable):
        launch.prepare()


@pytest.mark.parametrize("name", [".git", ".codex", ".agents"])
def test_a_protected_name_that_is_a_link_is_refused(box, name):
    """Observed: a link cannot be covered, so nothing runs."""
    (box.work / "real").mkdir()
    (box.work / name).symlink_to("real")
    with pytest.raises(Unenforceable, match="is a link"):
        box.shell("true")


def test_the_folders_of_a_worktree_are_protected(box):
    """Observed: where a `.git` file points to; ours: and the repository that it belongs to."""
    git = box.work / "main/.git"
    (git / "worktrees/w").mkdir(parents=True)
    (git / "worktrees/w/commondir").write_text("../..\n")
    (box.work / ".git").write_text(f"gitdir: {git}/worktrees/w\n")
    said = box.python(
        "attempt(put, 'main/.git/worktrees/w/HEAD'); attempt(put, 'main/.git/config');"
        "attempt(put, '.git'); attempt(put, 'main/file')"
    )
    assert said == "EROFS EROFS EROFS ok"


def test_the_program_of_the_sandbox_does_not_obey_the_commands_environment(each):
    """Ours: a library of the workspace would run before there is a sandbox."""
    status, output = each.run(
        "/bin/sh", "-c", "echo $LD_PRELOAD", env={"LD_PRELOAD": "/no/such.so"}
    )
    assert (status, output.splitlines()[-1]) == (0, "/no/such.so")
    assert output.count("cannot be preloaded") == 1  # by the shell, inside


@pytest.mark.parametrize("env", [{"A": "x\0--bind\0/\0/"}, {"A\0--bind\0/\0/": "x"}])
def test_a_variable_cannot_be_an_option_of_the_sandbox(each, env):
    """Ours: the options are told apart by NUL, and variables may be the model's."""
    with pytest.raises(ValueError, match="null byte"):
        each.run("true", env=env)
    assert list(each.work.iterdir()) == []


def test_the_policy_cannot_be_read_inside(box):
    """Ours: the command line of the first process tells nothing."""
    said = box.python("print(open('/proc/1/cmdline').read().replace(chr(0), ' '))")
    assert str(box.home) not in said.split(" -- ")[0]


def test_no_descriptor_is_inherited(each):
    """Ours: an open folder would lead around every mount."""
    with (each.outside / "there").open() as held:
        os.set_inheritable(held.fileno(), True)
        said = each.python("print(sorted(os.listdir('/proc/self/fd'), key=int))")
    assert said == "['0', '1', '2', '3']"  # the last is for this listing


def test_what_a_command_has_started_ends_with_it(each):
    """Ours: SANDBOX.md, life-daemon."""
    status, output = each.shell("setsid sleep 1000 & echo started")  # and it holds the output open
    assert (status, output) == (0, "started")
