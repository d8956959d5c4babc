"""In plan mode the part of an answer between `<proposed_plan>` marks is an item of its own.

The marks stand on lines of their own, may be cut anywhere by the stream, and are never shown.
"""

from typing import TYPE_CHECKING

from protocol.item import AgentMessage, AgentMessageDeltaNotification, Plan, PlanDeltaNotification
from protocol.methods import AGENT_MESSAGE_DELTA, PLAN_DELTA

if TYPE_CHECKING:
    from workers.turn import RunningTurn

OPEN, CLOSE = "<proposed_plan>", "</proposed_plan>"


class Proposal:
    """Splits the text of the messages of one response."""

    def __init__(self, turn: "RunningTurn") -> None:
        self._turn = turn
        self._held = ""  # the start of what may become a mark
        self._message: AgentMessage | None = None
        self._begun = False
        self._plan: Plan | None = None
        self._inside = False
        self._said = ""

    def begin(self, message: AgentMessage) -> None:
        """A message begins; it is shown once it says something outside the plan."""
        self._message, self._begun, self._held, self._said = message, False, "", ""

    def take(self, item_id: str, delta: str) -> None:
        """Pass on what is certainly no mark, line by line where a mark could stand."""
        if self._message is None or self._message.id != item_id:
            return
        self._held += delta
        while True:
            line, end, rest = self._held.partition("\n")
            mark = CLOSE if self._inside else OPEN
            if line.strip() == mark and (end or self._final):
                self._toggle()
                self._held = rest
            elif end:
                self._pass(line + end)
                self._held = rest
            else:
                break
            if not self._held:
                return
        if self._held and not mark.startswith(self._held.strip()):
            self._pass(self._held)
            self._held = ""

    _final = False

    def end(self, message: AgentMessage) -> None:
        """The message is whole: complete the plan, then the message without it."""
        if self._message is None:
            self.begin(message)
            self.take(message.id, message.text)
        self._final = True
        if self._held:
            held, self._held = self._held, ""
            if held.strip() == (CLOSE if self._inside else OPEN):
                self._toggle()
            else:
                self._pass(held)
        self._final = False
        if self._plan is not None:
            self._turn.completed(self._plan)
            self._plan, self._inside = None, False
        if self._begun:
            message.text = self._said
            self._turn.completed(message)
        self._message = None

    def _toggle(self) -> None:
        self._inside = not self._inside
        if self._inside and self._plan is None:
            self._plan = Plan(id=f"{self._turn.id}-plan", text="")
            self._turn.started(self._plan)

    def _pass(self, text: str) -> None:
        if self._inside and self._plan is not None:
            self._plan.text += text
            self._turn.tell(
                PLAN_DELTA,
                PlanDeltaNotification(
                    delta=text,
                    item_id=self._plan.id,
                    thread_id=self._turn.thread_id,
                    turn_id=self._turn.id,
                ),
            )
            return
        message = self._message
        if message is None:
            return
        if not self._begun:
            self._begun = True
            self._turn.started(AgentMessage(message.id, "", phase=message.phase))
        self._said += text
        self._turn.tell(
            AGENT_MESSAGE_DELTA,
            AgentMessageDeltaNotification(
                delta=text,
                item_id=message.id,
                thread_id=self._turn.thread_id,
                turn_id=self._turn.id,
            ),
        )
