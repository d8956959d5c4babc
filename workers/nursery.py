"""The process that forks all workers, so that a worker is ready in milliseconds.

It has one thread and runs no Trio while it serves, because nothing may be forked from a running
event loop.  It imports what an ordinary thread worker needs, exercises it once (libraries import
lazily at first use), and freezes its heap so that children share its pages.

The supervisor sends one byte and a descriptor for each worker it wants; the nursery answers each
exit with a line `PID STATUS`.  It adopts what a dead worker leaves running and kills it: a command
never outlives its thread.
"""

import contextlib
import ctypes
import gc
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Generator
from threading import Thread

import sandbox
from protocol.policy import Minimum
from sandbox import placeholder

SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER, linux/prctl.h
ORPHAN_SECONDS = 5  # a killed process can hang in the kernel; the nursery must not hang with it
FAREWELL_MS = 5000  # for workers to leave after the supervisor has gone


def serve(descriptor: int, minimum: Minimum) -> int:
    """Fork workers until the control socket closes."""
    control = socket.socket(fileno=descriptor)
    with _probing(minimum):
        _warm()
    _adopt_orphans()
    placeholder.keep_notes()
    wake = _wake_on_children()
    with contextlib.suppress(BrokenPipeError):  # a supervisor that stops at once is no fault
        control.sendall(b"ready\n")
    workers: set[int] = set()
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(wake, select.POLLIN)
    while True:
        ready = {fd for fd, _ in poll.poll()}
        if wake in ready:
            os.read(wake, 4096)
            _report_exits(control, workers)
        if control.fileno() in ready and not _fork_requested(control, wake, workers):
            _end(workers)
            return 0


def _wake_on_children() -> int:
    """A descriptor that becomes readable when a child ends."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    signal.signal(signal.SIGCHLD, _ignore)
    signal.set_wakeup_fd(write)
    for quiet in (signal.SIGINT, signal.SIGTERM):  # the supervisor decides when workers end
        signal.signal(quiet, _ignore)  # not SIG_IGN: commands would inherit it, and bash keep it
    return read


def _ignore(_number: int, _frame: object) -> None:
    """Python's own handler has written to the wakeup descriptor; there is no more to do."""


def _adopt_orphans() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)


@contextlib.contextmanager
def _probing(minimum: Minimum) -> Generator[None]:
    """Find out what the host can enforce, once for all workers, beside what is done meanwhile.

    It starts processes and waits for them; they are gone before orphans are adopted, and the
    thread is before anything is forked.
    """
    sandbox.settle(minimum)
    thread = Thread(target=sandbox.host)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _warm() -> None:
    """Import and run once what every worker runs, then share it."""
    import trio  # noqa: PLC0415

    from workers import rehearsal, responses, thread  # noqa: PLC0415

    responses.warm()
    thread.warm()
    trio.run(rehearsal.rehearse)
    gc.collect()
    gc.freeze()


def _fork_requested(control: socket.socket, wake: int, workers: set[int]) -> bool:
    try:
        data, descriptors, _, _ = socket.recv_fds(control, 1, 1)
    except ConnectionResetError:  # the supervisor left with our reports unread
        return False
    if not data:
        return False
    for link in descriptors:
        os.set_inheritable(link, False)
        try:
            pid = os.fork()
        except OSError as error:  # the supervisor sees its end close, and asks again
            sys.stderr.write(f"atrio: cannot fork a worker: {error}\n")
            os.close(link)
            continue
        if pid == 0:
            control.close()
            os.close(wake)
            _be_worker(link)
        os.close(link)
        workers.add(pid)
    return True


def _be_worker(link: int) -> None:
    """Never returns: the child must not come back into the nursery's loop."""
    status = 70  # EX_SOFTWARE, unless the worker ends in order
    try:
        os.close(signal.set_wakeup_fd(-1))
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        from workers import thread  # noqa: PLC0415

        thread.main(link)
        status = 0
    except BaseException:  # noqa: BLE001 - the last word of this process
        import traceback  # noqa: PLC0415

        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os._exit(status)


def _report_exits(control: socket.socket, workers: set[int]) -> None:
    lost = False
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid == 0:
            break
        if pid in workers:
            workers.discard(pid)
            lost = True
            with contextlib.suppress(OSError):
                control.sendall(b"%d %d\n" % (pid, os.waitstatus_to_exitcode(status)))
    if lost:
        _kill_orphans(workers)
        placeholder.sweep()


def _kill_orphans(workers: set[int]) -> None:
    """End what a dead worker's commands left behind; they are our children now."""
    import psutil  # noqa: PLC0415

    deadline = time.monotonic() + ORPHAN_SECONDS
    while time.monotonic() < deadline:
        orphans = [child for child in psutil.Process().children() if child.pid not in workers]
        if not orphans:
            return
        for child in orphans:
            for process in [*child.children(recursive=True), child]:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child.pid, os.WNOHANG)
        time.sleep(0.001)


def _end(workers: set[int]) -> None:
    """The supervisor is gone.  Workers see their links close and end by themselves; insist."""
    poll, pids = select.poll(), dict[int, int]()
    for pid in workers:
        pids[os.pidfd_open(pid)] = pid  # none is reaped yet, so each is still there to be opened
    for descriptor in pids:
        poll.register(descriptor, select.POLLIN)
    while pids and (ready := poll.poll(FAREWELL_MS)):
        for descriptor, _ in ready:
            poll.unregister(descriptor)
            workers.discard(pids.pop(descriptor))
    for pid in workers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    _kill_orphans(set())
    with contextlib.suppress(ChildProcessError):  # a container's first process may not reap them
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
