"""What tests of reviewed approvals share: who is asked, what is said, what was told."""

import json

from protocol.item import CommandExecution, FileChange
from protocol.methods import (
    AUTO_APPROVAL_REVIEW_COMPLETED,
    AUTO_APPROVAL_REVIEW_STARTED,
    GUARDIAN_WARNING,
    ITEM_COMPLETED,
    ITEM_STARTED,
    TURN_COMPLETED,
)
from workers.scripted import Patch, ToolCall

REVIEWED = {
    "approval_policy": "on-request",
    "approvals_reviewer": "auto_review",
    "sandbox": "workspace-write",
}
PERMISSIONS = {"features.request_permissions_tool": True}


def escalated(cmd):
    more = {"sandbox_permissions": "require_escalated", "justification": "Needed."}
    return ToolCall("exec_command", {"cmd": cmd, **more})


def patch(path):
    text = f"*** Begin Patch\n*** Add File: {path}\n+hi\n*** End Patch"
    return Patch(text)


def verdict(outcome, **more):
    return json.dumps({"outcome": outcome, "rationale": "Because."} | more)


def plays(provider, *steps):
    """One response each."""
    for step in steps:
        provider.says(step)


def reviews(provider):
    """The requests that a reviewer made."""
    return [one for one in provider.requests if one["model"] == "codex-auto-review"]


def asked(request):
    """What the reviewer was asked last, its parts joined."""
    return "".join(part["text"] for part in request["input"][-1]["content"])


def outputs(request):
    return [item["output"] for item in request["input"] if item["type"].endswith("_output")]


def no_question(client):
    return not any(heard.id for heard in client.heard)


async def played(connect, project, provider, *steps, **more):
    """A turn of it; the client and the thread."""
    plays(provider, *steps)
    client = await connect()
    thread = await client.start(cwd=str(project), **(REVIEWED | more))
    await client.begin(thread, "Make it.")
    await client.next(TURN_COMPLETED)
    return client, thread


def told(client, row):
    return [heard.params for heard in client.heard if heard.method == row.name]


def steps(client):
    """What was told of the command and its review, in order."""
    rows = [ITEM_STARTED, AUTO_APPROVAL_REVIEW_STARTED, GUARDIAN_WARNING]
    rows += [AUTO_APPROVAL_REVIEW_COMPLETED, ITEM_COMPLETED, TURN_COMPLETED]
    names = {row.name for row in rows}
    return [
        heard.method
        for heard in client.heard
        if heard.method in names
        and isinstance(getattr(heard.params, "item", None), CommandExecution | FileChange | None)
    ]
