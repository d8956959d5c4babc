"""One run of a hook's program: JSON on its stdin, what it says on stdout and stderr."""

from dataclasses import dataclass

import trio

from protocol.hook import HookMetadata
from protocol.policy import DangerFullAccess
from protocol.settings import Limits, ShellEnvironment
from sandbox import plan
from workers.process import Process
from workers.shells import shell
from workers.variables import variables

KEPT_BYTES = 1 << 20  # of each stream; a hook that says more is cut off
LINGER_SECONDS = 0.5  # for what the hook has left running and still writes


@dataclass(frozen=True)
class Ran:
    """`code` is None when a signal has ended it; `problem` says why there is nothing else."""

    code: int | None = None
    stdout: str = ""
    stderr: str = ""
    problem: str | None = None


class _Kept:
    def __init__(self) -> None:
        self._data = bytearray()

    def heard(self, data: bytes) -> None:
        self._data += data[: KEPT_BYTES - len(self._data)]

    def text(self) -> str:
        return self._data.decode("utf-8", "replace")


async def run(hook: HookMetadata, told: bytes, cwd: str, thread_id: str, limits: Limits) -> Ran:
    """Run it to its end, or until its time is over.

    It is the user's own, and trusted by hash: it runs without a sandbox, with the server's whole
    environment.
    """
    env = variables(ShellEnvironment(), thread_id)
    argv = [shell(None), "-lc", hook.command or ""]
    try:
        launch = plan(DangerFullAccess(), argv, cwd, env)
        process = Process(launch, stdin=True, apart=True, limits=limits)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the command
        return Ran(problem=f"cannot start the hook in {cwd}: {error}")
    out, err = _Kept(), _Kept()
    with trio.move_on_after(hook.timeout_sec) as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_tell, process, told)
            await process.run(out.heard, err.heard, linger=LINGER_SECONDS)
            nursery.cancel_scope.cancel()
    if scope.cancelled_caught:
        return Ran(problem=f"hook timed out after {hook.timeout_sec}s")
    code = None if process.killed_by is not None else process.exit_code
    return Ran(code, out.text(), err.text())


async def _tell(process: Process, told: bytes) -> None:
    """A hook need not read what it is told."""
    try:
        await process.write(told)
        await process.close_stdin()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass
