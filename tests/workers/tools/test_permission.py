import json

import pytest

from protocol.catalogue import describe
from protocol.grant import Grant, listed
from protocol.policy import ExactPath
from protocol.profile import entry, special
from protocol.settings import Provider, Settings
from workers.approval.permission import Answer
from workers.tools import Call, ToolFailure
from workers.tools.dynamic import DynamicTools
from workers.tools.permission import REQUEST_PERMISSIONS
from workers.tools.registry import offered, serving

ASKED = {"file_system": {"write": ["/work/out"]}, "network": {"enabled": True}}


def settings(**features):
    return Settings(
        home="/none", cwd="/work", model="m", provider=Provider("p", "p"), features=features
    )


class Turn:
    def __init__(self, answer=None):
        self.settings = settings()
        self.approvals = self.grants = self
        self.answer = answer or Answer()
        self.asked = []

    async def request(self, turn, call_id, asked, reason):
        self.asked.append((call_id, asked, reason))
        return self.answer


async def call(turn, **args):
    said = json.dumps(args)
    return await REQUEST_PERMISSIONS.serve(turn, Call("call_1", "request_permissions", said))


async def test_the_model_asks_and_is_told_what_was_granted():
    """Observed: what was asked for, and the JSON of the answer."""
    granted = Grant(listed(None, ["/work/out"]))
    turn = Turn(Answer(granted, "session"))

    told = await call(turn, permissions=ASKED, reason="to write")

    both = Grant(granted.entries, network=True)
    assert turn.asked == [("call_1", both, "to write")]
    assert told == (
        '{"permissions":{"network":null,"file_system":{"write":["/work/out"]}},"scope":"session"}'
    )


async def test_a_refusal_is_an_empty_grant():
    """Observed."""
    told = await call(Turn(), permissions=ASKED)

    assert told == '{"permissions":{"network":null,"file_system":null},"scope":"turn"}'


async def test_a_review_is_told():
    """Observed: and only when there is to be one."""
    told = await call(Turn(Answer(Grant(network=True), strict=True)), permissions=ASKED)

    assert told.endswith('"scope":"turn","strict_auto_review":true}')


async def test_what_lists_cannot_say_is_told_by_entries():
    """Observed: with the place that stays hidden."""
    entries = [entry(special("root"), "write"), entry(ExactPath("/a"), "none")]
    told = json.loads(await call(Turn(Answer(Grant(entries, depth=2))), permissions=ASKED))

    assert told["permissions"]["file_system"] == {
        "entries": [
            {"path": {"type": "special", "value": {"kind": "root"}}, "access": "write"},
            {"path": {"type": "path", "path": "/a"}, "access": "none"},
        ],
        "glob_scan_max_depth": 2,
    }


@pytest.mark.parametrize(
    "permissions", [{}, {"network": {}}, {"file_system": {}}, {"file_system": {"read": []}}]
)
async def test_asking_for_nothing_is_refused(permissions):
    """Observed."""
    turn = Turn()
    with pytest.raises(ToolFailure, match="requires at least one permission"):
        await call(turn, permissions=permissions)
    assert turn.asked == []


@pytest.mark.parametrize("args", [{}, {"permissions": None}, {"permissions": {"bogus": 1}}])
async def test_malformed_arguments_are_told_to_the_model(args):
    """Observed."""
    with pytest.raises(ToolFailure, match="failed to parse function arguments"):
        await call(Turn(), **args)


def test_the_tool_is_there_with_its_feature_only():
    """Observed: without it the call is an unsupported one."""
    model, none = describe("gpt-5.4"), DynamicTools([])
    asking = Call("call_1", "request_permissions", "{}")
    off, on = settings(), settings(request_permissions_tool=True)

    names = [spec.get("name") for spec in offered(on, model, none)]
    assert names[names.index("request_user_input") + 1] == "request_permissions"
    assert serving(asking, on, model, none) is REQUEST_PERMISSIONS
    assert "request_permissions" not in [spec.get("name") for spec in offered(off, model, none)]
    assert serving(asking, off, model, none) is None


@pytest.mark.parametrize("unified", [True, False])
def test_commands_offer_permissions_with_their_feature_only(unified):
    """Observed."""
    model, none = describe("gpt-5.4"), DynamicTools([])

    def properties(**features):
        specs = offered(settings(unified_exec=unified, **features), model, none)
        return set(specs[0]["parameters"]["properties"])

    extra = properties(exec_permission_approvals=True) - properties()
    assert extra == {"additional_permissions"}
