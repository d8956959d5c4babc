"""The managed network through the whole server: commands in their sandbox, clients asked."""

import shutil

import pytest

from protocol.approval import (
    AmendingDecision,
    CommandExecutionRequestApprovalResponse,
    NetworkAmendment,
    NetworkPolicyAmendment,
)
from protocol.guardian import ReviewedNetworkAccess
from protocol.item import CommandExecution
from protocol.methods import (
    AUTO_APPROVAL_REVIEW_COMPLETED,
    COMMAND_APPROVAL,
    COMMAND_OUTPUT_DELTA,
    ITEM_COMPLETED,
    SERVER_REQUEST_RESOLVED,
    TURN_COMPLETED,
    TURN_INTERRUPT,
)
from protocol.turn import TurnInterruptParams
from sandbox.probe import Missing, host
from tests.commanding import run
from tests.guarding import no_question, plays, verdict
from tests.workers.proxy.conftest import Origin
from workers.scripted import ToolCall

CURL = "curl -sS --noproxy '' --max-time 20"
PROFILE = """
[permissions.net.filesystem]
":root" = "read"
":project_roots" = "write"

[permissions.net.network]
enabled = true
{}
"""


@pytest.fixture
async def origin(nursery):
    """A server on the host's loopback: for a sandbox, outside."""
    if isinstance(host(), Missing) or shutil.which("curl") is None:
        pytest.skip("needs bubblewrap and curl")
    origin = Origin()
    await nursery.start(origin.run)
    return origin


@pytest.fixture
def profile(home):
    """Put a network into the configuration."""

    def write(text):
        file = home / "config.toml"
        kept = file.read_text().replace('sandbox_mode = "danger-full-access"\n', "")
        file.write_text('default_permissions = "net"\n' + kept + PROFILE.format(text))

    return write


ASKING = "allow_local_binding = true"
AT_ONCE = """
import os, socket, sys
at = os.environ["HTTP_PROXY"][7:].split(":")
def begin(url):
    sock = socket.create_connection(at)
    sock.sendall(b"GET %b HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n" % url.encode())
    return sock.makefile()
answers = [begin(sys.argv[1]) for _ in range(4)]
begin("http://denied.test/").read()  # it came last, so the others have been heard
print("sent", flush=True)
for answer in answers:
    print(answer.read())
"""


def command(cmd, **more):
    return ToolCall("exec_command", {"cmd": cmd, "yield_time_ms": 30_000, **more})


def amendment(action):
    inner = NetworkPolicyAmendment(action=action, host="127.0.0.1")
    return AmendingDecision(apply_network_policy_amendment=NetworkAmendment(inner))


async def begun(client, project, policy="on-request", **more):
    thread = await client.start(cwd=str(project), approval_policy=policy, **more)
    return thread, await client.begin(thread)


async def output(client):
    """Of the next command that ends."""

    def ended(params):
        return isinstance(params.item, CommandExecution)

    return (await client.next(ITEM_COMPLETED, ended)).item.aggregated_output or ""


async def answered(client, decision):
    id, asked = await client.question(COMMAND_APPROVAL)
    await client.answer(id, CommandExecutionRequestApprovalResponse(decision=decision))
    return asked


async def test_an_allowed_host_is_reached_and_no_other(
    connect_stdio, provider, project, profile, origin
):
    """Observed: net-proxy-allow, -deny, -connect, -socks; under `never` nobody is asked."""
    profile('domains = { "127.0.0.1" = "allow", "denied.test" = "deny" }')
    url = f"http://127.0.0.1:{origin.port}/"
    socks = '--socks5-hostname "${ALL_PROXY#socks5h://}"'
    provider.says(
        command(
            f"{CURL} {url}; {CURL} -p {url}; {CURL} {socks} {url}; "
            f"{CURL} http://denied.test/; {CURL} http://other.test/; "
            f"{CURL} -x '' {url} 2>&1"
        )
    )
    client = await connect_stdio()
    await begun(client, project, "never")
    said = await output(client)
    await client.next(TURN_COMPLETED)

    assert said.count(f"GET / 127.0.0.1:{origin.port} 0") == 3
    assert "blocked denied.test:80: it is denied" in said
    assert "blocked other.test:80: it is not among the domains" in said
    assert "Couldn't connect" in said.splitlines()[-1]


@pytest.mark.parametrize(
    ("decision", "reached"),
    [("accept", 1), ("acceptForSession", 1), (amendment("allow"), 1), ("decline", 0)],
)
async def test_many_requests_to_one_host_are_one_question(
    connect_stdio, provider, project, home, profile, origin, decision, reached
):
    """Observed: net-proxy-ask-dedup.  Ours: the question names the command's item."""
    profile(ASKING + '\ndomains = { "denied.test" = "deny" }')
    url = f"http://127.0.0.1:{origin.port}/"
    provider.says(command(f"python3 -c '{AT_ONCE}' {url}"))
    client = await connect_stdio()
    await begun(client, project)
    await client.next(COMMAND_OUTPUT_DELTA, lambda params: "sent" in params.delta)
    asked = await answered(client, decision)
    said = await output(client)
    await client.next(TURN_COMPLETED)

    questions = [heard for heard in client.heard if heard.method == COMMAND_APPROVAL.name]
    assert (len(questions), said.count("GET /")) == (1, 4 * reached)
    assert asked.network_approval_context.host == "127.0.0.1"
    assert (asked.command, asked.cwd) == (None, None)
    kept = isinstance(decision, AmendingDecision)
    assert (home / "rules/default.rules").exists() == kept


async def test_what_was_denied_for_good_is_not_asked_again(
    connect_stdio, provider, project, profile, origin
):
    """Observed: the rule holds for later threads too."""
    profile(ASKING)
    for _ in range(2):
        provider.says(command(f"{CURL} http://127.0.0.1:{origin.port}/"))
        provider.says("done")
    client = await connect_stdio()
    await begun(client, project)
    await answered(client, amendment("deny"))
    assert "it is not among the domains" in await output(client)
    await client.next(TURN_COMPLETED)
    await begun(client, project)
    assert "it is denied" in await output(client)
    await client.next(TURN_COMPLETED)

    assert origin.requests == []


async def test_cancel_ends_the_turn_and_the_command(
    connect_stdio, provider, project, profile, origin
):
    """Observed."""
    profile(ASKING)
    provider.says(command(f"{CURL} http://127.0.0.1:{origin.port}/; sleep 60"))
    client = await connect_stdio()
    await begun(client, project)
    await answered(client, "cancel")

    assert (await client.next(TURN_COMPLETED)).turn.status == "interrupted"


async def test_a_question_is_withdrawn_with_its_turn(
    connect_stdio, provider, project, profile, origin
):
    """Observed: `turn/completed`, then `serverRequest/resolved`; the turn does not wait for it."""
    profile(ASKING)
    provider.says(command(f"{CURL} --max-time 1 http://127.0.0.1:{origin.port}/"))
    provider.says("done")
    client = await connect_stdio()
    thread, _ = await begun(client, project)
    id, _ = await client.question(COMMAND_APPROVAL)
    assert (await client.next(TURN_COMPLETED)).turn.status == "completed"
    assert (await client.next(SERVER_REQUEST_RESOLVED)).request_id == id

    provider.says(command(f"{CURL} http://127.0.0.1:{origin.port}/"))
    turn = await client.begin(thread)
    await client.question(COMMAND_APPROVAL)
    await client.call(TURN_INTERRUPT, TurnInterruptParams(thread_id=thread.id, turn_id=turn.id))
    assert (await client.next(TURN_COMPLETED)).turn.status == "interrupted"


async def test_one_command_reaches_the_server_that_another_has_started(
    connect_stdio, provider, project, profile, origin
):
    """Ours: the reference server gives each command a network of its own."""
    profile(ASKING)
    (project / "page").write_text("hello")
    serve = "python3 -u -m http.server --bind 127.0.0.1 8123"
    wait = "until curl -sS http://127.0.0.1:8123/page; do sleep 0.05; done"
    provider.says(command(serve, yield_time_ms=250))
    provider.says(command(wait))
    client = await connect_stdio()
    await begun(client, project)

    assert (await output(client)).endswith("hello")
    await client.next(TURN_COMPLETED)


async def test_a_command_of_a_connection_is_let_out_by_the_same_rules(
    connect_stdio, profile, origin
):
    """Ours: `command/exec` has no turn to ask in, so what is unlisted is refused."""
    profile('domains = { "127.0.0.1" = "allow" }')
    client = await connect_stdio()
    url = f"http://127.0.0.1:{origin.port}/"
    code, said, errors = await run(
        client, f"{CURL} {url}; {CURL} http://b.test/; {CURL} -x '' {url}"
    )

    assert code == 7, errors
    assert f"GET / 127.0.0.1:{origin.port} 0" in said
    assert "blocked b.test:80" in said


async def test_nothing_is_managed_where_only_the_network_is_opened(
    connect_stdio, provider, project, profile, origin
):
    """Observed: `enabled` alone opens it wholly, without a proxy."""
    profile("")
    url = f"http://127.0.0.1:{origin.port}/"
    provider.says(command(f'echo "proxy:$HTTP_PROXY"; {CURL} {url}'))
    client = await connect_stdio()
    await begun(client, project, "never")

    assert (await output(client)).startswith(f"proxy:\nGET / 127.0.0.1:{origin.port}")
    await client.next(TURN_COMPLETED)


@pytest.mark.parametrize(("outcome", "reached"), [("allow", True), ("deny", False)])
async def test_a_reviewing_model_decides_about_hosts(
    connect_stdio, provider, project, profile, origin, outcome, reached
):
    """Observed: as about everything else that needs an approval."""
    profile(ASKING)
    plays(provider, command(f"{CURL} http://127.0.0.1:{origin.port}/"), verdict(outcome), "done")
    client = await connect_stdio()
    await begun(client, project, approvals_reviewer="auto_review")
    said = await output(client)
    await client.next(TURN_COMPLETED)

    done = await client.next(AUTO_APPROVAL_REVIEW_COMPLETED)
    assert isinstance(done.action, ReviewedNetworkAccess)
    assert (done.action.host, done.action.port) == ("127.0.0.1", origin.port)
    assert done.target_item_id is None
    assert (f"GET / 127.0.0.1:{origin.port} 0" in said) is reached
    assert no_question(client)
