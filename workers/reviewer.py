"""Who reviews: a thread within a thread, with a memory, a file and commands of its own.

It begins without the conversation, so that it judges the changes and not the talk about them.  What
it does is shown as part of the user's turn, but for its messages: the last one is the review, and
clients get that as a whole.  It may ask nobody (observed): a review is to run unattended.
"""

import time
from functools import cache
from pathlib import Path
from typing import Any

import trio
from msgspec.structs import replace

from protocol.account import RateLimitSnapshot
from protocol.ids import new_id
from protocol.item import AgentMessage, TextInput, ThreadItem, UserInput
from protocol.methods import AGENT_MESSAGE_DELTA
from protocol.settings import Settings
from protocol.thread import ActiveStatus, NamedSource, SubAgentSource, Thread
from protocol.turn import Turn, TurnError, TurnStartParams
from workers import record
from workers.conversation import Conversation
from workers.provider import ProviderError
from workers.rollout import Rollout
from workers.running import RunningTurn
from workers.thread import LoadedThread

# Who would bring in others, or aims of the conversation.
WITHOUT = ("multi_agent", "multi_agent_v2", "goals")


@cache
def instructions() -> str:
    return Path(__file__).with_name("review.md").read_text("utf-8").strip()


def settings(thread: Settings) -> Settings:
    """A reviewer's, made of its thread's."""
    return replace(
        thread,
        model=thread.review_model or thread.model,
        base_instructions=instructions(),
        approval_policy="never",
        web_search="disabled",
        collaboration_mode=None,
        features={**thread.features, **dict.fromkeys(WITHOUT, False)},
    )


class Reviewer(LoadedThread):
    """The thread that the reviewing model sees.  It speaks through the thread that it works for."""

    def __init__(
        self, host: LoadedThread, own: Settings, source: SubAgentSource, *, kept: bool = True
    ) -> None:
        """`kept` gives it a file, if the host has one."""
        super().__init__(host.spec, host.link, host.nursery)
        self.settings = own
        self.provider, self.docs, self.questions = host.provider, host.docs, host.questions
        self.hooks.source = "startup"
        now = time.time_ns() // 1_000_000
        self.thread = _described(host.thread, source, now)
        if kept and host.rollout is not None:
            meta = record.session_meta(
                self.thread,
                self.settings,
                created_at_ms=now,
                base_instructions=self.settings.base_instructions,
                git=host.git_info,
            )
            self.rollout = Rollout.create(self.settings.home, meta, now)

    def tell_usage(self, turn_id: str | None = None, only: int | None = None) -> None:
        """The user's thread grows by the review, not by the reviewing (observed)."""

    def tell_rate_limits(self, snapshot: RateLimitSnapshot) -> None:
        """Neither is this told (observed)."""


def _described(host: Thread, source: SubAgentSource, now_ms: int) -> Thread:
    return replace(
        host,
        id=new_id(),
        created_at=now_ms // 1000,
        updated_at=now_ms // 1000,
        forked_from_id=None,
        name=None,
        path=None,
        preview="",
        source=NamedSource(sub_agent=source),
        status=ActiveStatus(active_flags=[]),
        thread_source="subagent",
    )


class Reading(RunningTurn):
    """The reviewer's only turn; `shown` is the one that clients take it for."""

    def __init__(self, reviewer: Reviewer, shown: RunningTurn, prompt: str) -> None:
        super().__init__(reviewer, TurnStartParams([TextInput(prompt)], shown.thread_id))
        self.id, self.thread_id, self.scope = shown.id, shown.thread_id, shown.scope
        self._shown = shown
        self._unsaid: AgentMessage | None = None

    def hear(self, inputs: list[UserInput]) -> None:
        if self.thread.rollout is not None:
            self.thread.rollout.user_message(inputs)
        self._shown.hear(inputs)

    def completed(self, item: ThreadItem) -> None:
        if self.thread.rollout is not None:
            self.thread.rollout.item_completed(item, self.id)
        if not isinstance(item, AgentMessage):
            self._shown.completed(item)
            return
        said, self._unsaid = self._unsaid, item
        if said is not None and self._shown.thread.rollout is not None:
            self._shown.thread.rollout.item_completed(
                said, self.id
            )  # it was not the review (observed)

    def record(self, event: dict[str, Any]) -> None:
        super().record(event)
        self._shown.record(event)

    def tell_encoded(self, method: str, body: bytes) -> None:
        if method != AGENT_MESSAGE_DELTA.name:
            super().tell_encoded(method, body)


async def review(shown: RunningTurn, prompt: str) -> str | None:
    """The reviewer's last message.  Raises ProviderError, OSError."""
    reviewer = Reviewer(shown.thread, settings(shown.thread.settings), "review")
    try:
        return await work(Reading(reviewer, shown, prompt), shown.thread)
    finally:
        if reviewer.rollout is not None:
            reviewer.rollout.close()


async def work(turn: RunningTurn, host: LoadedThread) -> str | None:
    """A reviewer's turn, to its end; the last message.  Raises ProviderError, OSError."""
    done = turn.snapshot()
    done.status = "interrupted"
    try:
        await Conversation(turn).run()
        done.status = "completed"
    except ProviderError as error:
        done.status = "failed"
        done.error = TurnError(error.message, codex_error_info=error.info)
        raise
    finally:
        with trio.CancelScope(shield=True):
            await turn.sessions.aclose()  # no command outlives the review
        if problem := _finish(turn, done):
            host.warn(problem)
    return turn.said


def _finish(turn: RunningTurn, done: Turn) -> str | None:
    """Leave the reviewer's file whole; what went wrong is no harm to the review."""
    rollout = turn.thread.rollout
    if rollout is None:
        return None
    now = time.time_ns() // 1_000_000
    done.completed_at, done.duration_ms = now // 1000, now - turn.started_at_ms
    return rollout.turn_ended(done, last_message=turn.said, first_token_ms=turn.first_token_ms)
