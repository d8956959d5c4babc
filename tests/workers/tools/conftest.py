"""A turn for tools that run commands: real processes, and clients that only listen."""

import json
from pathlib import Path

import pytest
import trio

from protocol.policy import DangerFullAccess
from protocol.settings import Provider, Settings, ShellEnvironment
from workers.approval import Verdict
from workers.tools import Call
from workers.tools.sessions import Sessions


class CommandTurn:
    """`heard` is what clients are told, in order: (what, item or params)."""

    id = "turn"
    thread_id = "thread"

    def __init__(self, nursery, cwd):
        self.cwd = str(cwd)
        self.sessions = Sessions(nursery)
        self.approvals = self
        self.heard = []
        self.verdict = Verdict(allowed=True)
        self.requests = []
        self.policy = DangerFullAccess()
        self._more = trio.Event()

    @property
    def settings(self):
        return Settings(
            home="/none",
            cwd=self.cwd,
            model="m",
            provider=Provider("p", "p"),
            sandbox_policy=self.policy,
            # Login shells must not run the developer's profile: tests kill them half-way.
            shell_environment=ShellEnvironment(set={"HOME": self.cwd}),
        )

    async def command(self, turn, request):
        """As an approval would: it asks if the verdict says so."""
        self.requests.append(request)
        if isinstance(self.verdict, Exception):
            request.asking()
            raise self.verdict
        if self.verdict.asked:
            request.asking()
            self.heard.append(("asked", request))
        return self.verdict

    def started(self, item):
        self.heard.append(("started", item))

    def completed(self, item):
        self.heard.append(("completed", item))

    def tell(self, row, params):
        self.heard.append((row.name, params))
        self._more.set()

    async def until_output(self, text):
        while text not in self.output():
            self._more = trio.Event()
            await self._more.wait()

    def has(self, name):
        return Path(self.cwd, name).exists()

    def make(self, name):
        Path(self.cwd, name).mkdir()

    def items(self, what):
        return [item for name, item in self.heard if name == what]

    def output(self):
        name = "item/commandExecution/outputDelta"
        return "".join(params.delta for params in self.items(name))

    async def call(self, tool, **arguments):
        return await tool.serve(self, Call("call_1", tool.name, json.dumps(arguments)))


@pytest.fixture
def turn(nursery, tmp_path):
    return CommandTurn(nursery, tmp_path)
