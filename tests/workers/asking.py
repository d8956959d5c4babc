"""A turn whose clients answer from a list, for tests of approvals."""

import msgspec
import trio

from protocol.approval import (
    AmendingDecision,
    CommandExecutionRequestApprovalResponse,
    ExecpolicyAmendment,
    FileChangeRequestApprovalResponse,
)
from protocol.item import AddChange, FileUpdateChange, UnknownAction
from protocol.methods import COMMAND_APPROVAL, PERMISSIONS_APPROVAL
from protocol.policy import (
    DangerFullAccess,
    GranularApproval,
    GranularSettings,
)
from protocol.settings import Provider, Settings
from workers.approval import Approvals
from workers.approval.command import CommandRequest
from workers.approval.verdict import Verdict
from workers.hooks.runs import Hooks
from workers.hooks.subject import of_patch

ACCEPTED = Verdict(allowed=True, asked=True, agreed=True)
REVIEWED = Verdict(allowed=True, asked=True, agreed=True)
DENIED = Verdict(allowed=False, message="Too risky.", asked=True, reviewed=True)
DECLINED = Verdict(allowed=False, message="rejected by user", asked=True)


class FakeTurn:
    """Answers questions from a list, in order; an exception is raised instead."""

    id = "turn"
    thread_id = "thread"

    def __init__(self, home, *answers, policy="untrusted", sandbox=None):
        self.settings = Settings(
            home=str(home),
            cwd="/work",
            model="m",
            provider=Provider(id="p", name="P"),
            approval_policy=policy,
            sandbox_policy=sandbox or DangerFullAccess(),
        )
        self.approvals = Approvals(self.settings)
        self.hooks = Hooks(None)  # nobody has any
        self.answers = list(answers)
        self.asked = []
        self.reviews = []  # what the reviewing model is going to say
        self.reviewed = []
        self.told = []
        self.advice = []

    async def ask(self, row, params):
        await trio.lowlevel.checkpoint()
        self.asked.append((row, params))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if row is PERMISSIONS_APPROVAL:
            return answer
        if row is COMMAND_APPROVAL:
            return CommandExecutionRequestApprovalResponse(answer)
        return FileChangeRequestApprovalResponse(answer)

    async def review(self, request):
        await trio.lowlevel.checkpoint()
        self.reviewed.append(request)
        return self.reviews.pop(0)

    def advise(self, text, role="user"):
        self.advice.append((role, text))

    def tell(self, row, params):
        self.told.append((row, params))

    async def command(self, script, **more):
        return await self.approvals.commands.permit(self, request(script, **more))

    async def patch(self, *paths, roots_ok=True):
        changes = [FileUpdateChange(diff="x\n", kind=AddChange(), path=path) for path in paths]
        return await self.approvals.patches.permit(self, of_patch("call_1", ""), changes, roots_ok)

    @property
    def question(self):
        """The only question's params, as the client sees them."""
        ((_, params),) = self.asked
        seen = msgspec.to_builtins(params)
        assert isinstance(seen.pop("startedAtMs"), int)
        return seen


def request(script, **more):
    fields = {
        "call_id": "call_1",
        "argv": ["/bin/bash", "-lc", script],
        "display": f"/bin/bash -lc '{script}'",
        "cwd": "/work",
        "actions": [UnknownAction(script)],
    }
    return CommandRequest(**(fields | more))


def amend(*prefix):
    return AmendingDecision(accept_with_execpolicy_amendment=ExecpolicyAmendment(list(prefix)))


def granular(**kinds):
    chosen = {"mcp_elicitations": True, "rules": True, "sandbox_approval": True} | kinds
    return GranularApproval(granular=GranularSettings(**chosen))


def write_rules(home, text):
    folder = home / "rules"
    folder.mkdir()
    (folder / "my.rules").write_text(text)


def prompting(home, *, justified=True):
    justification = ', justification="Because."' if justified else ""
    write_rules(home, f'prefix_rule(pattern=["touch"], decision="prompt"{justification})')
