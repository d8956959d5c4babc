"""Reviews that cannot be, and what is not taken during one: refused, and nothing is lost."""

import json

import pytest
import trio

from protocol.errors import INVALID_PARAMS, INVALID_REQUEST, RpcError
from protocol.item import TextInput
from protocol.methods import TURN_COMPLETED, TURN_STEER
from protocol.review import BaseBranch, Commit, Custom, UncommittedChanges
from protocol.turn import TurnSteerParams
from tests import reviewing
from tests.reviewing import review, reviewed, verdict


@pytest.fixture
def repository(project):
    reviewing.repository(project)
    return project


@pytest.mark.parametrize(
    "target",
    [
        BaseBranch("nowhere"),
        BaseBranch("--upload-pack=touch made"),
        BaseBranch("$(touch made)"),
        BaseBranch("main\x00"),
        Commit("abcdef0"),
        Commit("-n"),
    ],
)
async def test_what_git_does_not_know_is_refused(connect_stdio, provider, repository, target):
    """Ours: the reference server lets the model find out."""
    client = await connect_stdio()
    thread = await client.start(cwd=str(repository))
    await review(client, thread, target)
    failed = (await client.next(TURN_COMPLETED)).turn

    assert failed.status == "failed"
    assert failed.error is not None
    assert failed.error.message.startswith("there is no ")
    assert failed.error.codex_error_info == "badRequest"
    assert provider.requests == []
    assert not (repository / "made").exists()
    provider.says(verdict())
    assert await reviewed(client, thread, UncommittedChanges()) == "Looked at."


async def test_there_are_no_changes_outside_of_a_repository(connect_stdio, provider, project):
    """Ours: as above; instructions of the user's own are another matter."""
    client = await connect_stdio()
    thread = await client.start(cwd=str(project))
    await review(client, thread, UncommittedChanges())
    failed = (await client.next(TURN_COMPLETED)).turn
    provider.says(verdict())

    assert failed.error is not None
    assert "is not in a git repository" in failed.error.message
    assert await reviewed(client, thread) == "Looked at."


REFUSED = [
    ({"target": {"type": "baseBranch", "branch": "  "}}, "branch must not be empty"),
    ({"target": {"type": "commit", "sha": ""}}, "sha must not be empty"),
    ({"target": {"type": "custom", "instructions": "\n"}}, "instructions must not be empty"),
    ({"target": {"type": "custom"}}, "Invalid request: "),
    ({"target": {"type": "pigeon"}}, "Invalid request: "),
    ({"target": "uncommittedChanges"}, "Invalid request: "),
    ({}, "Invalid request: "),
    ({"target": {"type": "uncommittedChanges"}, "delivery": "pigeon"}, "Invalid request: "),
]


async def test_a_target_that_says_nothing_is_refused(connect_stdio, provider, project):
    """Observed; a turn that is running goes on."""
    gate = trio.Event()
    provider.says(gate, "Still here.")
    client = await connect_stdio()
    thread = await client.start(cwd=str(project))
    await client.begin(thread)
    for params, message in REFUSED:
        for more in ({}, {"delivery": "detached"}):
            asked = {"threadId": thread.id, **more, **params}
            with pytest.raises(RpcError) as refused:
                await client.request("review/start", json.dumps(asked).encode())
            assert refused.value.code == INVALID_REQUEST
            assert refused.value.message.startswith(message)
    gate.set()

    assert (await client.next(TURN_COMPLETED)).turn.status == "completed"


async def test_instructions_have_a_bound(connect_stdio, provider, project):
    """Ours: the bound of a turn's input."""
    client = await connect_stdio()
    thread = await client.start(cwd=str(project))
    with pytest.raises(RpcError) as refused:
        await review(client, thread, Custom("x" * ((1 << 20) + 1)))
    assert refused.value.code == INVALID_PARAMS
    provider.says(verdict())
    assert await reviewed(client, thread, Custom("x" * (1 << 20))) == "Looked at."


async def test_a_review_takes_no_input(connect_stdio, provider, project):
    """Observed for a steer; ours for a turn, whose input the reference server loses."""
    gate = trio.Event()
    provider.says(gate, verdict())
    client = await connect_stdio()
    thread = await client.start(cwd=str(project))
    begun = await review(client, thread)
    steer = TurnSteerParams(begun.turn.id, [TextInput("more")], thread.id)
    with pytest.raises(RpcError) as refused:
        await client.call(TURN_STEER, steer)
    with pytest.raises(RpcError):
        await client.begin(thread, "more")
    gate.set()

    assert refused.value.message == "cannot steer a review turn"
    assert refused.value.data["codexErrorInfo"] == {
        "activeTurnNotSteerable": {"turnKind": "review"}
    }
    assert (await client.next(TURN_COMPLETED)).turn.status == "completed"
