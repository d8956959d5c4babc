"""A turn for tools that run commands: real processes, and clients that only listen."""

import json
from pathlib import Path

import pytest
import trio

from protocol.policy import DangerFullAccess, ReadOnly
from protocol.settings import Provider, Settings, ShellEnvironment
from sandbox import Launch
from sandbox.probe import Missing
from workers.approval.permission import Grants
from workers.approval.verdict import Verdict
from workers.elicitation import Elicitations
from workers.hooks.runs import Hooks
from workers.tools import Call
from workers.tools.sessions import Sessions


class CommandTurn:
    """`heard` is what clients are told, in order: (what, item or params)."""

    id = "turn"
    thread_id = "thread"

    def __init__(self, nursery, cwd):
        self.cwd = str(cwd)
        self.sessions = Sessions(nursery)
        self.network = self
        self.approvals = self.commands = self
        self.grants = Grants()
        self.hooks = Hooks(None)  # nobody has any
        self.features = {}
        self.elicitations = Elicitations()
        self.heard = []
        self.verdict = Verdict(allowed=True)
        self.requests = []
        self.policy = DangerFullAccess()
        self.approval_policy = "never"
        self.second = None  # the verdict on a run without the sandbox
        self.reasons = []  # for asking about one
        self._more = trio.Event()

    @property
    def settings(self):
        return Settings(
            home="/none",
            cwd=self.cwd,
            model="m",
            provider=Provider("p", "p"),
            approval_policy=self.approval_policy,
            sandbox_policy=self.policy,
            features=self.features,
            # Login shells must not run the developer's profile: tests kill them half-way.
            shell_environment=ShellEnvironment(set={"HOME": self.cwd}),
        )

    def join(self, settings, item_id):
        """No network of these turns is managed."""

    async def permit(self, turn, request):
        """As an approval would: it asks if the verdict says so."""
        self.requests.append(request)
        if isinstance(self.verdict, Exception):
            request.asking(False)
            raise self.verdict
        if self.verdict.asked:
            request.asking(False)
            self.heard.append(("asked", request))
        return self.verdict

    async def retry(self, turn, request, first, reason="stopped"):
        """As an approval would: it asks if there is an answer."""
        if self.second is not None:
            self.reasons.append(reason)
            request.asking(False)
        if isinstance(self.second, Exception):
            raise self.second
        return self.second

    def advise(self, text, role="user"):
        self.heard.append(("advised", text))

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
def stingy(turn, monkeypatch):
    """The turn under a sandbox that lets nothing be written; the user may let commands leave it."""

    def plan(policy, argv, cwd, env, profile=None, project=None, namespace=None):
        if not isinstance(policy, DangerFullAccess):
            refuse = "echo tried; echo 'touch: made: Read-only file system' >&2; exit 1"
            argv = ["/bin/sh", "-c", refuse]
        return Launch(argv, cwd, env)

    monkeypatch.setattr("workers.tools.running.plan", plan)
    turn.policy, turn.approval_policy = ReadOnly(), "on-failure"
    return turn


@pytest.fixture
def no_sandbox(monkeypatch):
    """A host that can confine nothing, whatever this one can."""
    monkeypatch.setattr("sandbox.host", lambda: Missing("there is no sandbox here", "Install one."))


@pytest.fixture
def turn(nursery, tmp_path):
    return CommandTurn(nursery, tmp_path)
