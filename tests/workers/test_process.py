"""One child: its output, its input, its end.  Real processes."""

import os
import signal

import pytest
import trio

from sandbox import Launch
from workers.process import LIVE, Process, kill_all


class Heard(bytearray):
    """A sink that can be waited on."""

    def __init__(self):
        super().__init__()
        self._more = trio.Event()

    def __call__(self, data):
        self.extend(data)
        self._more.set()

    async def until(self, text):
        while text not in self:
            self._more = trio.Event()
            await self._more.wait()


def sh(script):
    return Launch(["/bin/sh", "-c", script], "/", {"PATH": os.environ["PATH"]})


async def run(script, **how):
    heard = Heard()
    process = Process(sh(script), **how)
    with trio.fail_after(5):
        code = await process.run(heard)
    return code, bytes(heard)


async def wait_gone(pidfd):
    await trio.lowlevel.wait_readable(pidfd)
    os.close(pidfd)


def open_files():
    return set(os.listdir("/proc/self/fd"))  # noqa: PTH208 - Path.iterdir holds one itself


async def test_output_and_errors_are_one_stream_in_order():
    """Observed: unified exec merges them."""
    assert await run("echo a; echo b >&2; echo c") == (0, b"a\nb\nc\n")


async def test_large_output_is_whole():
    """Ours: nothing is lost between the last write and the end."""
    code, heard = await run("seq 1 100000")
    assert code == 0
    assert heard == b"".join(b"%d\n" % n for n in range(1, 100001))


@pytest.mark.parametrize(("script", "code"), [("exit 3", 3), ("exit 300", 44)])
async def test_the_exit_code_is_the_childs(script, code):
    """Observed: the low eight bits."""
    assert await run(script) == (code, b"")


@pytest.mark.parametrize(("tty", "code"), [(False, -1), (True, 1)])
async def test_death_by_signal_is_told_as_the_reference_server_does(tty, code):
    """Observed: -1 on pipes, 1 on a terminal."""
    process = Process(sh("kill -TERM $$"), tty=tty)
    with trio.fail_after(5):
        assert await process.run(lambda _: None) == code
    assert process.killed_by == signal.SIGTERM


async def test_every_child_leads_its_own_session_and_group():
    """Ours: whatever a command has started is reached through its group."""
    _, heard = await run("ps -o pid=,pgid=,sid= -p $$")
    pid, group, session = heard.split()
    assert pid == group == session


async def test_without_stdin_the_input_is_empty():
    """Observed: /dev/null."""
    assert await run("cat; echo end") == (0, b"end\n")


async def test_input_reaches_the_child_until_it_is_closed():
    """Ours: stdin=True gives a pipe."""
    heard = Heard()
    process = Process(sh("cat"), stdin=True)
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(process.run, heard)
            await process.write(b"hello")
            await process.close_stdin()
            assert await process.wait() == 0
    assert heard == b"hello"


async def test_a_terminal_has_a_size_can_be_resized_and_controls_its_child():
    """Observed: 24 by 80; ours: job control works."""
    heard = Heard()
    process = Process(sh("stty size; tty; read x; stty size </dev/tty"), tty=True)
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(process.run, heard)
            await heard.until(b"pts")
            process.resize(30, 100)
            await process.write(b"\n")
            assert await process.wait() == 0
    size, name, _, again = heard.decode().split("\r\n")[:4]
    assert (size, again) == ("24 80", "30 100")
    assert name.startswith("/dev/pts/")


async def test_the_interrupt_key_reaches_the_foreground_of_a_terminal():
    """Ours: the terminal is the child's controlling one."""
    heard = Heard()
    process = Process(sh("trap 'exit 7' INT; echo ready; while :; do sleep 0.01; done"), tty=True)
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(process.run, heard)
            await heard.until(b"ready")
            await process.write(b"\x03")
            assert await process.wait() == 7


async def test_only_a_living_terminal_can_be_resized():
    """Ours: command/exec/resize tells the client so."""
    process = Process(sh("true"))
    with pytest.raises(OSError, match="ioctl"):
        process.resize(30, 100)
    with trio.fail_after(5):
        await process.run(lambda _: None)
    with pytest.raises(OSError, match="ioctl"):
        process.resize(30, 100)


async def test_two_who_write_at_once_take_turns():
    """Ours: a model may call write_stdin twice in one response."""
    heard = Heard()
    process = Process(sh("cat"), stdin=True)
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(process.run, heard)
            async with trio.open_nursery() as writers:
                writers.start_soon(process.write, b"a" * 200_000)
                writers.start_soon(process.write, b"b" * 200_000)
            await process.close_stdin()
    assert sorted([heard[:200_000], heard[200_000:]]) == [b"a" * 200_000, b"b" * 200_000]


async def test_a_grandchild_that_keeps_the_output_open_delays_nothing():
    """Observed: the end is told 50 ms after the command's."""
    code, heard = await run("sleep 60 & echo $!")
    assert code == 0
    os.kill(int(heard), signal.SIGKILL)  # it is still there


async def test_cancelling_kills_the_whole_group():
    """Ours: nothing of an interrupted command stays behind."""
    heard = Heard()
    process = Process(sh("sleep 60 & echo $!; wait"))
    with trio.fail_after(5):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(process.run, heard)
                await heard.until(b"\n")
                grandchild = os.pidfd_open(int(heard))
                scope.cancel()
        await wait_gone(grandchild)
    assert process.killed_by == signal.SIGTERM


@pytest.mark.parametrize(
    ("trap", "code", "killed_by"),
    [("echo tidy; exit 3", 3, None), ("echo refused", -1, signal.SIGKILL)],
)
async def test_a_cancelled_command_may_tidy_up_but_not_refuse(trap, code, killed_by):
    """Ours: a command killed at once leaves its lock files behind."""
    heard = Heard()
    process = Process(sh(f"trap '{trap}' TERM; echo ready; while :; do sleep 0.01; done"))
    with trio.fail_after(5), trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(process.run, heard)
            await heard.until(b"ready")
            scope.cancel()
    assert (process.exit_code, process.killed_by) == (code, killed_by)


async def test_terminate_asks_and_kill_group_insists():
    """Ours: the two steps that a ladder is made of."""
    process = Process(sh("trap 'echo asked' TERM; echo ready; while :; do sleep 0.01; done"))
    heard = Heard()
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(process.run, heard)
            await heard.until(b"ready")
            process.terminate()
            await heard.until(b"asked")
            process.kill_group()
            assert await process.wait() == -1


async def test_kill_all_ends_every_live_command():
    """Ours: the orderly end of a worker."""
    processes = [Process(sh("sleep 60")), Process(sh("sleep 60"), tty=True)]
    assert set(processes) <= LIVE
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            for process in processes:
                nursery.start_soon(process.run, lambda _: None)
            kill_all()
    assert not LIVE


async def test_an_ended_process_is_sent_no_signals():
    """Ours: its number may belong to somebody else by then."""
    process = Process(sh("true"))
    with trio.fail_after(5):
        await process.run(lambda _: None)
    process.terminate()
    process.kill_group()


@pytest.mark.parametrize("tty", [False, True])
async def test_no_descriptor_and_no_child_is_left(tty):
    """Ours: a worker runs thousands of commands."""
    await run("true", tty=tty)
    before = open_files()
    for _ in range(5):
        await run("echo x", tty=tty)
    for _ in range(3):
        with pytest.raises(FileNotFoundError):
            Process(Launch(["/bin/sh"], "/no/such/place", {}), tty=tty)
    assert open_files() == before


async def test_without_pidfds_a_thread_waits(monkeypatch):
    """Ours: macOS has none."""
    monkeypatch.delattr(os, "pidfd_open")
    assert await run("echo x; exit 2") == (2, b"x\n")


async def test_a_missing_program_is_an_error():
    """Ours: nothing is registered that does not run."""
    before = set(LIVE)
    with pytest.raises(FileNotFoundError):
        Process(Launch(["/no/such/program"], "/", {}))
    assert before == LIVE


async def test_the_child_inherits_no_descriptor_of_ours():
    """Ours: a command must not hold the worker's links open."""
    ours, theirs = os.pipe()
    os.set_inheritable(theirs, True)
    code, _ = await run(f"[ ! -e /proc/self/fd/{theirs} ]")
    os.close(ours)
    os.close(theirs)
    assert code == 0
