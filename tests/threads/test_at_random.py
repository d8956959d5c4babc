"""Whatever clients do to threads, in whatever order, and whatever dies meanwhile: what must be true
of them is true.

ATRIO_EXAMPLES=500 makes it a long run, whose steps then differ from run to run; hypothesis' own
`--hypothesis-seed` repeats one.
"""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from protocol import methods
from protocol.errors import RpcError
from protocol.item import TextInput
from protocol.loading import ThreadForkParams, ThreadResumeParams
from protocol.maintenance import (
    ThreadCompactStartParams,
    ThreadInjectItemsParams,
    ThreadRollbackParams,
)
from protocol.thread import (
    ThreadArchiveParams,
    ThreadSetNameParams,
    ThreadUnarchiveParams,
    ThreadUnsubscribeParams,
)
from protocol.turn import Turn, TurnInterruptParams, TurnSteerParams
from tests.threads.bursts import Bursts
from tests.threads.laws import some

EXAMPLES = int(os.environ.get("ATRIO_EXAMPLES", "0"))
SETTINGS = settings(
    max_examples=EXAMPLES or 6,
    stateful_step_count=60 if EXAMPLES else 50,
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    print_blob=False,
    phases=[Phase.generate],  # to shrink takes minutes, and the steps are told anyhow
    suppress_health_check=list(HealthCheck),
)
MANY_CLIENTS, MANY_THREADS = 3, 4
VERBS = ("say", "hold", "linger", "fail", "run", "sleep")


class Threads(Bursts):
    """Each rule does one thing, waits for all that must follow, and notes what is true now."""

    def begun(self) -> None:
        self.join()
        self.start(0)

    # ---- clients and servers

    @precondition(lambda self: len(self.world.clients) < MANY_CLIENTS)
    @rule()
    def join(self) -> None:
        self.world.join()

    @precondition(lambda self: len(self.world.clients) > 1)
    @rule(client=some)
    def leave(self, client: int) -> None:
        gone = self.client(client)
        self.world.leave(gone)
        for thread in self.threads:
            thread.subscribers.discard(gone)
        self.settle()

    @rule(kill=st.booleans())
    def restart(self, kill: bool) -> None:
        self.world.end(kill=kill)
        for thread in self.threads:
            if thread.word is not None:
                thread.end("interrupted")
            thread.unload()
        self.world.begin()
        self.join()

    # ---- threads come and go

    @rule(client=some)
    def start(self, client: int) -> None:
        if len(self.known()) < MANY_THREADS:
            self.start_for(self.client(client))

    @rule(client=some, thread=some)
    def resume(self, client: int, thread: int) -> None:
        who, what = self.pick(client, thread)
        asked = ThreadResumeParams(thread_id=what.id)
        if not what.stored:
            self.refused("no rollout found", who, methods.THREAD_RESUME, asked)
            return
        what.revive()
        resumed = self.world.do(who.call, methods.THREAD_RESUME, asked).thread
        what.loaded, what.path = True, resumed.path or ""
        what.subscribers.add(who)
        self.compare(what, resumed.turns)

    @rule(client=some, thread=some)
    def fork(self, client: int, thread: int) -> None:
        who, what = self.pick(client, thread)
        asked = ThreadForkParams(thread_id=what.id)
        if not what.stored:
            self.refused("no rollout found", who, methods.THREAD_FORK, asked)
        if not what.stored or len(self.known()) >= MANY_THREADS:
            return
        forked = self.world.do(who.call, methods.THREAD_FORK, asked).thread
        copy = what.fork(forked.id, who)
        copy.path = forked.path or ""
        self.threads.append(copy)
        self.compare(copy, forked.turns)

    @rule(client=some, thread=some)
    def archive(self, client: int, thread: int) -> None:
        who, what = self.pick(client, thread)
        asked = ThreadArchiveParams(what.id)
        if what.archived or not what.stored:
            self.refused("no rollout found", who, methods.THREAD_ARCHIVE, asked)
            return
        self.world.do(who.call, methods.THREAD_ARCHIVE, asked)
        what.archived, what.loaded = True, False
        if what.word is not None:
            self.ended(what, "interrupted")
        what.unload()

    @rule(client=some, thread=some)
    def unarchive(self, client: int, thread: int) -> None:
        who, what = self.pick(client, thread)
        asked = ThreadUnarchiveParams(what.id)
        if not what.archived:
            self.refused("no archived rollout", who, methods.THREAD_UNARCHIVE, asked)
            return
        what.path = self.world.do(who.call, methods.THREAD_UNARCHIVE, asked).thread.path or ""
        what.archived = False

    @rule(client=some, thread=some)
    def unsubscribe(self, client: int, thread: int) -> None:
        who, what = self.pick(client, thread)
        asked = ThreadUnsubscribeParams(what.id)
        status = self.world.do(who.call, methods.THREAD_UNSUBSCRIBE, asked).status
        listened = "unsubscribed" if who in what.subscribers else "notSubscribed"
        assert status == (listened if what.loaded else "notLoaded")
        what.subscribers.discard(who)
        if what.word is not None:
            self.unheard[what.turns[-1].id] = 1
        self.settle()

    @rule(client=some, thread=some)
    def name(self, client: int, thread: int) -> None:
        who, what = self.pick(client, thread)
        asked = ThreadSetNameParams(f"name {self.number()}", what.id)
        if what.archived:
            self.refused("is archived", who, methods.THREAD_NAME_SET, asked)
            return
        self.world.do(who.call, methods.THREAD_NAME_SET, asked)
        what.name = asked.name

    # ---- turns

    @rule(client=some, thread=some, verb=st.sampled_from(VERBS))
    def turn(self, client: int, thread: int, verb: str) -> None:
        who, what = self.pick(client, thread)
        word = f"{verb} {self.number()}"
        if not what.loaded:
            with pytest.raises(RpcError, match="thread not found"):
                self.world.do(who.begin, what.id, word)
            return
        begun: Turn = self.world.do(who.begin, what.id, word)
        if what.word is not None:
            what.steered.append(word)
        else:
            what.begin(begun.id)
            what.hears(word)
            self.work(what)

    @rule(client=some, thread=some, verb=st.sampled_from(VERBS))
    def steer(self, client: int, thread: int, verb: str) -> None:
        who, what = self.pick(client, thread)
        word = f"{verb} {self.number()}"
        turn_id = what.turns[-1].id if what.turns else what.id
        asked = TurnSteerParams(turn_id or what.id, [TextInput(word)], what.id)
        if what.word is None:
            cause = "no active turn" if what.loaded else "thread not found"
            self.refused(cause, who, methods.TURN_STEER, asked)
            what.revive()
        else:
            self.world.do(who.call, methods.TURN_STEER, asked)
            what.steered.append(word)

    @rule(thread=some)
    def release(self, thread: int) -> None:
        _, what = self.pick(0, thread)
        if what.word is None or what.word.startswith("sleep"):
            return
        word = what.word
        self.world.open_gate(word)
        if word.startswith("hold"):
            what.answers()
        self.go_on(what)

    @rule(client=some, thread=some)
    def interrupt(self, client: int, thread: int) -> None:
        who, what = self.pick(client, thread)
        turn_id = what.turns[-1].id if what.turns else what.id
        asked = TurnInterruptParams(what.id, turn_id or what.id)
        if what.word is None:
            cause = "no active turn" if what.loaded else "thread not found"
            self.refused(cause, who, methods.TURN_INTERRUPT, asked)
            what.revive()
        else:
            self.world.do(who.call, methods.TURN_INTERRUPT, asked)
            self.ended(what, "interrupted")

    @rule(client=some, thread=some, count=st.integers(1, 3))
    def roll_back(self, client: int, thread: int, count: int) -> None:
        who, what = self.pick(client, thread)
        asked = ThreadRollbackParams(count, what.id)
        if not what.loaded:
            self.refused("thread not found", who, methods.THREAD_ROLLBACK, asked)
        elif what.word is not None or not what.stored:
            self.refused("rollback", who, methods.THREAD_ROLLBACK, asked)
            what.broken = True
        else:
            what.roll_back(count)
            left = self.world.do(who.call, methods.THREAD_ROLLBACK, asked).thread
            self.compare(what, left.turns)
            what.revive()

    @rule(client=some, thread=some)
    def compact(self, client: int, thread: int) -> None:
        who, what = self.pick(client, thread)
        asked = ThreadCompactStartParams(what.id)
        if not what.loaded:
            self.refused("thread not found", who, methods.THREAD_COMPACT_START, asked)
            return
        summaries = self.world.oracle.summaries
        self.world.do(who.call, methods.THREAD_COMPACT_START, asked)
        if what.word is not None:
            self.ended(what, "interrupted")
        what.begin("")
        self.world.until(lambda: self.world.oracle.summaries > summaries, "a request for a summary")
        what.compact()
        what.end("completed")
        self.quiet(what)

    @rule(client=some, thread=some)
    def inject(self, client: int, thread: int) -> None:
        who, what = self.pick(client, thread)
        word = f"injected {self.number()}"
        part = {"type": "input_text", "text": word}
        item = {"type": "message", "role": "user", "content": [part]}
        asked = ThreadInjectItemsParams([item], what.id)
        if not what.loaded:
            self.refused("thread not found", who, methods.THREAD_INJECT_ITEMS, asked)
            return
        self.world.do(who.call, methods.THREAD_INJECT_ITEMS, asked)
        what.learns(word)
        what.revive()

    @rule(thread=some)
    def kill_worker(self, thread: int) -> None:
        _, what = self.pick(0, thread)
        if not what.loaded or not what.stored or what.dead:
            return
        assert self.world.kill_holder(what.path)
        if what.word is not None:
            self.ended(what, "interrupted", "failed", told="failed", broken=True)
        what.broken = what.dead = True
        self.quiet(what)


class HastyThreads(Threads):
    """What nobody listens to is unloaded at once."""

    grace_seconds = 0


TestThreads = Threads.TestCase
TestThreads.settings = SETTINGS
TestHastyThreads = HastyThreads.TestCase
TestHastyThreads.settings = SETTINGS
