"""That everything ends: what commands leave, what they take too much of, and who dies first."""

import contextlib
import os
from base64 import b64decode

import psutil
import pytest
import trio

from protocol.command import CommandExecParams
from protocol.errors import RpcError
from protocol.methods import (
    COMMAND_EXEC,
    COMMAND_EXEC_OUTPUT_DELTA,
    PROCESS_EXITED,
    TURN_COMPLETED,
)
from protocol.policy import DangerFullAccess, ReadOnly
from tests.commanding import begin, run, sh
from tests.server import gone
from workers import cgroups
from workers.scripted import ToolCall

MIB = 1 << 20
# A daemon in the classic way: a session of its own, its parents gone, its output closed.
DAEMON = "setsid sh -c 'sleep 600 >&- 2>&- & echo $!'"
BOMB = ["/bin/bash", "-c", "bomb() { bomb | bomb & }; bomb; wait"]
FULL = DangerFullAccess()
FLOOD = 60_000_000


def runs(pid):
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def configure(home, **bounds):
    with (home / "config.toml").open("a") as file:
        file.write("\n[atrio]\n" + "".join(f"{key} = {value}\n" for key, value in bounds.items()))


async def daemon_of(client, provider, project):
    """Have a thread's model leave a daemon; the thread, the daemon, and the thread's worker."""
    file = project / "daemon"
    script = f"echo $PPID > worker; {DAEMON} > {file}"
    provider.says(ToolCall("exec_command", {"cmd": script, "yield_time_ms": 10_000}))
    provider.says("Done")
    thread = await client.start(cwd=str(project))
    await client.begin(thread)
    await client.next(TURN_COMPLETED, lambda done: done.thread_id == thread.id)
    return int(file.read_text()), psutil.Process(int((project / "worker").read_text()))


# ---- what commands leave


async def test_a_daemon_of_a_command_ends_before_the_answer(connect_stdio):
    """Ours: after the answer nothing of `command/exec` runs on, wherever it has gone."""
    client = await connect_stdio()

    code, out, _ = await run(client, DAEMON)

    assert code == 0
    await gone(int(out))


async def test_a_daemon_of_a_thread_dies_with_its_own_worker_only(connect_stdio, provider, project):
    """Observed: the model's commands may leave servers running.  Ours: as long as the thread."""
    client = await connect_stdio()
    first, worker = await daemon_of(client, provider, project)
    second, other = await daemon_of(client, provider, project)

    await connect_stdio.server.kill(other)

    await gone(second)
    assert runs(first)
    await connect_stdio.server.kill(worker)
    await gone(first)


async def test_nothing_is_left_when_worker_and_nursery_process_are_killed_at_once(
    connect_stdio, provider, project
):
    """Ours: then the supervisor adopts what they leave."""
    client = await connect_stdio()
    daemon, worker = await daemon_of(client, provider, project)

    await connect_stdio.server.kill(connect_stdio.server.nursery(), worker)

    await gone(daemon)


async def test_nothing_is_left_when_the_servers_whole_process_group_is_killed(
    connect_ws, provider, project
):
    """Ours: the nursery process is in a group of its own, and ends what there was."""
    client = await connect_ws()
    daemon, _ = await daemon_of(client, provider, project)
    begun = await begin(client, f"{DAEMON}; sleep 600", stream_stdout_stderr=True)
    other = int(await begun.hear(b"\n"))
    server = connect_ws.server
    nursery = server.nursery()

    await server.kill()

    await gone(daemon)
    await gone(other)
    await gone(nursery.pid)


# ---- bounds


@pytest.fixture
def counted():
    ground = cgroups.find(os.getpid())
    if ground is not None:
        ground.close()
    if ground is None or not ground.counts:
        pytest.skip("this host does not count processes in control groups")


@pytest.mark.parametrize("policy", [FULL, ReadOnly()], ids=["open", "sandboxed"])
async def test_a_fork_bomb_ends_with_a_reason_and_disturbs_nobody(
    counted, connect_ws, home, policy
):
    """Ours: it hits its bound; others are answered meanwhile, and nothing is left."""
    configure(home, command_processes=40)
    client, other = await connect_ws(), await connect_ws()
    bomb = CommandExecParams(command=BOMB, sandbox_policy=policy)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, other, "sleep 0.5")
        done = await client.call(COMMAND_EXEC, bomb)
        assert await run(other, "echo on") == (0, "on\n", "")

    assert done.stderr.endswith("atrio: killed: limit of 40 processes (atrio.command_processes)\n")
    assert done.exit_code != 0


async def test_a_fork_bomb_of_the_model_ends_and_is_explained_to_it(
    counted, connect_stdio, home, provider
):
    """Ours: the model reads which bound it has hit, and the thread works on."""
    configure(home, thread_processes=60)
    script = "bomb() { bomb | bomb & }; bomb; wait"
    provider.says(ToolCall("exec_command", {"cmd": script, "yield_time_ms": 30_000}))
    provider.says("I see")
    client = await connect_stdio()
    thread = await client.start()
    await client.begin(thread)

    done = await client.next(TURN_COMPLETED)

    assert done.turn.status == "completed"
    told = str(provider.requests[-1]["input"][-1])
    assert "killed: limit of 60 processes (atrio.thread_processes)" in told


async def test_a_command_that_takes_too_much_memory_is_told_so(counted, connect_stdio, home):
    """Ours: not a bare 137."""
    configure(home, command_memory_bytes=64 * MIB)
    client = await connect_stdio()

    code, _, err = await run(client, "python3 -c 'bytearray(1 << 30)'", sandbox_policy=FULL)

    assert err.endswith("atrio: killed: memory limit 64 MiB (atrio.command_memory_bytes)\n")
    assert code != 0
    assert await run(client, "echo on") == (0, "on\n", "")


async def test_a_bound_that_is_none_is_refused(connect_stdio, home):
    """Ours: nothing could run, and nobody would know why."""
    configure(home, thread_processes=0)
    client = await connect_stdio()

    with pytest.raises(RpcError, match="atrio.thread_processes"):
        await client.start()


# ---- too much of everything


def memory(connect):
    """Of the server and all its workers, in bytes."""
    server = connect.server
    found = 0
    for process in [psutil.Process(server.process.pid), *server.processes()]:
        with contextlib.suppress(psutil.Error):
            if "python" in process.name() or "atrio" in process.name():
                found += process.memory_full_info().uss  # workers share most of what they have
    return found


async def test_a_flood_leaves_the_memory_as_it_was(connect_stdio):
    """Ours: what is beyond the cap is read and dropped."""
    client = await connect_stdio()
    flood = "head -c 1000000000 /dev/zero; exit 3"
    await run(client, "head -c 10000000 /dev/zero")
    before = memory(connect_stdio)

    code, out, _ = await run(client, flood, disable_timeout=True)

    assert (code, len(out)) == (3, MIB)
    assert memory(connect_stdio) - before < 100 * MIB


async def test_a_flood_of_the_model_leaves_the_memory_as_it_was(connect_stdio, provider):
    """Ours: both ends are kept, the middle is dropped."""
    script = "yes | head -c 200000000; echo the end"
    for _ in range(2):
        provider.says(ToolCall("exec_command", {"cmd": script, "yield_time_ms": 30_000}))
        provider.says("Done")
    client = await connect_stdio()
    thread = await client.start()
    await client.begin(thread)
    await client.next(TURN_COMPLETED)
    before = memory(connect_stdio)

    await client.begin(thread)
    await client.next(TURN_COMPLETED)

    assert "the end" in str(provider.requests[-1]["input"][-1])
    assert memory(connect_stdio) - before < 50 * MIB


async def test_a_client_that_does_not_read_keeps_its_command_waiting(connect_ws, project):
    """Ours: the command stops at the window, nobody's memory fills, and nothing is lost."""
    other = await connect_ws()
    async with connect_ws.server.connect() as slow:
        await slow.initialize()
        await run(other, "true")
        before = memory(connect_ws)
        slow.hold()
        begun = await begin(
            slow,
            f"head -c {FLOOD} /dev/zero; echo > all",
            stream_stdout_stderr=True,
            disable_output_cap=True,
            disable_timeout=True,
        )
        for _ in range(10):
            assert await run(other, "sleep 0.05; echo quick") == (0, "quick\n", "")

        assert memory(connect_ws) - before < 50 * MIB
        assert not (project / "all").exists()
        slow.go_on()
        await begun.result()
        assert (project / "all").exists()
        deltas = [h.params for h in slow.heard if h.method == COMMAND_EXEC_OUTPUT_DELTA.name]
        assert sum(len(b64decode(delta.delta_base64)) for delta in deltas) == FLOOD


async def test_a_full_disk_ends_the_command_and_nothing_else(connect_stdio, project):
    """Ours: a small file system stands for the disk, in a mount namespace of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    client = await connect_stdio()
    fill = "mount -t tmpfs -o size=1m none . && cd . && cat /dev/zero > $PWD/full"

    code, _, err = await run(client, f"unshare -m sh -c '{fill}'", sandbox_policy=FULL)

    assert code == 1
    assert "No space left on device" in err
    assert await run(client, "echo on") == (0, "on\n", "")
    assert not (project / "full").exists()


async def test_a_daemon_of_a_process_ends_before_its_end_is_told(connect_stdio, project):
    """Ours: as with `command/exec`."""
    from tests.wire.test_process import spawn

    client = await connect_stdio()
    await spawn(client, project, DAEMON)

    await gone(int((await client.next(PROCESS_EXITED)).stdout))


async def test_a_command_that_hears_no_signal_is_killed_with_all_it_has_started(connect_stdio):
    """Ours: asked, then made to."""
    client = await connect_stdio()
    script = f"trap '' TERM; {DAEMON}; while :; do sleep 0.01; done"

    done = await client.call(COMMAND_EXEC, CommandExecParams(command=sh(script), timeout_ms=500))

    assert done.exit_code == 124
    await gone(int(done.stdout))
