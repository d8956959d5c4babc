"""One `commandExecution` item: what clients are told of a command, from its start to its end.

The item is shown when the user is asked about the command or when the command starts, whichever
comes first, and exactly once.
"""

import codecs

import trio
from msgspec.structs import replace

from protocol.item import (
    CommandAction,
    CommandExecution,
    CommandExecutionOutputDeltaNotification,
    CommandExecutionStatus,
    UnknownAction,
)
from protocol.methods import COMMAND_OUTPUT_DELTA
from workers.hooks.subject import Subject
from workers.tools import Content, Turn
from workers.tools.output import BUFFER_BYTES, HeadTail


class Execution:
    """`item` is the state so far; clients get copies of it."""

    def __init__(
        self, turn: Turn, subject: Subject, display: str, cwd: str, actions: list[CommandAction]
    ) -> None:
        self.turn = turn
        self.subject = subject
        self.item = CommandExecution(display, actions, cwd, subject.call_id, "inProgress")
        self.output = HeadTail()
        self.shown = False
        self._begun = trio.current_time()
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def show(self, *, unread: bool = False) -> None:
        """Tell `item/started`, unless that is done; `unread` without a reading of the command."""
        if not self.shown:
            self.shown = True
            self.turn.started(self._unread() if unread else replace(self.item))

    def _unread(self) -> CommandExecution:
        """As a command is shown that a model decides about (observed)."""
        return replace(self.item, command_actions=[UnknownAction(self.item.command)])

    def begin(self) -> None:
        """The command runs from now on."""
        self._begun = trio.current_time()
        self.show()

    def begin_again(self) -> None:
        """It runs anew: what the first run has written does not count."""
        self.output = HeadTail()
        self._begun = trio.current_time()

    def heard(self, data: bytes) -> None:
        """Keep output and pass it on; as much live as the item will hold in the end."""
        if self.output.total < BUFFER_BYTES and (text := self._decode(data)):
            self._tell(text)
        self.output.add(data)

    def _tell(self, text: str) -> None:
        delta = CommandExecutionOutputDeltaNotification(
            delta=text,
            item_id=self.item.id,
            thread_id=self.turn.thread_id,
            turn_id=self.turn.id,
        )
        self.turn.tell(COMMAND_OUTPUT_DELTA, delta)

    def ended(self, exit_code: int) -> None:
        """The command has run; its output is what was heard."""
        self.finish("completed" if exit_code == 0 else "failed", self.output.text(), exit_code)

    def finish(self, status: CommandExecutionStatus, output: str, exit_code: int) -> None:
        """Tell `item/completed` of a command that was run, or that could not be."""
        self.item.status = status
        self.item.aggregated_output = output or None
        self.item.exit_code = exit_code
        self.item.duration_ms = round((trio.current_time() - self._begun) * 1000)
        self.turn.completed(replace(self.item))

    async def heeded(self, turn: Turn, report: str) -> Content:
        """What the model is told of it: if it has ended, hooks have their say first."""
        if self.item.exit_code is None:
            return report
        return await turn.hooks.after(turn, self.subject, self.output.text(), report)

    def refused(self, status: CommandExecutionStatus, *, unread: bool = False) -> None:
        """Tell `item/completed` of a command that somebody did not want to be run."""
        item = self._unread() if unread else self.item
        self.turn.completed(replace(item, status=status))
