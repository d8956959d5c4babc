"""A loaded thread over memory streams, with a model that says what a test tells it to."""

from contextlib import aclosing, asynccontextmanager
from itertools import pairwise

import msgspec
import trio
import trio.testing

from protocol import frames
from protocol.frames import (
    Agent,
    Answered,
    Ask,
    Call,
    CloseAgent,
    Event,
    Refused,
    Reply,
    ResumeAgent,
    StartAgent,
    StartThread,
    TellAgent,
)
from protocol.framing import Frames
from protocol.item import InputTextContent, TextInput
from protocol.methods import TURN_INTERRUPT, TURN_START, TURN_STEER
from protocol.settings import Provider, Settings
from protocol.thread import DynamicToolSpec
from protocol.turn import TurnInterruptParams, TurnStartParams, TurnSteerParams
from workers import birth
from workers.link import Link
from workers.provider import Completed, ItemAdded, ItemDone, TextDelta
from workers.thread import LoadedThread

THREAD_ID = "01999999-0000-7000-8000-000000000000"
ASK = DynamicToolSpec(description="Asks the client.", input_schema={}, name="ask")


def message(text, id="m1", *, cuts=()):
    """The events of a message, whose text comes in pieces."""
    ends = [0, *cuts, len(text)]
    begun = {"type": "message", "role": "assistant", "id": id, "content": []}
    pieces = [text[a:b] for a, b in pairwise(ends) if a < b]
    content = [{"type": "output_text", "text": text}]
    return [
        ItemAdded(dict(begun)),
        *[TextDelta(id, piece) for piece in pieces],
        ItemDone({**begun, "content": content}),
    ]


def call(name, call_id="c1", **arguments):
    """The event of a function call."""
    item = {"type": "function_call", "name": name, "call_id": call_id, "id": f"f-{call_id}"}
    return ItemDone({**item, "arguments": msgspec.json.encode(arguments).decode()})


class Player:
    """A provider: each request gets the next of `responses`, a list of steps.

    A list of events is a batch, an Event holds the stream until it is set, an exception is raised.
    """

    def __init__(self):
        self.responses = []
        self.inputs = []  # of each request
        self.usage = None  # of every response

    @asynccontextmanager
    async def stream(self, request):
        self.inputs.append(list(request.body["input"]))
        async with aclosing(self._play(self.responses.pop(0))) as batches:
            yield batches

    async def _play(self, steps):
        for step in steps:
            match step:
                case trio.Event():
                    await step.wait()
                case Exception():
                    raise step
                case batch:
                    yield batch
        yield [Completed(self.usage)]

    async def aclose(self):
        pass


class Talk:
    """The thread, and what its clients hear: `heard` are (method, params), questions among them.

    `errands` are what it has asked of the supervisor, `fared` how it said it fares as an agent.
    """

    def __init__(self, thread, stream):
        self.thread = thread
        self.model = Player()
        thread.provider = self.model
        self.heard = []
        self.questions = {}
        self.errands = []
        self.fared = []
        self._stream = stream
        self._more = trio.Event()
        self._calls = 0

    async def listen(self):
        splitter = Frames()
        async for data in self._stream:
            for payload in splitter.feed(bytes(data)):
                self._hear(frames.decode_up(payload))
            self._more.set()
            self._more = trio.Event()

    def _hear(self, frame):
        match frame:
            case Event(method=method, body=body):
                self.heard.append((method, msgspec.json.decode(body)["params"]))
            case Ask(k, method, params):
                self.questions[method] = k
                self.heard.append((method, msgspec.json.decode(params)))
            case Reply(_, body):
                self.reply = msgspec.json.decode(body)
            case StartAgent() | TellAgent() | ResumeAgent() | CloseAgent():
                self.errands.append(frame)
            case Agent(_, status, message):
                self.fared.append((status, message))

    def call(self, row, params):
        self._calls += 1
        self.thread.take(Call(self._calls, row.name, msgspec.json.encode(params)))

    def begin(self, text="hello", **overrides):
        said = TurnStartParams(input=[TextInput(text)], thread_id=THREAD_ID, **overrides)
        self.call(TURN_START, said)

    def steer(self, text):
        turn = self.thread.turn.id
        self.call(TURN_STEER, TurnSteerParams(turn, [TextInput(text)], THREAD_ID))

    def interrupt(self):
        self.call(TURN_INTERRUPT, TurnInterruptParams(THREAD_ID, self.thread.turn.id))

    def answer(self, method, result):
        self.thread.take(Answered(self.questions.pop(method), msgspec.json.encode(result)))

    def refuse(self, method):
        self.thread.take(Refused(self.questions.pop(method), "no"))

    def lend(self, text):
        """Answer a call of the client's tool."""
        content = [InputTextContent(text)]
        self.answer("item/tool/call", {"contentItems": content, "success": True})

    async def more(self):
        """Wait until clients have heard more."""
        await self._more.wait()

    async def until(self, method):
        """Wait until clients have heard it; returns the params of the last one."""
        while not (found := self.told(method)):
            await self._more.wait()
        return found[-1]

    async def errand(self, kind):
        """Wait until the supervisor has been asked for this; returns the last one."""
        while not (found := [errand for errand in self.errands if isinstance(errand, kind)]):
            await self._more.wait()
        return found[-1]

    async def turn(self, *responses, text="hello", **overrides):
        """A whole turn."""
        self.model.responses = [*self.model.responses, *responses]
        with trio.fail_after(5):
            self.begin(text, **overrides)
            return await self.until("turn/completed")

    def told(self, method):
        return [params for name, params in self.heard if name == method]

    @property
    def items(self):
        """(started or completed, type, text) of each item and delta, in order."""
        seen = []
        for method, params in self.heard:
            if method in ("item/started", "item/completed"):
                item = params["item"]
                seen.append((method[5:], item["type"], item.get("text")))
            elif method.endswith("elta"):
                seen.append(("delta", method.split("/")[1], params["delta"]))
        return [entry for entry in seen if entry[1] != "userMessage"]

    @property
    def outputs(self):
        """What the last request gave the model for its calls, by call."""
        return {
            item["call_id"]: item["output"]
            for item in self.model.inputs[-1]
            if item["type"].endswith("_output")
        }


def settings(folder, **others):
    return Settings(
        home=str(folder),
        cwd=str(folder),
        model="gpt-5.4",
        provider=Provider("p", "p", wire_api="scripted", stream_max_retries=2),
        **others,
    )


@asynccontextmanager
async def talking(folder, *, ephemeral=True, source="vscode", **others):
    """A thread that is loaded, with one tool of a client's, `ask`."""
    ours, theirs = trio.testing.memory_stream_pair()
    spec = StartThread(
        thread_id=THREAD_ID,
        settings=settings(folder, **others),
        ephemeral=ephemeral,
        source=source,
        dynamic_tools=[ASK],
    )
    async with trio.open_nursery() as nursery:
        link = Link(ours)
        nursery.start_soon(link.write)
        thread = LoadedThread(spec, link, nursery)
        birth.begin(thread)
        talk = Talk(thread, theirs)
        nursery.start_soon(talk.listen)
        yield talk
        nursery.cancel_scope.cancel()
