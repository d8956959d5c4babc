"""In plan mode the part of an answer between `<proposed_plan>` marks is an item of its own.

The marks stand on lines of their own, may be cut anywhere by the stream, and are never shown.
"""

from typing import TYPE_CHECKING

from protocol.item import AgentMessage, AgentMessageDeltaNotification, Plan, PlanDeltaNotification
from protocol.methods import AGENT_MESSAGE_DELTA, PLAN_DELTA

if TYPE_CHECKING:
    from workers.running import RunningTurn

OPEN, CLOSE = "<proposed_plan>", "</proposed_plan>"


class Proposal:
    """Splits the text of the messages of one response."""

    def __init__(self, turn: "RunningTurn") -> None:
        self._turn = turn
        self._held = ""  # the start of a line that may become a mark
        self._midway = False  # the line has begun, so it is no mark
        self._message: AgentMessage | None = None
        self._begun = False
        self._plan: Plan | None = None
        self._inside = False
        self._said = ""

    def begin(self, message: AgentMessage) -> None:
        """A message begins; it is shown once it says something outside the plan."""
        self._message, self._begun, self._said = message, False, ""
        self._held, self._midway = "", False

    def take(self, item_id: str, delta: str) -> None:
        """Pass on what is certainly no mark, in as few pieces as there are sides of it."""
        if self._message is None or self._message.id != item_id:
            return
        *lines, rest = (self._held + delta).split("\n")
        side = ""
        for line in lines:
            alone, self._midway = not self._midway, False
            if alone and line.strip() == self._mark:
                self._pass(side)
                side = ""
                self._toggle()
            else:
                side += line + "\n"
        if not self._midway and self._mark.startswith(rest.strip()):
            self._held = rest  # the start of what may become a mark
        else:
            self._held, self._midway = "", bool(rest) or self._midway
            side += rest
        self._pass(side)

    @property
    def _mark(self) -> str:
        return CLOSE if self._inside else OPEN

    def end(self, message: AgentMessage) -> None:
        """The message is whole: complete the plan, then the message without it."""
        if self._message is None:
            self.begin(message)
            self.take(message.id, message.text)
        held, self._held = self._held, ""
        if held.strip() == self._mark:
            self._toggle()
        else:
            self._pass(held)
        if self._plan is not None:
            self._turn.completed(self._plan)
            self._plan, self._inside = None, False
        if self._begun:
            message.text = self._said
            self._turn.completed(message)
        self._message = None

    def _toggle(self) -> None:
        self._inside = not self._inside
        if not self._inside:
            return
        if self._plan is None:
            self._plan = Plan(id=f"{self._turn.id}-plan", text="")
            self._turn.started(self._plan)
        self._plan.text = ""  # a later plan replaces the one before it (observed)

    def _pass(self, text: str) -> None:
        if not text:
            return
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
