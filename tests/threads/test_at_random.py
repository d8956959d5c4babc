"""Whatever clients do to threads, in whatever order, and whatever dies meanwhile: what must be true
of them is true.

ATRIO_EXAMPLES=500 makes it a long run, whose steps then differ from run to run; hypothesis' own
`--hypothesis-seed` repeats one.
"""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from protocol import methods
from protocol.errors import RpcError
from protocol.item import AgentMessage, TextInput, UserMessage
from protocol.loading import ThreadForkParams, ThreadResumeParams
from protocol.maintenance import (
    ThreadCompactStartParams,
    ThreadInjectItemsParams,
    ThreadRollbackParams,
)
from protocol.thread import (
    ThreadArchiveParams,
    ThreadListParams,
    ThreadLoadedListParams,
    ThreadReadParams,
    ThreadSetNameParams,
    ThreadUnarchiveParams,
    ThreadUnsubscribeParams,
)
from protocol.turn import Turn, TurnInterruptParams, TurnSteerParams
from tests.client import Client
from tests.threads.expected import ExpectedThread
from tests.threads.world import World, world

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
some = st.integers(0, 11)


class Threads(RuleBasedStateMachine):
    """Each rule does one thing, waits for all that must follow, and notes what is true now."""

    grace_seconds = 1800

    @initialize()
    def begin(self) -> None:
        self.folder = TemporaryDirectory(prefix="atrio-threads-")
        self.opened = world(Path(self.folder.name), self.grace_seconds)
        self.world: World = self.opened.__enter__()
        self.threads: list[ExpectedThread] = []
        self.numbers = 0
        self.touched: ExpectedThread | None = None
        self.join()
        self.start(0)

    def teardown(self) -> None:
        if hasattr(self, "opened"):
            self.opened.__exit__(None, None, None)
            self.folder.cleanup()

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

    @precondition(lambda self: len(self.known()) < MANY_THREADS)
    @rule(client=some)
    def start(self, client: int) -> None:
        who = self.client(client)
        started = self.world.do(who.start)
        self.threads.append(ExpectedThread(started.id, path=started.path, subscribers={who}))

    @rule(client=some, thread=some)
    def resume(self, client: int, thread: int) -> None:
        who, what = self.pick(client, thread)
        if what is None:
            return
        asked = ThreadResumeParams(thread_id=what.id)
        if not what.stored or (what.archived and not what.loaded):
            return self.refused("no rollout found", who, methods.THREAD_RESUME, asked)
        if not what.loaded or what.dead:
            what.broken = False
        resumed = self.world.do(who.call, methods.THREAD_RESUME, asked).thread
        what.loaded, what.dead = True, False
        what.subscribers.add(who)
        self.compare(what, resumed.turns)

    @precondition(lambda self: len(self.known()) < MANY_THREADS)
    @rule(client=some, thread=some)
    def fork(self, client: int, thread: int) -> None:
        who, what = self.pick(client, thread)
        if what is None:
            return
        asked = ThreadForkParams(thread_id=what.id)
        if not what.stored:
            return self.refused("no rollout found", who, methods.THREAD_FORK, asked)
        forked = self.world.do(who.call, methods.THREAD_FORK, asked).thread
        copy = what.fork(forked.id, who)
        copy.path = forked.path or ""
        self.threads.append(copy)
        self.compare(copy, forked.turns)

    @rule(client=some, thread=some)
    def archive(self, client: int, thread: int) -> None:
        who, what = self.pick(client, thread)
        if what is None:
            return
        asked = ThreadArchiveParams(what.id)
        if what.archived or not what.stored:
            return self.refused("no rollout found", who, methods.THREAD_ARCHIVE, asked)
        self.world.do(who.call, methods.THREAD_ARCHIVE, asked)
        if what.word is not None:
            self.ended(what, "interrupted")
        what.unload()
        what.archived = True

    @rule(client=some, thread=some)
    def unarchive(self, client: int, thread: int) -> None:
        who, what = self.pick(client, thread)
        if what is None:
            return
        asked = ThreadUnarchiveParams(what.id)
        if not what.archived:
            return self.refused("no archived rollout", who, methods.THREAD_UNARCHIVE, asked)
        what.path = self.world.do(who.call, methods.THREAD_UNARCHIVE, asked).thread.path or ""
        what.archived = False

    @rule(client=some, thread=some)
    def unsubscribe(self, client: int, thread: int) -> None:
        who, what = self.pick(client, thread)
        if what is None:
            return
        asked = ThreadUnsubscribeParams(what.id)
        status = self.world.do(who.call, methods.THREAD_UNSUBSCRIBE, asked).status
        listened = "unsubscribed" if who in what.subscribers else "notSubscribed"
        assert status == (listened if what.loaded else "notLoaded")
        what.subscribers.discard(who)
        self.settle()

    @rule(client=some, thread=some)
    def name(self, client: int, thread: int) -> None:
        who, what = self.pick(client, thread)
        if what is not None:
            what.name = f"name {self.number()}"
            asked = ThreadSetNameParams(what.name, what.id)
            self.world.do(who.call, methods.THREAD_NAME_SET, asked)

    # ---- turns

    @rule(client=some, thread=some, verb=st.sampled_from(VERBS))
    def turn(self, client: int, thread: int, verb: str) -> None:
        who, what = self.pick(client, thread)
        if what is None:
            return
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
        if what is None:
            return
        word = f"{verb} {self.number()}"
        turn_id = what.turns[-1].id if what.turns else what.id
        asked = TurnSteerParams(turn_id or what.id, [TextInput(word)], what.id)
        if what.word is None:
            cause = "no active turn" if what.loaded else "thread not found"
            self.refused(cause, who, methods.TURN_STEER, asked)
            what.dead = False
        else:
            self.world.do(who.call, methods.TURN_STEER, asked)
            what.steered.append(word)

    @rule(thread=some)
    def release(self, thread: int) -> None:
        _, what = self.pick(0, thread)
        if what is None or what.word is None or what.word.startswith("sleep"):
            return
        word = what.word
        self.world.oracle.gates[word].set()
        if word.startswith("hold"):
            what.answers()
        self.go_on(what)

    @rule(client=some, thread=some)
    def interrupt(self, client: int, thread: int) -> None:
        who, what = self.pick(client, thread)
        if what is None:
            return
        turn_id = what.turns[-1].id if what.turns else what.id
        asked = TurnInterruptParams(what.id, turn_id or what.id)
        if what.word is None:
            cause = "no active turn" if what.loaded else "thread not found"
            self.refused(cause, who, methods.TURN_INTERRUPT, asked)
            what.dead = False
        else:
            self.world.do(who.call, methods.TURN_INTERRUPT, asked)
            self.ended(what, "interrupted")

    @rule(client=some, thread=some, count=st.integers(1, 3))
    def roll_back(self, client: int, thread: int, count: int) -> None:
        who, what = self.pick(client, thread)
        if what is None:
            return
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
            what.dead = False

    @rule(client=some, thread=some)
    def compact(self, client: int, thread: int) -> None:
        who, what = self.pick(client, thread)
        if what is None:
            return
        asked = ThreadCompactStartParams(what.id)
        if not what.loaded:
            return self.refused("thread not found", who, methods.THREAD_COMPACT_START, asked)
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
        if what is None:
            return
        word = f"injected {self.number()}"
        part = {"type": "input_text", "text": word}
        item = {"type": "message", "role": "user", "content": [part]}
        asked = ThreadInjectItemsParams([item], what.id)
        if not what.loaded:
            return self.refused("thread not found", who, methods.THREAD_INJECT_ITEMS, asked)
        self.world.do(who.call, methods.THREAD_INJECT_ITEMS, asked)
        what.context.append(word)
        what.dead = False

    @rule(thread=some)
    def kill_worker(self, thread: int) -> None:
        _, what = self.pick(0, thread)
        if what is None or not what.loaded or not what.stored or what.dead:
            return
        self.world.kill(self.world.worker_of(what.path))
        if what.word is not None:
            self.ended(what, "interrupted", "failed", told="failed", broken=True)
        what.broken = what.dead = True
        self.quiet(what)

    # ---- what follows

    def work(self, what: ExpectedThread) -> None:
        """The model has been asked for what it should do now: see what it knows, and go on."""
        word = what.word
        assert word is not None
        heard = self.world.oracle.heard
        self.world.until(lambda: word in heard, f"a request that says {word}")
        assert heard[word] == what.context
        match word.partition(" ")[0]:
            case "say" | "run":
                what.answers()
                self.go_on(what)
            case "fail":
                self.ended(what, "failed", broken=True)
            case "linger":
                answer = what.answers()
                self.world.wait(lambda: self.is_told(what, answer), f"{answer} to be told")
            case "sleep":
                self.world.until(lambda: bool(sleepers(word)), f"a command for {word}")
            case _:
                pass

    def go_on(self, what: ExpectedThread) -> None:
        """The model has said its word: it hears what came meanwhile, or the turn is over."""
        if not what.steered:
            return self.ended(what, "completed")
        waiting, what.steered = what.steered, []
        for word in waiting:
            what.hears(word)
        self.work(what)

    def ended(
        self, what: ExpectedThread, *readback: str, told: str | None = None, broken: bool = False
    ) -> None:
        """The turn is over: each subscriber is told so once, nobody else is, nothing runs on."""
        word = what.word
        turn = what.end(*readback, broken=broken)

        def ends(client: Client) -> list[str]:
            return [
                heard.params.turn.status
                for heard in client.heard
                if heard.method == methods.TURN_COMPLETED.name and heard.params.turn.id == turn.id
            ]

        for client in what.subscribers:
            self.world.until(lambda c=client: bool(ends(c)), f"turn/completed after {word}")
        self.quiet(what)
        self.world.caught_up()
        for client in self.world.clients:
            expected = [told or readback[0]] if client in what.subscribers else []
            assert ends(client) == expected
            self.check_order(client, turn.id)
        if word and word.startswith("sleep"):
            self.world.until(lambda: not sleepers(word), f"the end of the command of {word}")

    def check_order(self, client: Client, turn_id: str) -> None:
        """Nothing is said of a turn behind its end, and of an item that ends not before it begins."""
        begun: Counter[str] = Counter()
        over = False
        for heard in client.heard:
            if getattr(heard.params, "turn_id", None) != turn_id:
                is_end = heard.method == methods.TURN_COMPLETED.name
                over = over or (is_end and heard.params.turn.id == turn_id)
                continue
            assert not over or heard.method == methods.THREAD_TOKEN_USAGE_UPDATED.name, heard
            if heard.method == methods.ITEM_STARTED.name:
                begun[heard.params.item.id] += 1
                assert begun[heard.params.item.id] == 1, heard

    def quiet(self, what: ExpectedThread) -> None:
        """Wait until the thread is said to be what it should be by now."""
        client = self.world.clients[0]
        asked = ThreadReadParams(what.id)

        async def status() -> bool:
            if what.loaded:
                shown = (await client.call(methods.THREAD_READ, asked)).thread.status
                return kind(shown) == what.status
            return True

        self.world.wait(status, f"{what.id} to be {what.status}")
        self.settle()

    def settle(self) -> None:
        """Without a grace period what nobody listens to is unloaded at once."""
        if self.grace_seconds:
            return
        for thread in self.threads:
            if thread.loaded and not thread.subscribers and thread.word is None:
                self.world.wait(lambda t=thread: self.is_unloaded(t), "a thread to be unloaded")
                thread.unload()

    async def is_unloaded(self, what: ExpectedThread) -> bool:
        client = self.world.clients[0]
        loaded = await client.call(methods.THREAD_LOADED_LIST, ThreadLoadedListParams())
        return what.id not in loaded.data

    # ---- what is always true

    @invariant()
    def lists_are_right(self) -> None:
        if not hasattr(self, "opened"):
            return
        call = self.world.clients[-1].call
        loaded = self.world.do(call, methods.THREAD_LOADED_LIST, ThreadLoadedListParams()).data
        assert set(loaded) == {thread.id for thread in self.threads if thread.loaded}
        for archived in (False, True):
            asked = ThreadListParams(archived=archived)
            listed = self.world.do(call, methods.THREAD_LIST, asked).data
            shown = {(t.id, t.name, t.preview, kind(t.status)) for t in listed}
            assert len(listed) == len(shown)
            assert shown == {
                (thread.id, thread.name, thread.preview, thread.status)
                for thread in self.threads
                if thread.stored and thread.archived == archived
            }

    @invariant()
    def the_touched_thread_reads_back(self) -> None:
        what = getattr(self, "touched", None)
        if what is None:
            return
        call = self.world.clients[-1].call
        asked = ThreadReadParams(what.id, include_turns=what.stored)
        if not what.stored and not what.loaded:
            with pytest.raises(RpcError, match="thread not loaded"):
                self.world.do(call, methods.THREAD_READ, asked)
            return
        shown = self.world.do(call, methods.THREAD_READ, asked).thread
        assert (kind(shown.status), shown.name) == (what.status, what.name)
        if what.stored:
            self.compare(what, shown.turns)

    def compare(self, what: ExpectedThread, turns: list[Turn]) -> None:
        expected = [turn.said for turn in what.turns]
        assert [texts(turn) for turn in turns] == expected
        for turn, wanted in zip(turns, what.turns, strict=True):
            wanted.id = wanted.id or turn.id
            assert turn.id == wanted.id
            assert turn.status in wanted.readback, (turn.id, turn.status, wanted.readback)

    # ---- small things

    async def is_told(self, what: ExpectedThread, answer: str) -> bool:
        asked = ThreadReadParams(what.id, include_turns=True)
        shown = await self.world.clients[0].call(methods.THREAD_READ, asked)
        return answer in texts(shown.thread.turns[-1])

    def known(self) -> list[ExpectedThread]:
        return [thread for thread in self.threads if thread.stored or thread.loaded]

    def client(self, number: int) -> Client:
        return self.world.clients[number % len(self.world.clients)]

    def pick(self, client: int, thread: int) -> tuple[Client, ExpectedThread | None]:
        known = self.known()
        self.touched = known[thread % len(known)] if known else None
        return self.client(client), self.touched

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def refused(self, cause: str, who: Client, row, params) -> None:
        with pytest.raises(RpcError, match=cause):
            self.world.do(who.call, row, params)


class HastyThreads(Threads):
    """What nobody listens to is unloaded at once."""

    grace_seconds = 0


def kind(status) -> str:
    return type(status).__struct_config__.tag


def texts(turn: Turn) -> list[str]:
    said: list[str] = []
    for item in turn.items:
        match item:
            case UserMessage():
                said += [part.text for part in item.content if isinstance(part, TextInput)]
            case AgentMessage():
                said.append(item.text)
            case _:
                pass
    return said


def sleepers(word: str) -> list[int]:
    """The commands that `sleep N` has the model run."""
    seconds = f"6{word.partition(' ')[2]}"
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if process.info["cmdline"] == ["sleep", seconds]
    ]


TestThreads = Threads.TestCase
TestThreads.settings = SETTINGS
TestHastyThreads = HastyThreads.TestCase
TestHastyThreads.settings = SETTINGS
