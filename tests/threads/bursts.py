"""Several things at once to one thread: none waits for another, and any order may come of it.

So little is known of the outcome, and yet: every request is answered, every turn that clients saw
begin is seen to end, and no turn that was over before is lost unless it was taken back.
"""

from collections import Counter
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import rule

from protocol import methods
from protocol.errors import INVALID_REQUEST, RpcError
from protocol.item import TextInput
from protocol.loading import ThreadForkParams, ThreadResumeParams
from protocol.maintenance import (
    ThreadCompactStartParams,
    ThreadInjectItemsParams,
    ThreadRollbackParams,
)
from protocol.row import Method
from protocol.thread import (
    ThreadArchiveParams,
    ThreadListParams,
    ThreadLoadedListParams,
    ThreadReadParams,
    ThreadSetNameParams,
    ThreadUnarchiveParams,
    ThreadUnsubscribeParams,
)
from protocol.turn import Turn, TurnInterruptParams, TurnStartParams, TurnSteerParams
from supervisor.loaded import LOST
from tests.client import Client
from tests.threads.expected import ExpectedThread, ExpectedTurn
from tests.threads.laws import Laws, kind, some, texts

DEEDS = (
    "say", "hold", "linger", "run", "steer", "interrupt", "rollback", "compact", "inject", "name",
    "resume", "fork", "archive", "unarchive", "unsubscribe", "read", "list", "kill",
)  # fmt: skip
Asked = tuple[Client, int, str]


class Bursts(Laws):
    """`burst` is a rule, the rest is how the machine finds out what has come of it."""

    @rule(thread=some, deeds=st.lists(st.tuples(some, st.sampled_from(DEEDS)), min_size=2))
    def burst(self, thread: int, deeds: list[tuple[int, str]]) -> None:
        _, what = self.pick(0, thread)
        done = {deed for _, deed in deeds}
        over = [turn for turn in what.turns if what.stored and "inProgress" not in turn.readback]
        asked = [self.ask(self.client(who), what, deed) for who, deed in deeds if deed != "kill"]
        if "kill" in done:
            self.world.kill_holder(what.path)
        forks = {made for client, id, deed in asked if (made := self.answer(client, id, deed))}
        self.calm(what)
        self.find_out(what)
        assert "rollback" in done or what.turns[: len(over)] == over, "a turn that was over is lost"
        if {"kill", "fork"} <= done:  # who forks has the file open too, and may leave a copy
            forks |= set(self.listed(archived=False)) - {thread.id for thread in self.threads}
        for fork in forks:
            self.threads.append(ExpectedThread(fork))
            self.find_out(self.threads[-1])
        self.world.caught_up()
        for client in self.world.clients:
            self.check_ends(client, what.id, heard_out="unsubscribe" not in done)

    def answer(self, client: Client, id: int, deed: str) -> str | None:
        """Wait for an answer; the id of the thread that a fork has made."""
        answer = self.world.do(client.answer_to, id)
        if answer.error is None:
            made = deed == "fork"
            return methods.THREAD_FORK.decode_result(answer.result).thread.id if made else None
        assert answer.error.code == INVALID_REQUEST or answer.error.message == LOST, answer.error
        return None

    def check_ends(self, client: Client, thread_id: str, *, heard_out: bool) -> None:
        """A turn that was seen to begin ends once, or is no longer listened to."""
        begun, ended = Counter[str](), Counter[str]()
        for heard in client.heard:
            if getattr(heard.params, "thread_id", None) == thread_id:
                if heard.method == methods.TURN_STARTED.name:
                    begun[heard.params.turn.id] += 1
                elif heard.method == methods.TURN_COMPLETED.name:
                    ended[heard.params.turn.id] += 1
        if not heard_out:
            self.unheard |= begun - ended
        assert set((begun | ended).values()) <= {1}
        assert begun - ended <= self.unheard
        for turn_id in begun:
            self.check_order(client, turn_id)

    # ---- asking

    def ask(self, client: Client, what: ExpectedThread, deed: str) -> Asked:
        row, params = self.wish(what, deed)
        return client, self.world.do(client.ask, row.name, msgspec.json.encode(params)), deed

    def wish(self, what: ExpectedThread, deed: str) -> tuple[Method[Any, Any], Any]:
        id, number = what.id, self.number()
        turn_id = (what.turns[-1].id if what.turns else "") or id
        injected = {"type": "message", "role": "user"}
        injected |= {"content": [{"type": "input_text", "text": f"injected {number}"}]}
        match deed:
            case "steer":
                said = [TextInput(f"say {number}")]
                return methods.TURN_STEER, TurnSteerParams(turn_id, said, id)
            case "interrupt":
                return methods.TURN_INTERRUPT, TurnInterruptParams(id, turn_id)
            case "rollback":
                return methods.THREAD_ROLLBACK, ThreadRollbackParams(1, id)
            case "compact":
                return methods.THREAD_COMPACT_START, ThreadCompactStartParams(id)
            case "inject":
                return methods.THREAD_INJECT_ITEMS, ThreadInjectItemsParams([injected], id)
            case "name":
                return methods.THREAD_NAME_SET, ThreadSetNameParams(f"name {number}", id)
            case "resume":
                return methods.THREAD_RESUME, ThreadResumeParams(thread_id=id)
            case "fork":
                return methods.THREAD_FORK, ThreadForkParams(thread_id=id)
            case "archive":
                return methods.THREAD_ARCHIVE, ThreadArchiveParams(id)
            case "unarchive":
                return methods.THREAD_UNARCHIVE, ThreadUnarchiveParams(id)
            case "unsubscribe":
                return methods.THREAD_UNSUBSCRIBE, ThreadUnsubscribeParams(id)
            case "read":
                return methods.THREAD_READ, ThreadReadParams(id, include_turns=True)
            case "list":
                return methods.THREAD_LIST, ThreadListParams()
            case _:
                said = [TextInput(f"{deed} {number}")]
                return methods.TURN_START, TurnStartParams(said, id)

    # ---- what has come of it

    def calm(self, what: ExpectedThread) -> None:
        """Let every turn of the thread end; a command that does not end is interrupted."""
        if (what.word or "").startswith("sleep"):
            who, id, _ = self.ask(self.world.clients[0], what, "interrupt")
            self.world.do(who.answer_to, id)
        self.world.wait(lambda: self.is_calm(what), "the thread to be calm")

    async def is_calm(self, what: ExpectedThread) -> bool:
        """Whether nothing runs, nor will: a turn that waited for another one's end has begun
        when its worker has answered twice.
        """
        held = {thread.word for thread in self.threads if thread is not what}
        for word, gate in list(self.world.oracle.gates.items()):
            if word not in held:
                gate.set()
        seen = [await self.status(what)]
        for _ in range(2):
            await self.visit(what)
            seen.append(await self.status(what))
        return "active" not in seen

    async def visit(self, what: ExpectedThread) -> None:
        """Ask the thread's worker something that it refuses."""
        asked = TurnSteerParams(what.id, [TextInput("nothing")], what.id)
        try:
            await self.world.clients[0].call(methods.TURN_STEER, asked)
        except RpcError as refused:
            assert refused.code == INVALID_REQUEST or refused.message == LOST, refused

    async def status(self, what: ExpectedThread) -> str:
        """Of its turns, if they can be read: a thread may be broken while one of them runs."""
        call = self.world.clients[0].call
        for with_turns in (True, False):
            asked = ThreadReadParams(what.id, include_turns=with_turns)
            try:
                read = (await call(methods.THREAD_READ, asked)).thread
            except RpcError:
                continue
            running = [turn for turn in read.turns if turn.status == "inProgress"]
            return "active" if running else kind(read.status)
        return "notLoaded"

    def find_out(self, what: ExpectedThread) -> None:
        """Take what there is for what should be; nobody listens to it any more."""
        client = self.world.clients[0]
        for listener in self.world.clients:
            self.world.do(
                listener.call, methods.THREAD_UNSUBSCRIBE, ThreadUnsubscribeParams(what.id)
            )
        what.subscribers.clear()
        loaded = self.world.do(client.call, methods.THREAD_LOADED_LIST, ThreadLoadedListParams())
        what.loaded, what.dead, what.word, what.steered = what.id in loaded.data, False, None, []
        self.settle()
        what.archived, what.stored = what.id in self.listed(archived=True), False
        what.stored = what.archived or what.id in self.listed(archived=False)
        if not what.stored and not what.loaded:
            what.turns = []
            return
        asked = ThreadReadParams(what.id, include_turns=what.stored)
        read = self.world.do(client.call, methods.THREAD_READ, asked).thread
        what.name, what.preview, what.path = read.name, read.preview, read.path or ""
        what.broken = kind(read.status) == "systemError"
        what.turns, what.context = [self.turn_read(what, turn) for turn in read.turns], None

    def turn_read(self, what: ExpectedThread, turn: Turn) -> ExpectedTurn:
        """The turn that is known, if it is as it should be, or else one that might be."""
        for known in what.turns:
            if (known.id, known.said) == (turn.id, texts(turn)) and turn.status in known.readback:
                return known
        return ExpectedTurn(turn.id, None, texts(turn), (turn.status,))

    def listed(self, *, archived: bool) -> list[str]:
        asked = ThreadListParams(archived=archived, limit=100)
        listed = self.world.do(self.world.clients[0].call, methods.THREAD_LIST, asked)
        return [thread.id for thread in listed.data]
