"""Questions about hosts: what is asked, how often, and what each answer does."""

from functools import partial

import msgspec
import pytest
import trio
import trio.testing

from protocol.approval import (
    AmendingDecision,
    CommandExecutionRequestApprovalResponse,
    NetworkAmendment,
    NetworkPolicyAmendment,
)
from protocol.settings import Provider, Settings
from tests.workers.asking import DENIED, REVIEWED, amend, granular
from workers.approval import Approvals
from workers.company import Company
from workers.hosts import QUESTIONS, Hosts
from workers.proxy.target import Target
from workers.tools import Unasked

TARGET = Target("https", "a.test", 443)


class Turn:
    """Its clients answer when a test lets them."""

    id, thread_id = "turn", "thread"

    def __init__(self, thread, nursery):
        self.settings = thread
        self.scope = trio.CancelScope()
        self.asked, self.told, self.advice = [], [], []
        self.answers = []
        self.may_answer = trio.Event()
        self.company = Company()
        self._nursery = nursery

    def accompany(self, task):
        if not self.company.closed:
            self._nursery.start_soon(self.company.keep, task)
        return not self.company.closed

    async def ask(self, row, params):
        self.asked.append(msgspec.to_builtins(params))
        await self.may_answer.wait()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return CommandExecutionRequestApprovalResponse(answer)

    async def review(self, request):
        self.asked.append(request)
        await self.may_answer.wait()
        return self.answers.pop(0)

    def tell(self, row, params):
        self.told.append(params.message)

    def advise(self, text, role):
        self.advice.append(text)


def approvals(home):
    return Approvals(Settings(home=str(home), cwd="/", model="m", provider=Provider("p", "P")))


class Thread:
    def __init__(self, home, nursery):
        self.approval_policy, self.approvals_reviewer = "on-request", "user"
        self.approvals = approvals(home)
        self.turn = Turn(self, nursery)
        self.item = None
        self.hosts = Hosts(self, lambda: self.item)

    async def reach(self, *answers, target=TARGET):
        """What one connection hears, when these are the answers."""
        self.turn.answers += answers
        self.turn.may_answer.set()
        return await self.hosts.may_reach(target)


@pytest.fixture
async def thread(tmp_path, nursery):
    with trio.fail_after(30):
        yield Thread(tmp_path, nursery)


def rule(action, host="a.test"):
    amendment = NetworkPolicyAmendment(action=action, host=host)
    return AmendingDecision(apply_network_policy_amendment=NetworkAmendment(amendment))


def lines(tmp_path):
    file = tmp_path / "rules/default.rules"
    return file.read_text().splitlines() if file.exists() else []


async def test_the_question_is_as_the_reference_server_shapes_it(thread):
    """Observed: an item of its own, no command, and what may be answered in order."""
    await thread.reach("accept")
    (asked,) = thread.turn.asked
    del asked["startedAtMs"]

    assert asked == {
        "itemId": "network#https#a.test#443",
        "threadId": "thread",
        "turnId": "turn",
        "availableDecisions": [
            "accept",
            "acceptForSession",
            {
                "applyNetworkPolicyAmendment": {
                    "network_policy_amendment": {"action": "allow", "host": "a.test"}
                }
            },
            "cancel",
        ],
        "networkApprovalContext": {"host": "a.test", "protocol": "https"},
        "proposedNetworkPolicyAmendments": [
            {"action": "allow", "host": "a.test"},
            {"action": "deny", "host": "a.test"},
        ],
        "reason": "a.test:443 is not in the allowed_domains",
    }


async def test_the_question_names_the_one_command_that_runs(thread):
    """Ours: a client can show it where it belongs; its own id keeps several apart."""
    thread.item = "call_1"
    await thread.reach("accept")

    assert thread.turn.asked[0]["itemId"] == "call_1"
    assert thread.turn.asked[0]["approvalId"] == "network#https#a.test#443"


@pytest.mark.parametrize(("answer", "allowed"), [("accept", True), ("decline", False)])
async def test_many_connections_to_one_host_are_one_question(thread, answer, allowed):
    """Observed: net-proxy-ask-dedup; all are released by its answer."""
    heard = []

    async def connect():
        heard.append(await thread.hosts.may_reach(TARGET))

    thread.turn.answers = [answer]
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(connect)
        await trio.testing.wait_all_tasks_blocked()
        assert (len(thread.turn.asked), heard) == (1, [])
        thread.turn.may_answer.set()

    assert heard == [allowed] * 20


async def test_another_port_or_protocol_is_another_question(thread):
    """Observed: the key is host, protocol and port."""
    others = [Target("http", "a.test", 443), Target("https", "a.test", 8443), TARGET]
    for target in others:
        assert await thread.reach("accept", target=target)

    assert len(thread.turn.asked) == 3


async def test_once_is_once_and_the_session_is_the_session(thread):
    """Observed."""
    assert await thread.reach("accept")
    assert await thread.reach("acceptForSession")
    assert await thread.reach()
    assert len(thread.turn.asked) == 2


async def test_a_no_holds_for_its_turn(thread):
    """Ours: programs try again and again; the reference server kills them instead."""
    assert not await thread.reach("decline")
    assert not await thread.reach()
    thread.turn.id = "another"
    assert await thread.reach("accept")
    assert len(thread.turn.asked) == 2


@pytest.mark.parametrize(("action", "allowed"), [("allow", True), ("deny", False)])
async def test_a_rule_is_kept_and_holds_at_once(thread, tmp_path, action, allowed):
    """Observed: the line in `rules/default.rules`."""
    assert await thread.reach(rule(action)) == allowed
    assert await thread.reach() == allowed
    assert len(thread.turn.asked) == 1
    verb = action.capitalize()
    assert lines(tmp_path) == [
        (
            f'network_rule(host="a.test", protocol="https", decision="{action}", '
            f'justification="{verb} https access to a.test")'
        )
    ]
    assert approvals(tmp_path).rules.hosts == thread.approvals.rules.hosts
    assert "a.test" in thread.turn.advice[0]


async def test_a_rule_about_another_host_is_not_kept(thread, tmp_path):
    """Observed: the warning; it counts for the session nevertheless."""
    assert await thread.reach(rule("allow", "b.test"))
    assert lines(tmp_path) == []
    assert "b.test" in thread.turn.told[0]


async def test_a_rule_that_cannot_be_written_holds_for_the_session(thread, tmp_path):
    """Ours: the user has said yes."""
    (tmp_path / "rules").write_text("")
    assert await thread.reach(rule("allow"))
    assert await thread.reach()
    assert "was not saved" in thread.turn.told[0]


async def test_cancel_ends_the_turn(thread):
    """Observed."""
    assert not await thread.reach("cancel")
    assert thread.turn.scope.cancel_called


@pytest.mark.parametrize(
    ("answer", "allowed"),
    [
        (Unasked("nobody"), False),
        (msgspec.DecodeError("nonsense"), False),
        (AmendingDecision(), True),
        (amend("curl"), True),
    ],
)
async def test_other_answers(thread, answer, allowed):
    """Observed for a rule about commands: it means yes.  No answer is a no."""
    assert await thread.reach(answer) == allowed


@pytest.mark.parametrize("policy", ["never", granular(sandbox_approval=False)])
async def test_nobody_is_asked_who_does_not_want_to(thread, policy):
    """Observed for `never`; ours: the switch of granular policies is about leaving the sandbox."""
    thread.approval_policy = policy
    assert not await thread.reach()
    assert thread.turn.asked == []


async def test_without_a_turn_nobody_is_asked(thread):
    """Observed: denied."""
    turn, thread.turn = thread.turn, None
    assert not await thread.hosts.may_reach(TARGET)
    assert turn.asked == []


async def test_the_end_of_the_turn_answers_no(thread):
    """Ours: a connection must not wait for a turn that is over, nor the turn for it."""
    heard = []

    async def connect():
        heard.append(await thread.hosts.may_reach(TARGET))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(connect)
        await trio.testing.wait_all_tasks_blocked()
        thread.turn.company.close()

    assert heard == [False]
    assert not await thread.hosts.may_reach(TARGET)


async def test_a_program_that_tries_many_hosts_does_not_flood_its_user(thread):
    """Ours: so many questions at once, the others wait in line."""
    async with trio.open_nursery() as nursery:
        for number in range(50):
            target = Target("https", f"h{number}.test", 443)
            nursery.start_soon(partial(thread.hosts.may_reach, target))
        await trio.testing.wait_all_tasks_blocked()
        assert len(thread.turn.asked) == QUESTIONS
        thread.turn.company.close()


async def test_a_reviewing_model_is_asked_instead(thread):
    """Observed: with the address, and as no item."""
    thread.approvals_reviewer = "auto_review"

    assert await thread.reach(REVIEWED)
    (request,) = thread.turn.asked
    assert msgspec.to_builtins(request.shown) == {
        "type": "networkAccess",
        "host": "a.test",
        "port": 443,
        "protocol": "https",
        "target": "https://a.test:443",
    }
    assert request.item_id is None


async def test_what_the_model_denies_stays_denied_for_the_turn(thread):
    """Ours, as when the user declines; what it allows is for the one connection."""
    thread.approvals_reviewer = "auto_review"

    assert not await thread.reach(DENIED)
    assert not await thread.reach()
    assert thread.turn.advice == [DENIED.message]
    thread.turn.id = "next"
    assert await thread.reach(REVIEWED)
    assert not await thread.reach(DENIED)
