"""`review/start`: a turn in which a reviewer looks at changes and the user gets the findings.

The thread's model learns of the findings, not of the way there: see `workers.reviewer`.
"""

from typing import TYPE_CHECKING, Any

import msgspec

from protocol.event import ReviewEntered, ReviewExited, ReviewOutput, review_text
from protocol.item import (
    AgentMessage,
    EnteredReviewMode,
    ExitedReviewMode,
    TextInput,
    ThreadItem,
    UserMessage,
)
from protocol.methods import REVIEW_START
from protocol.review import ReviewStartParams, ReviewStartResponse, ReviewTarget, checked, hint
from protocol.turn import NonSteerableTurnKind, Turn, TurnStartParams
from workers import birth, changes, verdict, wording
from workers.history import ABORTED, message
from workers.mailbox import serves
from workers.running import RunningTurn

if TYPE_CHECKING:
    from workers.thread import LoadedThread

REVIEW_ID = "review:rollout:assistant"  # of the message that ends a review; clients know it


class ReviewTurn(RunningTurn):
    """Clients see the way in, what the reviewer does, the way out and the review."""

    kind: NonSteerableTurnKind | None = "review"

    def __init__(self, thread: "LoadedThread", target: ReviewTarget) -> None:
        super().__init__(thread, TurnStartParams([], thread.thread.id))
        self._target = target
        self._verdict: ReviewOutput | None = None

    def announced(self) -> Turn:
        """As the answer shows it: with what is reviewed as if the user had said so (observed)."""
        turn = self.snapshot()
        turn.items = [UserMessage([TextInput(hint(self._target))], self.id)]
        return turn

    def _begin(self) -> None:
        self.record_start()
        self._record(ReviewEntered(msgspec.to_builtins(self._target), hint(self._target)))
        self._show(EnteredReviewMode(self.id, hint(self._target)))
        super()._begin()

    async def work(self) -> None:
        from workers.reviewer import review  # noqa: PLC0415 - it is a thread itself

        prompt = await changes.prompt(self._target, self.settings, self.thread_id)
        said = await review(self, prompt)
        self._verdict = verdict.read(said) if said else None

    async def _converse(self) -> None:
        try:
            await super()._converse()
        finally:
            self._leave()

    def _leave(self) -> None:
        """The thread and its users learn how it came out, whatever has happened."""
        found = self._verdict
        text = review_text(found)
        self.remember(message("user", verdict.told(found)))
        self._record(ReviewExited(found))
        self._show(ExitedReviewMode(self.id, text))
        said = wording.REVIEW_UNFINISHED if found is None else text
        self.remember(_assistant(said))
        self._show(AgentMessage(REVIEW_ID, said))
        if self.scope.cancel_called:
            self.remember(message("user", ABORTED))

    def _show(self, item: ThreadItem) -> None:
        self.started(item)
        self.completed(item)

    def _record(self, event: ReviewEntered | ReviewExited) -> None:
        if self.thread.rollout is not None:
            self.thread.rollout.event(event)


def _assistant(text: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text}]
    return {"type": "message", "role": "assistant", "content": content}


@serves(REVIEW_START)
def review_start(thread: "LoadedThread", params: ReviewStartParams) -> ReviewStartResponse:
    """A turn that is running is interrupted for it (observed).

    Detached, the supervisor has made this thread for the review, and clients hear of it first.
    """
    turn = ReviewTurn(thread, checked(params.target))
    if params.delivery == "detached":
        thread.thread.git_info = thread.git_info  # at once, unlike a new thread's (observed)
        thread.show()
        birth.tell_started(thread)
    if thread.turn is None:
        thread.turn = turn
        thread.nursery.start_soon(turn.run)
    else:
        thread.nursery.start_soon(_replace, thread, turn)
    return ReviewStartResponse(review_thread_id=thread.thread.id, turn=turn.announced())


async def _replace(thread: "LoadedThread", turn: ReviewTurn) -> None:
    while thread.turn is not None:
        thread.turn.give_way()
        await thread.turn.ended.wait()
    thread.turn = turn
    await turn.run()
