"""`thread/shellCommand`: a command of the user's own, whose outcome the model is told.

The user wants it as it is: it runs without a sandbox and nobody is asked.  While the thread is idle
it is a turn of its own, otherwise it belongs to the turn that runs.
"""

from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from protocol.errors import invalid
from protocol.ids import new_id
from protocol.maintenance import ThreadShellCommandParams, ThreadShellCommandResponse
from protocol.methods import THREAD_SHELL_COMMAND
from protocol.policy import DangerFullAccess
from protocol.turn import TurnStartParams
from sandbox import plan
from workers.history import message
from workers.mailbox import serves
from workers.process import Process
from workers.running import RunningTurn
from workers.shells import shell
from workers.tools.execution import Execution
from workers.tools.output import command_report
from workers.tools.running import KILLED, Command, unstartable
from workers.variables import variables

if TYPE_CHECKING:
    from workers.thread import LoadedThread

ABORTED = "command aborted by user"  # observed


class ShellTurn(RunningTurn):
    """A turn without the model.  What it is steered with meanwhile begins the next turn."""

    def __init__(self, thread: "LoadedThread", command: str) -> None:
        super().__init__(thread, TurnStartParams([], thread.thread.id))
        self._command = command

    @property
    def is_empty(self) -> bool:
        return False

    async def run(self) -> None:
        await super().run()
        if self.steered and not self.scope.cancel_called and self.thread.turn is None:
            inputs = [part for inputs in self.steered for part in inputs]
            self.thread.turn = RunningTurn(self.thread, TurnStartParams(inputs, self.thread_id))
            self.thread.nursery.start_soon(self.thread.turn.run)

    async def work(self) -> None:
        self.record_start()
        if self.thread.rollout is not None:
            self.thread.rollout.materialize()  # the command is worth keeping
        await _run(self, self._command)


@serves(THREAD_SHELL_COMMAND)
def thread_shell_command(
    thread: "LoadedThread", params: ThreadShellCommandParams
) -> ThreadShellCommandResponse:
    if not params.command.strip():
        raise invalid("command must not be empty")
    if thread.turn is not None:
        thread.turn.beside(partial(_run, thread.turn, params.command))
    else:
        thread.turn = ShellTurn(thread, params.command)
        thread.nursery.start_soon(thread.turn.run)
    return ThreadShellCommandResponse()


async def _run(turn: RunningTurn, command: str) -> None:
    """Run it to its end and tell clients and model; interrupted, it has failed (observed)."""
    wanted = Command([shell(None), "-lc", command], turn.settings.cwd)
    execution = wanted.execution(turn, new_id())
    execution.item.source = "userShell"
    execution.begin()
    begun, code, output = trio.current_time(), -1, ABORTED
    try:
        code, output = await _outcome(turn, wanted, execution)
    finally:
        execution.finish("completed" if code == 0 else "failed", output, code)
        seconds = trio.current_time() - begun
        turn.report(_report(command, command_report(output, seconds=seconds, exit_code=code)))


async def _outcome(turn: RunningTurn, command: Command, execution: Execution) -> tuple[int, str]:
    """The exit code and the output, or why there is none."""
    env = variables(turn.settings.shell_environment, turn.thread_id)
    try:
        launch = plan(DangerFullAccess(), command.argv, command.cwd, env)
        process = Process(launch, limits=turn.settings.limits)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the command
        return -1, unstartable(command, error)
    await process.run(execution.heard)
    code = await process.wait() if process.killed_by is None else KILLED + process.killed_by
    return code, execution.output.text()


def _report(command: str, result: str) -> dict[str, Any]:
    """What the model reads; the tags are those of the reference server."""
    return message(
        "user",
        f"<user_shell_command>\n<command>\n{command}\n</command>\n"
        f"<result>\n{result}\n</result>\n</user_shell_command>",
    )
