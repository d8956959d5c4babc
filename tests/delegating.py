"""Models that start agents, for tests: what they call, and what comes of it."""

import json

import psutil

from protocol.item import CollabAgentToolCall
from protocol.methods import (
    ITEM_COMPLETED,
    ITEM_STARTED,
    TURN_COMPLETED,
)
from tests.model import words
from workers.scripted import ToolCall


def outputs(asked) -> dict:
    """What the calls of a request's thread have come to, by their ids."""
    return {i["call_id"]: i["output"] for i in asked["input"] if i["type"].endswith("_output")}


def agents_in(asked) -> list[str]:
    """The agents that have been started, in order."""
    said = [json.loads(text) for text in outputs(asked).values() if text.startswith("{")]
    return [answer["agent_id"] for answer in said if "agent_id" in answer]


def spawn(task="task", **others):
    return ToolCall("spawn_agent", {"message": task, **others})


def on(name, place=0, key="target", **others):
    """A call about an agent that has been started before."""
    return lambda asked: ToolCall(name, {key: agents_in(asked)[place], **others})


def wait(*places):
    return lambda asked: ToolCall(
        "wait_agent", {"targets": [agents_in(asked)[place] for place in places or (0,)]}
    )


def asked_in(provider, said):
    """The last request of the thread in which the user has said this, and this first."""
    return next(r for r in reversed(provider.requests) if said in words(r)[1:2])


def came_to(provider, said="Hello") -> list[str]:
    """What the calls of the thread that began so have come to, in order."""
    return list(outputs(asked_in(provider, said)).values())


def collab(client, tool):
    """The finished calls of a tool that the client was shown."""
    items = [heard.params.item for heard in client.heard if heard.method == ITEM_COMPLETED.name]
    return [i for i in items if isinstance(i, CollabAgentToolCall) and i.tool == tool]


async def done(client, thread, status="completed"):
    told = await client.next(TURN_COMPLETED, lambda p: p.thread_id == thread.id)
    assert told.turn.status == status
    return told.turn


async def waiting(client):
    """Return once a model waits; the agents that it waits for."""
    begun = await client.next(ITEM_STARTED, lambda p: getattr(p.item, "tool", "") == "wait")
    return begun.item.receiver_thread_ids


def workers(connect) -> list[psutil.Process]:
    return connect.server.nursery().children()


def workers_of(connect, thread_id) -> list[psutil.Process]:
    """The worker that has the thread's file open."""
    return [
        worker
        for worker in workers(connect)
        if any(thread_id in file.path for file in worker.open_files())
    ]
