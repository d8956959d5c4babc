"""The supervisor's end of a link, and the nursery process with its spares."""

import signal
import socket
from contextlib import asynccontextmanager, suppress

import psutil
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from protocol import frames
from protocol.frames import Answered, Bye, Event, Hello, Log
from protocol.framing import Frames
from supervisor import worker as module
from supervisor.worker import NurseryProcess, Worker

SAID = [Hello(0), Event(0, "a", b"x" * 1000), Log("info", "ü")]


@pytest.fixture
async def ends():
    """A worker as the supervisor sees it, and its own end."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    worker = Worker(ours)
    with theirs:
        yield worker, theirs
    worker.close()


async def test_frames_are_heard_however_they_arrive(ends, nursery):
    """Ours: what comes together is heard together, and a frame in pieces when it is whole."""
    worker, theirs = ends
    data = b"".join(map(frames.encode, SAID))
    theirs.send(data)
    assert await worker.receive() == SAID

    async def drip():
        for at in range(len(data)):
            theirs.send(data[at : at + 1])
            await trio.lowlevel.checkpoint()

    nursery.start_soon(drip)
    heard = []
    with trio.fail_after(5):
        while heard != SAID:
            heard += await worker.receive()


@pytest.mark.parametrize("last", [b"", b"\0\0", b"\0\0\1\0half"])
async def test_the_end_of_the_link_is_the_end_of_the_worker(ends, last):
    """Ours: in the middle of a frame too; what was whole before it is heard."""
    worker, theirs = ends
    theirs.send(frames.encode(SAID[1]) + last)
    theirs.close()

    assert await worker.receive() == [SAID[1]]
    assert await worker.receive() == []


@pytest.mark.parametrize(
    "nonsense",
    [b"\xff\xff\xff\xff", b"\0\0\0\1x", b"\0\0\0\2\x91\xc0", frames.encode(Bye(1.0))],
    ids=["length", "type", "shape", "direction"],
)
async def test_a_worker_that_babbles_counts_as_gone(ends, nonsense):
    """Ours: and it is not waited for any more."""
    worker, theirs = ends
    theirs.send(nonsense)

    assert await worker.receive() == []
    assert worker.gone.is_set()


async def test_what_a_worker_does_not_read_waits_and_keeps_its_order(ends, nursery):
    """Ours: sending never blocks, whatever the worker does."""
    worker, theirs = ends
    nursery.start_soon(worker.write)
    sent = [Answered(k, bytes([k]) * (1 << 16)) for k in range(50)]
    for frame in sent:
        worker.send(frame)
        await wait_all_tasks_blocked()
    splitter, heard = Frames(), []
    with trio.fail_after(5):
        while len(heard) < len(sent):
            try:
                heard += map(frames.decode_down, splitter.feed(theirs.recv(1 << 16)))
            except BlockingIOError:
                await wait_all_tasks_blocked()

    assert heard == sent
    nursery.cancel_scope.cancel()


async def test_what_is_said_to_a_worker_that_has_gone_is_lost(ends, nursery):
    """Ours: whoever listens to it finds out."""
    worker, theirs = ends
    nursery.start_soon(worker.write)
    theirs.close()
    for _ in range(3):
        worker.send(Answered(1, b"x" * (1 << 20)))
        await wait_all_tasks_blocked()
    worker.close()
    worker.send(Answered(1, b"{}"))
    await wait_all_tasks_blocked()
    nursery.cancel_scope.cancel()


async def test_to_let_a_worker_go_wakes_whoever_listens(ends, nursery):
    """Ours: a worker that hangs keeps its end of the link open."""
    worker, _ = ends
    nursery.start_soon(worker.write)

    async def let_go():
        await wait_all_tasks_blocked()
        worker.kill()

    nursery.start_soon(let_go)
    with trio.fail_after(5):
        assert await worker.receive() == []
    nursery.cancel_scope.cancel()


async def test_without_a_first_frame_there_is_no_worker(ends):
    """Ours: it died while it was being born."""
    worker, theirs = ends
    theirs.close()

    assert not await worker.hello()


# ---- the nursery process


@asynccontextmanager
async def bearing(*command):
    births = NurseryProcess(command or None)
    async with trio.open_nursery() as nursery:
        with trio.fail_after(20):
            await nursery.start(births.run)
            yield births
        nursery.cancel_scope.cancel()


def alive(process):
    """Its number, unless it is gone or only waits for whoever adopted it."""
    with suppress(psutil.NoSuchProcess):
        return process.pid if process.status() != psutil.STATUS_ZOMBIE else None


async def told_to_leave(worker):
    """Whoever is nobody yet leaves when its link closes."""
    worker.close()
    with trio.fail_after(10):
        while psutil.pid_exists(worker.pid):
            await trio.sleep(0.01)


async def test_workers_are_born_and_ended_and_nothing_is_left():
    """Ours: spares and the nursery process too."""
    async with bearing() as births:
        workers = [await births.adopt() for _ in range(4)]
        nursery = psutil.Process(births.process.pid)
        assert {w.pid for w in workers} <= {child.pid for child in nursery.children()}
        for worker in workers:
            await told_to_leave(worker)
        spares = nursery.children()

    assert not nursery.is_running()
    assert {pid for spare in spares if (pid := alive(spare))} == set()


async def test_workers_are_born_with_the_mcp_library_once_one_was_wanted():
    """Ours: it takes most of a second to import, and most servers do without."""
    async with bearing() as births:
        workers = [await births.adopt(mcp=True) for _ in range(3)]
        has = [worker.has_mcp for worker in workers]
        loaded = [has_loaded(worker.pid, "pydantic_core") for worker in workers]
        for worker in workers:
            await told_to_leave(worker)

    assert has == [False, True, True]
    assert loaded == has


def has_loaded(pid, library):
    return any(library in place.path for place in psutil.Process(pid).memory_maps())


async def test_a_spare_that_has_died_is_not_given_away():
    """Ours: a request must not pay for it."""
    async with bearing() as births:
        first = await births.adopt()
        spares = [c for c in psutil.Process(births.process.pid).children() if c.pid != first.pid]
        for spare in spares:
            spare.kill()
        psutil.wait_procs(spares, 5)
        second = await births.adopt()

        assert second.pid not in {spare.pid for spare in spares}
        assert psutil.pid_exists(second.pid)
        for worker in (first, second):
            await told_to_leave(worker)


async def test_another_nursery_process_takes_the_place_of_a_dead_one(monkeypatch, caplog):
    """Ours (DESIGN 6): workers that live go on, and nothing of the dead one is kept."""
    monkeypatch.setattr(module, "RESTART_SECONDS", 0.01)
    async with bearing() as births:
        worker = await births.adopt()
        dead = births.process
        dead.kill()
        while births.process is dead:
            await trio.sleep(0.01)
        another = await births.adopt()

        assert dead.returncode == -signal.SIGKILL
        assert psutil.pid_exists(worker.pid)
        worker.close()
        await told_to_leave(another)
    assert "starting another" in caplog.text


async def test_a_nursery_process_that_cannot_live_does_not_end_the_server(monkeypatch, caplog):
    """Ours: loaded threads go on; who needs a new worker waits."""
    monkeypatch.setattr(module, "RESTART_SECONDS", 0.01)
    async with bearing("/bin/false") as births:
        first = births.process
        while births.process is first:
            await trio.sleep(0.01)
        births._command = ["/no/such/program"]
        while "trying again" not in caplog.text:
            await trio.sleep(0.01)
        with trio.move_on_after(0.05) as patience:
            await births.adopt()

        assert patience.cancelled_caught


async def test_a_nursery_process_that_hangs_is_replaced(monkeypatch, caplog):
    """Ours: stopped, or stuck in a system call."""
    for name in ("RESTART_SECONDS", "HELLO_SECONDS", "FAREWELL_SECONDS"):
        monkeypatch.setattr(module, name, 0.05)
    async with bearing("/bin/sleep", "1000") as births:
        hanging = births.process
        while births.process is hanging:
            await trio.sleep(0.01)

    assert hanging.returncode == births.process.returncode == -signal.SIGKILL
    assert "does not answer" in caplog.text
