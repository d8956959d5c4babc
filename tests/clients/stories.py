"""A thread with a bit of everything, told to either server, and what a server then says of it."""

import base64
import struct
import zlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import trio

from protocol.dynamic import DynamicToolCallResponse
from protocol.item import AgentMessage, ImageInput, LocalImageInput, TextInput
from protocol.loading import ThreadForkParams, ThreadResumeParams
from protocol.maintenance import (
    ThreadCompactStartParams,
    ThreadMetadataGitInfoUpdateParams,
    ThreadMetadataUpdateParams,
    ThreadRollbackParams,
)
from protocol.methods import (
    DYNAMIC_TOOL_CALL,
    ITEM_COMPLETED,
    NOTIFICATIONS,
    REVIEW_START,
    THREAD_COMPACT_START,
    THREAD_FORK,
    THREAD_LIST,
    THREAD_METADATA_UPDATE,
    THREAD_NAME_SET,
    THREAD_READ,
    THREAD_RESUME,
    THREAD_ROLLBACK,
    TURN_COMPLETED,
    TURN_INTERRUPT,
    TURN_START,
)
from protocol.review import Custom, ReviewStartParams
from protocol.thread import (
    DynamicToolSpec,
    Thread,
    ThreadListParams,
    ThreadReadParams,
    ThreadSetNameParams,
)
from protocol.turn import TurnInterruptParams, TurnStartParams, TurnStatus
from tests.client import Client, Pipes
from tests.model import Model
from tests.server import serving
from workers.scripted import Message, Patch, Reasoning, Tokens, ToolCall

REFUSED = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 5\r\nconnection: close\r\n\r\nfail!"
ADD = "*** Begin Patch\n*** Add File: notes.txt\n+a note\n*** End Patch\n"
CHANGE = "*** Begin Patch\n*** Update File: notes.txt\n@@\n-a note\n+another\n*** End Patch\n"
PLAN = {"plan": [{"step": "Look", "status": "completed"}]}
KEPT = ("commandExecution", "imageView", "dynamicToolCall")
LOOKUP = DynamicToolSpec(description="Looks up.", input_schema={"type": "object"}, name="lookup")


def picture() -> bytes:
    """A PNG of two by two pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        whole = kind + data
        return struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))

    head = struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0\xff\0\0\0\xff\0" * 2)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


class Listener(Client):
    """Passes over what only the reference server says."""

    def _hear_method(self, method: str, params: bytes, id: int | str | None) -> None:
        if id is not None or method in NOTIFICATIONS:
            super()._hear_method(method, params, id)


@asynccontextmanager
async def talking(program: str, home: Path, project: Path) -> AsyncGenerator[Listener]:
    """A client of a server of its own, which ends at the end."""
    async with (
        serving(home, project, program=program) as server,
        trio.open_nursery() as nursery,
    ):
        client = Listener(Pipes(server.process))
        nursery.start_soon(client.listen)
        await client.initialize()
        yield client
        await server.end()
        nursery.cancel_scope.cancel()


class Story:
    """Tells it.  `thread` has gone through everything, `fork` and `review` are others."""

    def __init__(self, client: Listener, model: Model, project: Path) -> None:
        self._client, self._model, self._project = client, model, project
        self.thread = self.fork = self.review = ""

    async def tell(self) -> None:
        started = await self._client.start(dynamic_tools=[LOOKUP])
        self.thread = started.id
        await self._work()
        await self._go_wrong()
        await self._shorten()
        await self._label()
        await self._branch()

    async def _turn(self, thread: str, text: str, *inputs: Any, **params: Any) -> TurnStatus:
        said = [TextInput(text), *inputs]
        await self._client.call(TURN_START, TurnStartParams(thread_id=thread, input=said, **params))
        return await self._ended(thread)

    async def _ended(self, thread: str) -> TurnStatus:
        done = await self._client.next(TURN_COMPLETED, lambda done: done.thread_id == thread)
        return done.turn.status

    async def _work(self) -> None:
        says = self._model.says
        says(
            Reasoning("I think.", 0), Message("I look.", 0), ToolCall("exec_command", {"cmd": "ls"})
        )
        says(Patch(ADD))
        says(ToolCall("update_plan", PLAN))
        says("First answer")
        assert await self._turn(self.thread, "First question") == "completed"
        image = self._project / "picture.png"
        image.write_bytes(picture())
        url = f"data:image/png;base64,{base64.b64encode(picture()).decode()}"
        says(ToolCall("view_image", {"path": str(image)}))
        says("Seen")
        looked = [LocalImageInput(str(image)), TextInput("and this"), ImageInput(url)]
        assert await self._turn(self.thread, "Look: ", *looked) == "completed"
        says(ToolCall("lookup", {"key": "it"}))
        says("Looked up")
        await self._client.begin(self.thread, "Dynamic question")
        id, _ = await self._client.question(DYNAMIC_TOOL_CALL)
        found = b'{"contentItems":[{"type":"inputText","text":"found"}],"success":true}'
        await self._client.answer(id, msgspec.json.decode(found, type=DynamicToolCallResponse))
        assert await self._ended(self.thread) == "completed"

    async def _go_wrong(self) -> None:
        self._model.sends(REFUSED)
        assert await self._turn(self.thread, "Failing question") == "failed"
        self._model.says("Partial answer", trio.Event())
        turn = await self._client.begin(self.thread, "Interrupted question")
        await self._client.next(
            ITEM_COMPLETED,
            lambda done: done.turn_id == turn.id and isinstance(done.item, AgentMessage),
        )
        await self._client.call(TURN_INTERRUPT, TurnInterruptParams(self.thread, turn.id))
        assert await self._ended(self.thread) == "interrupted"
        self._model.says(Patch(CHANGE))
        self._model.says("Second answer")
        assert await self._turn(self.thread, "Second question") == "completed"

    async def _shorten(self) -> None:
        self._model.says("Taken back")
        await self._turn(self.thread, "To be taken back")
        await self._roll_back()
        self._model.says("The summary.")
        await self._client.call(THREAD_COMPACT_START, ThreadCompactStartParams(self.thread))
        assert await self._ended(self.thread) == "completed"
        self._model.says(Message("Third answer", 0), Tokens(input=100, cached=20, output=10))
        assert await self._turn(self.thread, "Third question") == "completed"

    async def _roll_back(self) -> None:
        """The reference server may say that a turn is over a moment before it is."""
        with trio.fail_after(10):
            while True:
                try:
                    asked = ThreadRollbackParams(1, self.thread)
                    await self._client.call(THREAD_ROLLBACK, asked)
                except Exception as refused:  # noqa: BLE001 - any refusal is told again at the end
                    assert "in progress" in str(refused), refused
                else:
                    return

    async def _label(self) -> None:
        call = self._client.call
        await call(THREAD_NAME_SET, ThreadSetNameParams("Named", self.thread))
        change = ThreadMetadataGitInfoUpdateParams(branch="topic", sha="abc")
        await call(THREAD_METADATA_UPDATE, ThreadMetadataUpdateParams(self.thread, change))

    async def _branch(self) -> None:
        call = self._client.call
        forked = await call(THREAD_FORK, ThreadForkParams(thread_id=self.thread))
        self.fork = forked.thread.id
        self._model.says("Fork answer")
        await self._turn(self.fork, "Fork question")
        self.review = (await self._client.start()).id
        self._model.says("Before")
        await self._turn(self.review, "Before the review")
        self._model.says(b'{"findings":[],"overall_explanation":"Fine."}'.decode())
        asked = ReviewStartParams(Custom("Look at it"), self.review)
        await call(REVIEW_START, asked)
        await self._ended(self.review)


async def view(client: Listener, model: Model, story: Story) -> dict[str, Any]:
    """What a server that has just started says of the story's threads, and goes on with."""
    listed = (await client.call(THREAD_LIST, ThreadListParams())).data
    seen: dict[str, Any] = {"list": sorted(map(plain, listed), key=lambda thread: thread["id"])}
    for what, id in (("thread", story.thread), ("fork", story.fork), ("review", story.review)):
        asked = ThreadReadParams(id, include_turns=True)
        read = (await client.call(THREAD_READ, asked)).thread
        resumed = (await client.call(THREAD_RESUME, ThreadResumeParams(thread_id=id))).thread
        model.says("Onward")
        await client.begin(id, "Onward?")
        await client.next(TURN_COMPLETED, lambda done: done.turn.status == "completed")
        seen[what] = plain(read)
        seen[f"{what}, resumed"] = plain(resumed)
        seen[f"{what}, told to the model"] = told(model.requests[-1]["input"])
    return seen


def plain(thread: Thread) -> dict[str, Any]:
    """The thread as JSON, without what another home or another moment changes.

    And without the items that only Atrio keeps, so that all others must be the same.
    """
    shown = msgspec.to_builtins(thread)
    del shown["path"], shown["updatedAt"]
    for turn in shown["turns"]:
        turn["items"] = [item for item in turn["items"] if item["type"] not in KEPT]
    return shown


def told(items: list[dict[str, Any]]) -> list[str]:
    """What the model is told: who speaks, and the words; of the servers' own words none."""
    return [line for item in items if (line := _line(item))]


def _line(item: dict[str, Any]) -> str:
    if item["type"] != "message":
        return f"{item['type']} {item.get('name', '')} {item.get('call_id', '')}"
    texts = [part.get("text", "an image") for part in item["content"]]
    own = ("<", "# AGENTS.md", "[Handover]", "Another language model")
    said = [text for text in texts if not text.startswith(own)]
    return f"{item['role']}: {' | '.join(said)}" if said and item["role"] != "developer" else ""
