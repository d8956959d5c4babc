"""The reviewers of one thread: one who remembers earlier reviews, and others while it is busy.

A reviewer is a thread within the thread that it judges, as in `workers.reviewer`, with a memory
and a file of its own.  Clients hear nothing of what it does.  It can look but not touch: it may
ask nobody, its commands run in a sandbox that writes nothing and has no network, and no rule lets
them out of it.
"""

import os
from functools import cache
from pathlib import Path
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from protocol.item import UserInput
from protocol.policy import (
    ManagedPermissions,
    NetworkPermissions,
    PermissionProfile,
    ReadOnly,
    RestrictedFileSystem,
)
from protocol.profile import profile_of
from protocol.row import Method, Notification
from protocol.settings import Settings
from protocol.thread import SpawnedSource
from protocol.turn import TurnStartParams
from workers.approval import Approvals
from workers.approval.review import ReviewRequest
from workers.docs import Docs
from workers.guardian import wording
from workers.guardian.prompt import prompt
from workers.guardian.ruling import SCHEMA, Ruling, Unreviewed, read
from workers.guardian.transcript import Entry, entries
from workers.history import History, message
from workers.provider import ProviderError
from workers.reviewer import WITHOUT, Reviewer, work
from workers.rules import Rules
from workers.running import RunningTurn
from workers.thread import LoadedThread
from workers.tools import Unasked

P = TypeVar("P", bound=Struct)
R = TypeVar("R", bound=Struct)

MODEL = "codex-auto-review"  # the provider's own for this, whatever the thread's is (observed)
SOURCE = SpawnedSource(other="guardian")


@cache
def _policy() -> str:
    return Path(__file__).with_name("policy.md").read_text("utf-8").strip()


def settings(thread: Settings) -> Settings:
    """A reviewer's, made of its thread's.

    Ours: it searches no web and is not told the project's documents, since both are written by
    others and would be heard as instructions.
    """
    own = f"# What the user wants of you\n\n{thread.guardian_policy or 'Nothing more.'}"
    return replace(
        thread,
        model=MODEL,
        effort="low",
        base_instructions=_policy().replace("{policy}", own),
        developer_instructions=None,
        approval_policy="never",
        approvals_reviewer="user",
        sandbox_policy=ReadOnly(),
        permission_profile=_reading(thread),
        active_permission_profile=None,
        rules_folders=[],
        hooks=[],
        web_search="disabled",
        collaboration_mode=None,
        skills=[],
        features={**thread.features, **dict.fromkeys(WITHOUT, False)},
    )


def _reading(thread: Settings) -> PermissionProfile:
    """It may read what the thread may; what is hidden from that is hidden from it too."""
    match thread.permission_profile or profile_of(thread.sandbox_policy):
        case ManagedPermissions(file_system=RestrictedFileSystem(entries=given) as files):
            held = [one if one.access == "none" else replace(one, access="read") for one in given]
            files = replace(files, entries=held)
            return ManagedPermissions(files, NetworkPermissions(enabled=False))
        case _:
            return profile_of(ReadOnly())


class Judge(Reviewer):
    """One reviewer.  Clients hear nothing of it."""

    def __init__(self, host: LoadedThread, own: Settings, *, kept: bool = True) -> None:
        super().__init__(host, own, SOURCE, kept=kept)
        self.approvals = Approvals(own, Rules(os.devnull))  # a user's rule may lead out of it
        self.docs = Docs("", ())
        self.busy = False
        self._host = host
        self._seen: list[Entry] = []  # of the conversation
        self._known = (History(), self.told, self._seen)  # when it last decided
        self._reviews = 0

    def tell(self, row: Notification[P], params: P, only: int | None = None) -> None:
        pass

    def show(self) -> None:
        pass

    def deputy(self) -> "Judge":
        """Another one that knows what this one has decided, and leaves nothing behind."""
        other = Judge(self._host, self.settings, kept=False)
        history, other.told, other._seen = self._known
        other.history = History(history.items)
        other._reviews = self._reviews
        return other

    async def judge(self, told: list[Entry], request: ReviewRequest) -> Ruling:
        """Raises Unreviewed."""
        self.busy = True
        seen = len(self._seen) if told[: len(self._seen)] == self._seen else 0
        asked = prompt(self._host.thread.id, told, request, seen=seen)
        sitting = Sitting(self, asked)
        try:
            if self._reviews == 1:
                sitting.remember(message("developer", wording.AGAIN))
            said = await work(sitting, self._host)
        except ProviderError as error:
            raise Unreviewed(error.message) from None
        except OSError as error:
            raise Unreviewed(str(error)) from None
        self._reviews, self._seen = self._reviews + 1, told
        self._known = (History(self.history.items), self.told, told)
        self.busy = False  # not when it was cut off: what it remembers of that is of no use
        return read(said)

    def close(self) -> None:
        if self.rollout is not None:
            self.rollout.close()


class Sitting(RunningTurn):
    """One review, as a turn of the reviewer."""

    strict_schema = False  # not all that the schema has must be said

    def __init__(self, judge: Judge, asked: list[UserInput]) -> None:
        params = TurnStartParams(asked, judge.thread.id, output_schema=SCHEMA)
        super().__init__(judge, params)

    def hear(self, inputs: list[UserInput]) -> None:
        if self.thread.rollout is not None:
            self.thread.rollout.user_message(inputs)

    def tell_encoded(self, method: str, body: bytes) -> None:
        pass

    async def ask(self, row: Method[P, R], params: P) -> R:  # noqa: ARG002
        raise Unasked("a reviewer asks nobody")


class Bench:
    def __init__(self, host: LoadedThread) -> None:
        self._host = host
        self._first: Judge | None = None

    async def judge(self, turn: RunningTurn, request: ReviewRequest) -> Ruling:
        """Raises Unreviewed.  A reviewer that came to no end is not asked again."""
        judge = self._free(settings(self._host.settings))
        told = entries([*self._host.history.items, *turn.reports])
        try:
            return await judge.judge(told, request)
        finally:
            if judge.busy or judge is not self._first:
                self._dismiss(judge)

    def _free(self, own: Settings) -> Judge:
        first = self._first
        if first is not None and first.busy:
            return first.deputy() if first.settings == own else Judge(self._host, own, kept=False)
        if first is None or first.settings != own:
            self.close()
            first = self._first = Judge(self._host, own)
        return first

    def _dismiss(self, judge: Judge) -> None:
        judge.close()
        if judge is self._first:
            self._first = None

    def close(self) -> None:
        if self._first is not None:
            self._dismiss(self._first)
