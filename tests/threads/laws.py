"""The laws of threads: what each step waits for and what is true after it.

A step of the state machine notes what it expects in `expected` threads; here it is compared with
what clients are told, with what is listed and read, and with what the model is asked.
"""

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from protocol import methods
from protocol.errors import RpcError
from protocol.item import AgentMessage, TextInput, UserMessage
from protocol.thread import ThreadListParams, ThreadLoadedListParams, ThreadReadParams
from protocol.turn import Turn
from tests.client import Client
from tests.threads.expected import ExpectedThread
from tests.threads.world import World, world

some = st.integers(0, 11)


class Laws(RuleBasedStateMachine):
    """One world, and the threads that should be in it."""

    grace_seconds = 1800

    @initialize()
    def begin(self) -> None:
        self.folder = TemporaryDirectory(prefix="atrio-threads-")
        self.opened = world(Path(self.folder.name), self.grace_seconds)
        self.world: World = self.opened.__enter__()
        self.threads: list[ExpectedThread] = []
        self.numbers = 0
        self.touched: ExpectedThread | None = None
        self.unheard: Counter[str] = Counter()  # turns that began for clients who then left
        self.begun()

    def begun(self) -> None:
        """What a world should have from the beginning."""
        raise NotImplementedError

    def teardown(self) -> None:
        if hasattr(self, "opened"):
            with self.folder:
                self.opened.__exit__(None, None, None)

    # ---- who is who

    def known(self) -> list[ExpectedThread]:
        return [thread for thread in self.threads if thread.stored or thread.loaded]

    def client(self, number: int) -> Client:
        return self.world.clients[number % len(self.world.clients)]

    def pick(self, client: int, thread: int) -> tuple[Client, ExpectedThread]:
        """Whom and what numbers mean: any number will do, so that steps do not depend on luck."""
        who = self.client(client)
        known = self.known() or [self.start_for(who)]
        self.touched = known[thread % len(known)]
        return who, self.touched

    def start_for(self, who: Client) -> ExpectedThread:
        started = self.world.do(who.start)
        assert started.path is not None
        self.threads.append(ExpectedThread(started.id, path=started.path, subscribers={who}))
        return self.threads[-1]

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def refused(self, cause: str, who: Client, row: Any, params: Any) -> None:
        with pytest.raises(RpcError, match=cause):
            self.world.do(who.call, row, params)

    # ---- what follows

    def work(self, what: ExpectedThread) -> None:
        """The model has been asked for what it should do now: see what it knows, and go on."""
        word = what.word
        assert word is not None
        heard = self.world.oracle.heard
        self.world.until(lambda: word in heard, f"a request that says {word}")
        if what.context is None:
            what.context = self.plausible(what, heard[word])
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

    def plausible(self, what: ExpectedThread, heard: list[str]) -> list[str]:
        """What the model was told, when all that is known is what clients can read."""
        said = [word for turn in what.turns for word in turn.said if not word.startswith("answer")]
        assert [word for word in heard if word in said] == said
        return [*heard]

    def go_on(self, what: ExpectedThread) -> None:
        """The model has said its word: it hears what came meanwhile, or the turn is over."""
        if not what.steered:
            self.ended(what, "completed")
            return
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
        """Nothing is said of a turn behind its end, and each item begins once."""
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
        asked = ThreadReadParams(what.id, include_turns=what.stored)

        async def is_so() -> bool:
            shown = (await client.call(methods.THREAD_READ, asked)).thread
            running = [turn for turn in shown.turns if turn.status == "inProgress"]
            return kind(shown.status) == what.status and bool(running) == bool(what.word)

        if what.loaded and not self.is_leaving(what):
            self.world.wait(is_so, f"{what.id} to be {what.status}")
        self.settle()

    def is_leaving(self, what: ExpectedThread) -> bool:
        """Without a grace period what nobody listens to is unloaded at once."""
        is_idle = what.loaded and not what.subscribers and what.word is None
        return is_idle and not self.grace_seconds

    def settle(self) -> None:
        for thread in self.threads:
            if self.is_leaving(thread):
                self.world.wait(lambda t=thread: self.is_unloaded(t), "a thread to be unloaded")
                thread.unload()

    async def is_unloaded(self, what: ExpectedThread) -> bool:
        client = self.world.clients[0]
        loaded = await client.call(methods.THREAD_LOADED_LIST, ThreadLoadedListParams())
        return what.id not in loaded.data

    # ---- what is always true

    @invariant()
    def lists_are_right(self) -> None:
        call = self.world.clients[-1].call
        loaded = self.world.do(call, methods.THREAD_LOADED_LIST, ThreadLoadedListParams()).data
        assert set(loaded) == {thread.id for thread in self.threads if thread.loaded}
        for archived in (False, True):
            asked = ThreadListParams(archived=archived, limit=100)
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
        what = self.touched
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

    async def is_told(self, what: ExpectedThread, answer: str) -> bool:
        asked = ThreadReadParams(what.id, include_turns=True)
        shown = await self.world.clients[0].call(methods.THREAD_READ, asked)
        return answer in texts(shown.thread.turns[-1])


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
