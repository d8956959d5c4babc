"""The process that forks all workers, so that a worker is ready in milliseconds.

It has one thread and runs no Trio while it serves, because nothing may be forked from a running
event loop.  It imports what an ordinary thread worker needs, exercises it once (libraries import
lazily at first use), and freezes its heap so that children share its pages.

The supervisor sends one byte and a descriptor for each worker it wants; the nursery answers each
exit with a line `PID STATUS`.  It adopts what a dead worker leaves running and kills it: a command
never outlives its thread.  What a living worker's commands leave, that worker adopts.
"""

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import sys
from collections.abc import Generator
from threading import Thread

import sandbox
from protocol.policy import Minimum
from sandbox import placeholder
from workers import cgroups, groups, limits, orphans
from workers.cgroups import Ground

IMPORT_MCP = b"M"  # asked for by the supervisor, as anything else is a fork
FAREWELL_MS = 5000  # for workers to leave after the supervisor has gone


def serve(descriptor: int, minimum: Minimum) -> int:
    """Fork workers until the control socket closes."""
    control = socket.socket(fileno=descriptor)
    limits.for_all()
    orphans.adopt()
    ground = cgroups.find(os.getppid())
    with _probing(minimum):
        _warm()
    placeholder.keep_notes()
    wake = _wake_on_children()
    with contextlib.suppress(BrokenPipeError):  # a supervisor that stops at once is no fault
        control.sendall(f"ready; {cgroups.describe(ground)}\n".encode())
    workers: set[int] = set()
    _report_exits(control, workers, ground)  # bury what the probes have left
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(wake, select.POLLIN)
    while True:
        ready = {fd for fd, _ in poll.poll()}
        if wake in ready:
            os.read(wake, 4096)
            _report_exits(control, workers, ground)
        if control.fileno() in ready and not _fork_requested(control, wake, workers, ground):
            _end(workers, ground)
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


@contextlib.contextmanager
def _probing(minimum: Minimum) -> Generator[None]:
    """Find out what the host can enforce, once for all workers, beside what is done meanwhile.

    It starts processes and waits for them; what they leave is buried, and the thread is gone,
    before anything is forked.
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

    from workers import cradle, rehearsal, responses  # noqa: PLC0415

    responses.warm()
    cradle.warm()
    trio.run(rehearsal.rehearse)
    gc.collect()
    gc.freeze()


def _learn() -> None:
    """Import what an MCP server takes, for all workers to come."""
    for name in ("connection", "http", "oauth", "stdio"):
        importlib.import_module(f"workers.mcp.{name}")
    gc.collect()
    gc.freeze()


def _fork_requested(
    control: socket.socket, wake: int, workers: set[int], ground: Ground | None
) -> bool:
    try:
        data, descriptors, _, _ = socket.recv_fds(control, 1, 1)
    except ConnectionResetError:  # the supervisor left with our reports unread
        return False
    if not data:
        return False
    if data == IMPORT_MCP:
        _learn()
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
            _be_worker(link, ground)
        os.close(link)
        workers.add(pid)
    return True


def _be_worker(link: int, ground: Ground | None) -> None:
    """Never returns: the child must not come back into the nursery's loop."""
    status = 70  # EX_SOFTWARE, unless the worker ends in order
    try:
        os.close(signal.set_wakeup_fd(-1))
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        orphans.adopt()
        groups.settle(ground)
        from workers import cradle  # noqa: PLC0415

        cradle.main(link)
        status = 0
    except BaseException:  # noqa: BLE001 - the last word of this process
        import traceback  # noqa: PLC0415

        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os._exit(status)


def _report_exits(control: socket.socket, workers: set[int], ground: Ground | None) -> None:
    lost = set[int]()
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid == 0:
            break
        if pid in workers:
            workers.discard(pid)
            lost.add(pid)
            with contextlib.suppress(OSError):
                control.sendall(b"%d %d\n" % (pid, os.waitstatus_to_exitcode(status)))
    if lost:
        _clear_up(lost, workers, ground)


def _clear_up(lost: set[int], workers: set[int], ground: Ground | None) -> None:
    """End what the commands of dead workers have left; it is ours now."""
    if ground is not None:
        for pid in lost:
            ground.clear(str(pid))
    orphans.end_others(workers)
    placeholder.sweep()


def _end(workers: set[int], ground: Ground | None) -> None:
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
    orphans.end_others(())
    if ground is not None:
        ground.close()
