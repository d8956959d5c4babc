"""What a command in the sandbox must not reach, on the real kernel: one line of the table each."""

import os
import platform
import socket
from collections.abc import Iterator
from functools import partial

import pytest

from protocol.policy import DangerFullAccess, ReadOnly
from sandbox import Unenforceable, plan
from sandbox.seccomp import MACHINES

DENIED = {"EPERM", "EACCES", "EROFS", "EBUSY", "EXDEV", "EEXIST", "EISDIR", "ENOENT", "ESRCH"}
CALLS = MACHINES.get(platform.machine(), MACHINES["x86_64"])

# What works without a sandbox, and must not work in one.
FILES = {
    "create outside": "attempt(put, outside + '/new')",
    "truncate outside": "attempt(put, outside + '/there')",
    "through a link": "os.symlink(outside, 'way'); attempt(put, 'way/new')",
    "hard link to the outside": "attempt(os.link, outside + '/there', 'mine')",
    "chmod outside": "attempt(os.chmod, outside + '/there', 0o777)",
    "utime outside": "attempt(os.utime, outside + '/there')",
    "rename outside": "attempt(os.rename, outside + '/there', outside + '/other')",
    "unlink outside": "attempt(os.unlink, outside + '/there')",
    "write .git/config": "attempt(put, '.git/config')",
    "add a hook": "attempt(put, '.git/hook')",
    "rename .git": "attempt(os.rename, '.git', 'git')",
    "remove .git/config": "attempt(os.unlink, '.git/config')",
    "hard link .git/config": "attempt(os.link, '.git/config', 'config')",
    "make .codex": "attempt(os.mkdir, '.codex')",
    "make .agents a file": "attempt(put, '.agents')",
    "move something to .codex": "os.mkdir('x'); attempt(os.rename, 'x', '.codex')",
    "write CODEX_HOME": "attempt(put, home + '/config.toml')",
    "read the credentials": "attempt(lambda: open(home + '/auth.json').read())",
    "see the server": f"attempt(os.stat, '/proc/{os.getpid()}/status')",
    "signal the server": f"attempt(os.kill, {os.getpid()}, 0)",
    "raise the server's priority": f"attempt(os.setpriority, os.PRIO_PROCESS, {os.getpid()}, 1)",
}


@pytest.fixture
def repository(box):
    (box.work / ".git").mkdir()
    (box.work / ".git/config").write_text("[core]\n")
    return box


@pytest.mark.parametrize("act", FILES)
def test_a_command_does_not_reach_beyond_its_roots(repository, act):
    """Ours: SANDBOX.md's table, files, secrets and processes."""
    said = repository.python(FILES[act]).split()
    assert said, act
    assert set(said) <= DENIED
    assert sorted(p.name for p in repository.outside.iterdir()) == ["there"]
    assert (repository.outside / "there").read_text() == "mine"
    assert (repository.work / ".git/config").read_text() == "[core]\n"


@pytest.mark.parametrize("act", FILES)
def test_without_a_sandbox_each_act_works(repository, act):
    """Ours: an attack that fails anyway would prove nothing."""
    repository.policy = DangerFullAccess()
    assert repository.python(FILES[act]) == "ok"


@pytest.mark.parametrize("act", [act for act in FILES if "read" not in act and "see" not in act])
def test_read_only_lets_nothing_be_written(repository, act):
    """Ours: the same with no root at all."""
    repository.policy = ReadOnly()
    code = FILES[act].replace("os.symlink(outside, 'way'); ", "").replace("os.mkdir('x'); ", "")
    assert set(repository.python(code).split()) <= DENIED
    assert sorted(p.name for p in repository.work.iterdir()) == [".git"]


# ---- the kernel


NAMESPACES = {
    "unshare user": f"attempt(call, {CALLS.unshare}, 0x10000000)",
    "unshare mount": f"attempt(call, {CALLS.unshare}, 0x20000)",
    "unshare time": f"attempt(call, {CALLS.unshare}, 0x80)",
    "clone into a user namespace": f"attempt(call, {CALLS.clone}, 0x10000011, 0, 0, 0, 0)",
    "clone3": f"attempt(call, {CALLS.clone3}, 0, 0)",
}
SYSTEM = {name: f"attempt(call, {number}, 0, 0, 0, 0, 0)" for name, number in CALLS.denied.items()}


@pytest.mark.parametrize("act", [*SYSTEM, *NAMESPACES])
def test_calls_that_could_loosen_the_sandbox_are_refused(box, act):
    """Ours: SANDBOX.md's table, kernel surface."""
    assert box.python((SYSTEM | NAMESPACES)[act]) in {"EPERM", "ENOSYS"}


def test_calls_of_the_other_numbering_are_refused(box):
    """Ours: x32 has the same calls, under numbers that no table has."""
    if platform.machine() != "x86_64":
        pytest.skip("x32 is x86_64's")
    assert box.python("attempt(call, 0x40000000 + 39)") == "EPERM"  # getpid


def test_no_privilege_is_kept(box):
    """Ours: the reference server, run as root, keeps all of them."""
    said = box.python("print(open('/proc/self/status').read())")
    assert "CapEff: 0000000000000000" in said
    assert "CapBnd: 0000000000000000" in said
    assert "NoNewPrivs: 1" in said
    assert "Seccomp: 2" in said


def test_the_kernels_settings_are_read_only(box):
    """Ours: as root they would be writable, since they ask for the user id only."""
    act = "attempt(os.open, '/proc/sys/kernel/core_pattern', os.O_WRONLY)"
    assert box.python(act) in {"EROFS", "EACCES"}


@pytest.mark.parametrize("path", ["/dev/kmsg", "/dev/mem", "/dev/vda", "/dev/sda", "/dev/fuse"])
def test_devices_of_the_host_are_not_there(box, path):
    """Ours: SANDBOX.md, fs-dev-host."""
    assert box.python(f"attempt(os.open, {path!r}, os.O_RDONLY)") == "ENOENT"


def test_no_device_can_be_made(box):
    """Ours: SANDBOX.md, root-mknod."""
    assert box.python("attempt(os.mknod, 'disk', 0o60600, os.makedev(254, 0))") == "EPERM"


def test_nothing_can_be_typed_into_the_terminal(box):
    """Ours: TIOCSTI, and what the console has like it."""
    ioctl = "attempt(call, {}, 0, {}, b'x')"
    code = "\n".join(ioctl.format(CALLS.ioctl, number) for number in (0x5412, 0x541C))
    assert box.python(code) == "EPERM EPERM"


def test_shared_memory_of_the_host_is_another(box):
    """Ours: the reference server shares it."""
    libc_call = "print(libc.shmget(0x41545249, 16, 0o600))"
    box.policy = DangerFullAccess()
    made = int(box.python(libc_call.replace("0o600", "0o1600")))
    try:
        box.policy = ReadOnly()
        assert box.python(libc_call) == "-1"
    finally:
        box.policy = DangerFullAccess()
        box.python(f"libc.shmctl({made}, 0, None)")


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


def test_a_closed_network_is_named_to_the_command(box):
    """Observed: the variable, only when it is closed."""
    assert box.shell("echo ${CODEX_SANDBOX_NETWORK_DISABLED-unset}") == (0, "1")
    box.allow(network_access=True)
    assert box.shell("echo ${CODEX_SANDBOX_NETWORK_DISABLED-unset}") == (0, "unset")


# ---- roots that move, and names that lie


def test_a_root_that_a_command_has_replaced_is_refused(box):
    """Ours: the reference server writes to where the link points."""
    inner = box.work / "inner"
    inner.mkdir()
    box.allow(writable_roots=[str(inner)])
    assert box.shell("echo a > inner/a") == (0, "")
    box.allow(writable_roots=[])
    assert box.python(f"os.rename('inner', 'old'); os.symlink({str(box.outside)!r}, 'inner')") == ""
    box.allow(writable_roots=[str(inner)])
    with pytest.raises(Unenforceable, match="is a link that a command could have changed"):
        box.shell("echo stolen > inner/there")
    assert (box.outside / "there").read_text() == "mine"


def test_a_root_that_was_replaced_under_an_earlier_policy_is_refused(box, tmp_path):
    """Ours: the folder around it need not be writable now."""
    inner = box.work / "inner"
    inner.symlink_to(box.outside)
    box.shell("true")
    launch = partial(plan, box.policy, ["true"], str(tmp_path), {}, project=str(inner))
    with pytest.raises(Unenforceable, match="could have changed"):
        launch()


def test_a_root_may_be_named_by_a_link_that_no_command_could_change(box, tmp_path):
    """Ours: people keep such links."""
    (tmp_path / "link").symlink_to(box.outside)
    box.allow(writable_roots=[str(tmp_path / "link")])
    assert box.shell(f"echo x > {tmp_path}/link/new && cat {box.outside}/new") == (0, "x")


def test_a_root_that_moves_between_plan_and_start_is_refused(box):
    """Ours: what is mounted is the folder that was resolved, or nothing."""
    cwd = str(box.work)
    launch = plan(box.policy, ["true"], cwd, {}, project=cwd)
    box.work.rename(f"{cwd}-old")
    box.work.symlink_to(box.outside)
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


def test_the_program_of_the_sandbox_does_not_obey_the_commands_environment(box):
    """Ours: a library of the workspace would run before there is a sandbox."""
    status, output = box.run("/bin/sh", "-c", "echo $LD_PRELOAD", env={"LD_PRELOAD": "/no/such.so"})
    assert (status, output.splitlines()[-1]) == (0, "/no/such.so")
    assert output.count("cannot be preloaded") == 1  # by the shell, inside


@pytest.mark.parametrize("env", [{"A": "x\0--bind\0/\0/"}, {"A\0--bind\0/\0/": "x"}])
def test_a_variable_cannot_be_an_option_of_the_sandbox(box, env):
    """Ours: the options are told apart by NUL, and variables may be the model's."""
    with pytest.raises(ValueError, match="null byte"):
        box.run("true", env=env)
    assert list(box.work.iterdir()) == []


def test_the_policy_cannot_be_read_inside(box):
    """Ours: the command line of the first process tells nothing."""
    said = box.python("print(open('/proc/1/cmdline').read().replace(chr(0), ' '))")
    assert str(box.home) not in said.split(" -- ")[0]


def test_no_descriptor_is_inherited(box):
    """Ours: an open folder would lead around every mount."""
    with (box.outside / "there").open() as held:
        os.set_inheritable(held.fileno(), True)
        said = box.python("print(sorted(os.listdir('/proc/self/fd'), key=int))")
    assert said == "['0', '1', '2', '3']"  # the last is for this listing


def test_what_a_command_has_started_ends_with_it(box):
    """Ours: SANDBOX.md, life-daemon."""
    status, output = box.shell("setsid sleep 1000 & echo started")  # and it holds the output open
    assert (status, output) == (0, "started")
