"""OpenAI's Python SDK starts our server and works with it, as its users' programs do."""

import os
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
import trio

from tests.server import ATRIO, END_SECONDS
from workers.scripted import Message, ToolCall

pytestmark = pytest.mark.clients

PROGRAM_SECONDS = 30.0  # for one program of a test: its imports alone take one
OPENING = f"""
import json, os, sys
from openai_codex import Codex, CodexConfig, Sandbox
from openai_codex.client import CodexClient

config = CodexConfig(codex_bin={ATRIO!r}, cwd=os.getcwd())
argument = sys.argv[1:]

def told(value):
    print(json.dumps(value))
"""


class Programs:
    """Runs programs written against the SDK, each in a process of its own."""

    def __init__(self, sdk: Path, home: Path, project: Path) -> None:
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(sdk),
            "CODEX_HOME": str(home),
            "HOME": str(home),  # a command's login shell reads no profile of this machine
        }
        self._project = project

    async def __call__(self, program: str, *arguments: str) -> Any:
        """Return what the program told."""
        with trio.fail_after(PROGRAM_SECONDS):
            done = await trio.run_process(
                [sys.executable, "-c", OPENING + program, *arguments],
                capture_stdout=True, cwd=self._project, env=self._environment,
            )  # fmt: skip
        return msgspec.json.decode(done.stdout)

    async def gone(self) -> None:
        """Return once no server of theirs, nor anything below it, is left."""
        with trio.fail_after(END_SECONDS):
            while self._left():
                await trio.sleep(0.05)

    def _left(self) -> list[int]:
        home = self._environment["CODEX_HOME"]
        return [
            process.pid
            for process in psutil.process_iter(["environ"])
            if (process.info["environ"] or {}).get("CODEX_HOME") == home
        ]


@pytest.fixture
async def run(python_sdk: Path, home: Path, project: Path) -> AsyncGenerator[Programs]:
    run = Programs(python_sdk, home, project)
    yield run
    await run.gone()


async def test_a_turn_streams_and_the_next_one_knows_it(run, provider):
    """The SDK's README: thread_start, turn().stream() and run() are the first things shown."""
    provider.says(Message("One two three.", pause=0))
    provider.says("And four.")
    told = await run("""
with Codex(config) as codex:
    thread = codex.thread_start()
    events = list(thread.turn("Count to three.").stream())
    second = thread.run("Go on.")
    told({
        "methods": [event.method for event in events],
        "deltas": [event.payload.delta for event in events if event.method.endswith("/delta")],
        "second": second.final_response,
    })
""")

    assert told["deltas"] == ["One ", "two ", "three."]
    assert told["methods"][0] == "turn/started"
    assert told["methods"][-1] == "turn/completed"
    assert told["second"] == "And four."
    said = ["Count to three.", "One two three.", "Go on."]
    assert [text for text in _texts(provider.requests[1]) if text in said] == said


async def test_every_answer_and_notification_of_a_turn_is_of_a_shape_that_the_sdk_knows(
    run, provider
):
    """The SDK hands over as UnknownNotification what its generated models refuse."""
    provider.says(ToolCall("exec_command", {"cmd": "echo made"}))
    provider.says("Done.")
    told = await run("""
with Codex(config) as codex:
    metadata, account = codex.metadata, codex.account()
    thread = codex.thread_start()
    events = list(thread.turn("Make it.").stream())
    told({
        "server": [metadata.serverInfo.name, metadata.serverInfo.version.split()[0]],
        "account": [account.account, account.requires_openai_auth],
        "models": [model.id for model in codex.models().data if model.is_default],
        "threads": [listed.id == thread.id for listed in codex.thread_list().data],
        "turns": [len(turn.items) for turn in thread.read(include_turns=True).thread.turns],
        "unknown": [e.method for e in events if type(e.payload).__name__ == "UnknownNotification"],
    })
""")

    assert told == {
        "server": ["codex_python_sdk", "0.130.0"],
        "account": [None, False],
        "models": ["gpt-5.5"],
        "threads": [True],
        "turns": [3],
        "unknown": [],
    }


@pytest.mark.parametrize("decision", ["accept", "decline"])
async def test_the_sdk_s_handler_decides_about_a_command(run, provider, project, decision):
    """The SDK's CodexClient: `approval_handler` is called with each question of the server."""
    provider.says(ToolCall("exec_command", {"cmd": "touch made"}))
    provider.says("I tried.")
    told = await run(
        """
asked = []

def approve(method, params):
    asked.append([method, params["command"]])
    return {"decision": argument[0]}

with CodexClient(config, approval_handler=approve) as client:
    client.initialize()
    thread = client.thread_start({"approvalPolicy": "untrusted"}).thread
    deltas = [event.delta for event in client.stream_text(thread.id, "Make it.")]
    told({"asked": asked, "text": "".join(deltas)})
""",
        decision,
    )

    assert told["asked"] == [
        ["item/commandExecution/requestApproval", "/bin/bash -lc 'touch made'"]
    ]
    assert told["text"] == "I tried."
    assert (project / "made").exists() == (decision == "accept")


async def test_another_process_resumes_the_thread(run, provider):
    """The SDK's README: thread_resume takes the id of a thread of an earlier program."""
    provider.says("My name is Atrio.")
    provider.says("As I said: Atrio.")
    id = await run("""
with Codex(config) as codex:
    thread = codex.thread_start()
    thread.run("Who are you?")
    told(thread.id)
""")
    await run.gone()
    told = await run(
        """
with Codex(config) as codex:
    thread = codex.thread_resume(argument[0])
    before = thread.read(include_turns=True).thread.turns
    result = thread.run("Who?")
    told({
        "id": thread.id,
        "before": [item.root.type for turn in before for item in turn.items],
        "answer": result.final_response,
    })
""",
        id,
    )

    assert told == {
        "id": id,
        "before": ["userMessage", "agentMessage"],
        "answer": "As I said: Atrio.",
    }
    said = ["Who are you?", "My name is Atrio.", "Who?"]
    assert [text for text in _texts(provider.requests[1]) if text in said] == said


def _texts(request: dict[str, Any]) -> list[str]:
    """What the model was told, piece by piece."""
    return [
        part["text"]
        for item in request["input"]
        if item["type"] == "message"
        for part in item["content"]
    ]
