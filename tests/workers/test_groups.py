"""Control groups of commands, and what is done where a host has none.  Real processes."""

import os
import resource
import signal
from pathlib import Path

import pytest
import trio

from protocol.settings import Limits
from tests.server import gone
from tests.workers.test_process import Heard, sh
from workers import cgroups, groups, limits, orphans
from workers.cgroups import Ground, Tree
from workers.process import LIVE, Process, live, reap

MIB = 1 << 20


@pytest.fixture(params=["v1", "v2", "none"])
def host(request, monkeypatch):
    """This process as a worker, on a host that has groups of one version, or none."""
    orphans.adopt()
    if request.param == "none":
        monkeypatch.setattr(groups, "_here", [])
        yield None
        return
    ground = _ground(v2=request.param == "v2")
    if ground is None:
        pytest.skip(f"this host lets us make no control groups {request.param}")
    monkeypatch.setattr(groups, "_here", [groups.Groups(ground)])
    yield ground
    if ground.counting.v2:
        cgroups.write(f"{ground.counting.home}/cgroup.procs", "0")
    ground.close()


def _ground(*, v2: bool) -> Ground | None:
    found = cgroups.find(os.getpid())
    if found is None or found.counting.v2 == v2:
        return found
    found.close()
    tree = next((tree for tree in cgroups.trees() if tree.v2 == v2), None)
    if tree is None or not os.access(tree.home, os.W_OK):
        return None
    ground = Ground(found.name, Tree(tree.home, v2, frozenset()), None)
    os.mkdir(ground.path(ground.counting))  # noqa: PTH102
    return ground


def counting(host):
    if host is None or not host.counts:
        pytest.skip("this host does not count processes in control groups")


async def begun(script, *, linger=None, bounds=None):
    """Run it to its end; what it has written."""
    heard = Heard()
    process = Process(sh(script), limits=bounds or Limits())
    with trio.fail_after(20):
        await process.run(heard, linger=linger)
    return process, heard


def is_there(pid):
    orphans.reap(live())
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# A daemon in the classic way: a session of its own, its parents gone, its output closed.
DAEMON = "setsid sh -c 'sleep 600 >&- 2>&- & echo $!' "


async def test_a_daemon_of_a_clients_command_ends_with_it(host):
    """Ours: after the answer nothing of `command/exec` runs on."""
    _, heard = await begun(DAEMON, linger=1.0)

    await gone(int(heard))


async def test_a_daemon_of_a_thread_lives_on_until_its_worker_ends(host):
    """Observed: the model's commands may start a server in the background.  Its end is ours."""
    _, heard = await begun(DAEMON)
    assert is_there(int(heard))

    await orphans.end(live)

    assert not is_there(int(heard))


async def test_an_interrupted_command_takes_its_daemons_along(host):
    """Ours: nothing of an interrupted command stays behind, wherever it has gone."""
    heard = Heard()
    process = Process(sh(f"{DAEMON}; sleep 600"))
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(process.run, heard)
            await heard.until(b"\n")
            nursery.cancel_scope.cancel()

    await gone(int(heard))


async def test_a_daemon_of_one_command_is_left_alone_by_the_end_of_another(host):
    """Ours: commands share a worker, not their ends."""
    first, other = Heard(), Heard()
    keeper = Process(sh(f"{DAEMON}; sleep 600"))
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keeper.run, first)
            await first.until(b"\n")
            await Process(sh("sleep 600 & echo $!")).run(other, linger=0.0)
            await gone(int(other))
            assert is_there(int(first))
            nursery.cancel_scope.cancel()


async def test_no_group_and_no_child_is_left(host):
    """Ours: a worker runs thousands of commands."""
    for linger in (None, 0.0):
        await begun("true", linger=linger)
        with pytest.raises(FileNotFoundError):
            Process(sh("true").__class__(["/no/such"], "/", {}))

    assert not LIVE
    orphans.reap(())
    if host is not None:
        above = host.path(host.counting, str(os.getpid()))
        assert not [entry for entry in os.scandir(above) if entry.is_dir()]


async def test_a_command_may_leave_its_group_no_more_than_its_session(host):
    """Ours: it is born in it, before its first instruction."""
    if host is None:
        pytest.skip("there is no group")
    _, heard = await begun("cat /proc/self/cgroup")

    assert host.name in heard.decode()


# ---- bounds

BOMB = ["/bin/bash", "-c", "bomb() { bomb | bomb & }; bomb; wait"]


@pytest.mark.parametrize("linger", [None, 5.0])
async def test_a_fork_bomb_ends_with_a_reason(host, linger):
    """Ours: it hits its bound, ends, and leaves nothing."""
    counting(host)
    heard, launch = Heard(), sh("")
    process = Process(
        type(launch)(BOMB, "/", {"PATH": os.environ["PATH"]}), limits=Limits(command_processes=30)
    )
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(groups.here().watch, reap)
            await process.run(heard, linger=linger)
            nursery.cancel_scope.cancel()
    await orphans.end(live)

    assert b"atrio: killed: limit of 30 processes (atrio.command_processes)\n" in heard
    assert process.exit_code != 0
    assert process._group.remove()


async def test_all_commands_of_a_thread_have_a_bound_together(host):
    """Ours: which of the bounds it was is said."""
    counting(host)
    hungry = "for i in $(seq 60); do sleep 600 & done 2>&1; wait"
    heard = Heard()
    process = Process(sh(hungry), limits=Limits(thread_processes=20))
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(groups.here().watch, reap)
            await process.run(heard, linger=5.0)
            nursery.cancel_scope.cancel()

    assert b"limit of 20 processes (atrio.thread_processes)" in heard


async def test_a_bound_of_the_host_is_not_taken_for_one_of_ours(host):
    """Ours: an error names the cause; raising our keys would not help."""
    counting(host)
    heard = Heard()
    process = Process(sh("for i in $(seq 60); do sleep 600 & done 2>&1; wait"))
    cgroups.write(f"{host.path(host.counting)}/pids.max", "20")
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(groups.here().watch, reap)
            await process.run(heard, linger=5.0)
            nursery.cancel_scope.cancel()

    assert b"killed: the limit of processes that this host sets for the server" in heard


async def test_what_is_killed_while_it_forks_has_hit_no_bound(host):
    """Ours: a killed group is kept from forking, which the host counts as a hit."""
    counting(host)
    heard = Heard()
    process = Process(sh("echo up; while :; do /bin/true & done"))
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(process.run, heard)
            await heard.until(b"up")
            process.kill_group()
            assert await process.wait() == -1

    assert b"killed" not in heard


@pytest.mark.parametrize("whose", ["command", "thread"])
async def test_a_command_that_takes_too_much_memory_is_told_so(host, whose):
    """Ours: a bare 137 tells nobody what to do."""
    counting(host)
    if host.weighing is None:
        pytest.skip("this host does not weigh memory in control groups")
    bounds = Limits(**{f"{whose}_memory_bytes": 64 * MIB})

    process, heard = await begun(
        "exec python3 -c 'print(len(bytearray(1 << 30)))'", linger=5.0, bounds=bounds
    )

    assert heard == f"atrio: killed: memory limit 64 MiB (atrio.{whose}_memory_bytes)\n".encode()
    assert process.killed_by == signal.SIGKILL


async def test_without_a_group_memory_is_bounded_for_each_process(monkeypatch):
    """Ours: RLIMIT_DATA; the program sees that there is no more."""
    monkeypatch.setattr(groups, "_here", [])
    bounds = Limits(command_memory_bytes=256 * MIB)

    process, heard = await begun("python3 -c 'bytearray(1 << 30)' 2>&1", bounds=bounds)

    assert b"MemoryError" in heard
    assert process.exit_code == 1


NOBODY = 54321  # a user who has nothing else running, so that only ours count


def test_where_there_are_no_groups_an_ordinary_user_has_a_bound_all_the_same():
    """Ours: RLIMIT_NPROC, above what the user runs already; nothing of a fork bomb is left."""
    if os.geteuid() != 0:
        pytest.skip("only root may be somebody else")
    said, says = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setresuid(NOBODY, NOBODY, NOBODY)
        os.write(says, trio.run(_bomb_without_groups))
        os._exit(0)
    os.close(says)
    with open(said, "rb") as file:  # noqa: PTH123 - a descriptor
        most, left = map(int, file.read().split())
    assert os.waitpid(pid, 0)[1] == 0
    assert 10 < most <= 32
    assert left == 0


async def _bomb_without_groups():
    """The most processes that there were, and how many are left."""
    groups.settle(None)
    orphans.adopt()
    limits.running.cache_clear()
    most, launch = 0, sh("")
    with trio.fail_after(20):
        bomb = type(launch)(BOMB, "/", launch.env)
        process = Process(bomb, limits=Limits(command_processes=30))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(process.run, Heard())
            while most <= 10:
                await trio.sleep(0.01)
                most = max(most, _count())
            for _ in range(20):
                await trio.sleep(0.01)
                most = max(most, _count())
            nursery.cancel_scope.cancel()
        await orphans.end(live)
    return b"%d %d" % (most, _count() - 1)


def _count():
    limits.running.cache_clear()
    return limits.running()


def test_a_command_writes_no_image_of_its_memory():
    """Observed: core files are off."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    pid = os.fork()
    if pid == 0:
        limits.for_all()
        os._exit(resource.getrlimit(resource.RLIMIT_CORE) != (0, 0))
    assert os.waitpid(pid, 0)[1] == 0
    assert resource.getrlimit(resource.RLIMIT_CORE) == before


# ---- what a host has


def hosts(tmp_path, own, mounts):
    (tmp_path / "cgroup").write_text(own)
    (tmp_path / "mountinfo").write_text(mounts)
    return cgroups.trees(str(tmp_path))


def test_the_hierarchies_of_a_mixed_host_are_found(tmp_path):
    """Ours: v1 controllers, and v2 that has none."""
    found = hosts(
        tmp_path,
        "8:pids:/\n4:memory:/box\n1:cpu:/\n0::/\n",
        "30 20 0:26 / /cg/cpu rw - cgroup cgroup rw,cpu\n"
        "31 20 0:27 / /cg/unified rw - cgroup2 cgroup2 rw\n"
        "32 20 0:28 / /cg/pids rw - cgroup cgroup rw,pids\n"
        "33 20 0:29 / /cg/memory rw - cgroup cgroup rw,memory\n"
        "34 20 0:30 / /proc rw - proc proc rw\n",
    )

    assert [(tree.home, tree.v2, {*tree.controllers}) for tree in found] == [
        ("/cg/pids", False, {"pids"}),
        ("/cg/memory/box", False, {"memory"}),
        ("/cg/unified", True, set()),
    ]


def test_a_part_of_a_hierarchy_may_be_mounted(tmp_path):
    """Ours: as in a container that shares the host's namespace."""
    found = hosts(
        tmp_path,
        "0::/docker/abc/below\n",
        "31 20 0:27 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
    )

    assert [tree.home for tree in found] == ["/sys/fs/cgroup/below"]


@pytest.mark.parametrize(
    ("ground", "text"),
    [
        (None, "no control group may count processes here"),
        (Ground("n", Tree("/cg", True, frozenset()), None), "told apart by control groups"),
        (
            Ground("n", Tree("/cg", False, frozenset({"pids"})), None),
            "processes are bounded by cgroup v1 below /cg, memory by RLIMIT_DATA",
        ),
    ],
)
def test_what_bounds_commands_can_be_said_in_a_line(ground, text):
    """Ours: an operator should not have to try."""
    assert text in cgroups.describe(ground)


async def test_what_a_killed_server_has_left_is_swept_by_the_next(host):
    """Ours: the name of a group says whether its server still lives."""
    if host is None:
        pytest.skip("there is no group")
    tree = host.counting
    namespace = host.name.split("-")[1]
    stale = f"{tree.home}/{cgroups.PREFIX}{namespace}-{os.getpid()}-1"  # it started at another time
    os.makedirs(f"{stale}/worker/1")  # noqa: PTH103
    sleeper = Process(sh("exec sleep 600"))
    cgroups.write(f"{stale}/worker/1/cgroup.procs", str(sleeper.pid))

    cgroups.sweep(tree)

    assert Path(stale).name not in os.listdir(tree.home)  # noqa: PTH208
    assert host.name in os.listdir(tree.home)  # noqa: PTH208
    with trio.fail_after(10):
        assert await sleeper.run(lambda _: None) == -1
