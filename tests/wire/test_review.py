"""A reviewer looks at changes, and the user and the thread get the findings."""

import os
import signal
from contextlib import suppress

import psutil
import pytest
import trio

from protocol.item import AgentMessage, CommandExecution, TextInput
from protocol.loading import ThreadResumeParams
from protocol.methods import (
    COMMAND_OUTPUT_DELTA,
    ERROR,
    ITEM_COMPLETED,
    ITEM_STARTED,
    THREAD_LIST,
    THREAD_READ,
    THREAD_RESUME,
    TURN_COMPLETED,
    TURN_INTERRUPT,
    TURN_STARTED,
)
from protocol.review import BaseBranch, Commit, UncommittedChanges
from protocol.thread import NamedSource, ThreadListParams, ThreadReadParams
from protocol.turn import TurnInterruptParams
from tests import reviewing
from tests.reviewing import FAILING, git, out_of, review, reviewed, said, verdict
from workers.scripted import Message, ToolCall


@pytest.fixture
def repository(project):
    reviewing.repository(project)
    return project


async def test_a_review_is_told_from_the_way_in_to_the_way_out(connect, provider, repository):
    """Observed, but that one id names the turn everywhere."""
    provider.says(ToolCall("exec_command", {"cmd": "cat a.py"}))
    provider.says(verdict("Off by one"))
    client = await connect()
    thread = await client.start(cwd=str(repository))
    begun = await review(client, thread, UncommittedChanges())
    done = await client.next(TURN_COMPLETED)

    assert begun.review_thread_id == thread.id
    assert [item.content for item in begun.turn.items] == [[TextInput("current changes")]]
    assert (done.turn.id, done.turn.status) == (begun.turn.id, "completed")
    assert [
        (heard.method.removeprefix("item/"), type(heard.params.item).__name__)
        for heard in client.heard
        if heard.method in (ITEM_STARTED.name, ITEM_COMPLETED.name)
    ] == [
        ("started", "EnteredReviewMode"),
        ("completed", "EnteredReviewMode"),
        ("started", "UserMessage"),
        ("completed", "UserMessage"),
        ("started", "CommandExecution"),
        ("completed", "CommandExecution"),
        ("started", "AgentMessage"),
        ("started", "ExitedReviewMode"),
        ("completed", "ExitedReviewMode"),
        ("started", "AgentMessage"),
        ("completed", "AgentMessage"),
    ]
    text = "Looked at.\n\nReview comment:\n\n- Off by one — /x.py:3-4\n  Ends early."
    assert client.heard[-3].params.item.text == text


async def test_the_reviewer_has_a_memory_of_its_own(connect_stdio, provider, repository):
    """Observed: the conversation is kept from the reviewer, and the reviewing from the thread."""
    provider.says("One.")
    provider.says(verdict("Off by one"))
    provider.says("Two.")
    client = await connect_stdio()
    thread = await client.start(cwd=str(repository))
    await client.begin(thread, "Secret question")
    await client.next(TURN_COMPLETED)
    await reviewed(client, thread)
    await client.begin(thread, "Thanks")
    await client.next(TURN_COMPLETED)

    _, reviewing, after = provider.requests
    assert "Secret question" not in str(reviewing["input"])
    assert said(reviewing)[-1] == ("user", "Look at the names.")
    assert reviewing["instructions"].startswith("You review changes")
    names = [tool.get("name", tool["type"]) for tool in reviewing["tools"]]
    assert "exec_command" in names
    assert "web_search" not in names
    assert reviewing["prompt_cache_key"] != after["prompt_cache_key"] == thread.id
    (role, told), (answered, text), *_ = said(after)[-3:]
    assert (role, told.split("\n")[0]) == ("user", "<user_action>")
    assert (answered, text.split("\n")[0]) == ("assistant", "Looked at.")


async def test_nobody_is_asked_during_a_review(connect_stdio, provider, repository):
    """Observed: the reviewer runs with the approval policy `never`, whatever the thread's is."""
    provider.says(ToolCall("exec_command", {"cmd": "touch made", "sandbox_permissions": "x"}))
    provider.says(ToolCall("exec_command", {"cmd": "echo seen; touch made"}))
    provider.says(verdict())
    client = await connect_stdio()
    thread = await client.start(
        cwd=str(repository), approval_policy="untrusted", sandbox="read-only"
    )
    assert await reviewed(client, thread) == "Looked at."

    ran = await client.next(ITEM_COMPLETED, lambda p: isinstance(p.item, CommandExecution))
    assert "seen" in (ran.item.aggregated_output or "")
    assert not (repository / "made").exists()
    assert not any(heard.id for heard in client.heard)


async def test_a_reviews_model_can_be_configured(connect_stdio, provider, home, project):
    """Observed: `review_model`; the thread keeps its own."""
    config = home / "config.toml"
    config.write_text('review_model = "gpt-5.2"\n' + config.read_text())
    provider.says(verdict())
    client = await connect_stdio()
    thread = await client.start(cwd=str(project))
    await reviewed(client, thread)
    await client.begin(thread)
    await client.next(TURN_COMPLETED)

    assert [request["model"] for request in provider.requests] == ["gpt-5.2", "gpt-5.4"]


async def test_prose_is_a_review_too(connect_stdio, provider, project):
    """Observed."""
    provider.says("Just prose, no JSON.")
    client = await connect_stdio()
    thread = await client.start(cwd=str(project))
    assert await reviewed(client, thread) == "Just prose, no JSON."


async def test_the_reviewer_is_given_commits_instead_of_names(connect_stdio, provider, repository):
    """Ours: a name may mean something to a shell, and git knows better what it stands for."""
    first = git(repository, "rev-parse", "HEAD")
    git(repository, "checkout", "-q", "-b", "a;b$(c)")
    client = await connect_stdio()
    thread = await client.start(cwd=str(repository))
    for target in (BaseBranch(" a;b$(c) "), Commit(first[:9], "The first"), BaseBranch("main")):
        provider.says(verdict())
        assert await reviewed(client, thread, target) == "Looked at."

    asked = [said(request)[-1][1] for request in provider.requests]
    assert f"`git diff {first}`" in asked[0]
    assert f'{first} ("The first")' in asked[1]
    assert f"`git diff {first}`" in asked[2]


async def test_a_review_is_interrupted_by_the_id_that_names_it(connect_stdio, provider, project):
    """Observed, but that the reference server wants another id than the answer's.

    What the reviewer had running ends with it.
    """
    provider.says(ToolCall("exec_command", {"cmd": "echo $$; exec sleep 600"}))
    client = await connect_stdio()
    thread = await client.start(cwd=str(project))
    begun = await review(client, thread)
    pid = int((await client.next(COMMAND_OUTPUT_DELTA)).delta)
    await client.call(TURN_INTERRUPT, TurnInterruptParams(thread.id, begun.turn.id))
    done = await client.next(TURN_COMPLETED)
    provider.says("Next.")
    await client.begin(thread)

    assert (await client.next(TURN_STARTED)).turn.id == done.turn.id == begun.turn.id
    assert done.turn.status == "interrupted"
    assert out_of(client, done.turn.id) == "Reviewer failed to output a response."
    with suppress(psutil.NoSuchProcess):
        await trio.to_thread.run_sync(psutil.Process(pid).wait, 5)
    assert (await client.next(TURN_COMPLETED)).turn.status == "completed"


async def test_a_provider_that_fails_fails_the_review(connect_stdio, provider, project):
    """Observed: the error first, then the way out."""
    provider.sends(FAILING)
    client = await connect_stdio()
    thread = await client.start(cwd=str(project))
    await review(client, thread)
    done = (await client.next(TURN_COMPLETED)).turn

    assert done.status == "failed"
    assert out_of(client, done.id) == "Reviewer failed to output a response."
    assert client.methods[client.methods.index(ERROR.name) :] == [
        ERROR.name,
        *[ITEM_STARTED.name, ITEM_COMPLETED.name] * 2,
        TURN_COMPLETED.name,
    ]


async def test_a_review_takes_the_place_of_a_running_turn(connect_stdio, provider, project):
    """Observed: of another review, too."""
    client = await connect_stdio()
    thread = await client.start(cwd=str(project))
    provider.says("Slow.", trio.Event())
    turn = await client.begin(thread)
    await client.next(ITEM_STARTED, speaks)
    provider.says("Slow.", trio.Event())
    first = await review(client, thread)
    await client.next(ITEM_STARTED, speaks)
    provider.says(verdict())
    second = await review(client, thread)
    ends = [(await client.next(TURN_COMPLETED)).turn for _ in range(3)]

    assert [(end.id, end.status) for end in ends] == [
        (turn.id, "interrupted"),
        (first.turn.id, "interrupted"),
        (second.turn.id, "completed"),
    ]


def speaks(params) -> bool:
    return isinstance(params.item, AgentMessage) and params.item.id.startswith("msg")


async def test_a_review_reads_back_as_one_turn(connect, provider, repository):
    """Ours: the reference server shows two, under ids that no client was told."""
    provider.says(Message("I look first.", pause=0), ToolCall("exec_command", {"cmd": "true"}))
    provider.says(verdict("Off by one", "Two off"))
    client = await connect()
    thread = await client.start(cwd=str(repository))
    begun = await review(client, thread, UncommittedChanges())
    await client.next(TURN_COMPLETED)
    text = out_of(client, begun.turn.id)
    read = await client.call(THREAD_READ, ThreadReadParams(thread.id, include_turns=True))
    await connect.restart()
    client = await connect()
    resumed = await client.call(THREAD_RESUME, ThreadResumeParams(thread_id=thread.id))
    reviewers = ThreadListParams(source_kinds=["subAgentReview"])
    (reviewer,) = (await client.call(THREAD_LIST, reviewers)).data

    (turn,) = read.thread.turns
    assert (turn.id, turn.status) == (begun.turn.id, "completed")
    assert [type(item).__name__ for item in turn.items] == [
        "EnteredReviewMode",
        "UserMessage",
        "CommandExecution",
        "AgentMessage",
        "ExitedReviewMode",
        "AgentMessage",
    ]
    assert turn.items[4].review == text
    assert resumed.thread.turns == read.thread.turns
    assert reviewer.source == NamedSource(sub_agent="review")
    assert [shown.id for shown in (await client.call(THREAD_LIST, ThreadListParams())).data] == [
        thread.id
    ]


async def test_a_review_is_told_to_subscribers_only(connect_ws, provider, project):
    """Observed for turns: whoever asks for one need not listen."""
    provider.says(verdict())
    client, other = await connect_ws(), await connect_ws()
    thread = await client.start(cwd=str(project))
    await review(other, thread)
    await client.next(TURN_COMPLETED)

    assert ITEM_STARTED.name not in other.methods


async def test_a_review_that_loses_its_worker_has_failed(connect_stdio, provider, project):
    """Ours: the thread is loaded again and can be reviewed again."""
    provider.says(ToolCall("exec_command", {"cmd": "echo $PPID; exec sleep 600"}))
    client = await connect_stdio()
    thread = await client.start(cwd=str(project))
    await review(client, thread)
    os.kill(int((await client.next(COMMAND_OUTPUT_DELTA)).delta), signal.SIGKILL)
    assert (await client.next(TURN_COMPLETED)).turn.status == "failed"
    provider.says(verdict())
    await review(client, thread)
    assert (await client.next(TURN_COMPLETED)).turn.status == "completed"
