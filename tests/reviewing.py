"""What tests of reviews share: a repository, a reviewer's words, the calls."""

import json
import subprocess

from protocol.item import ExitedReviewMode
from protocol.methods import ITEM_COMPLETED, REVIEW_START, TURN_COMPLETED
from protocol.review import Custom, ReviewStartParams
from tests.model import HEAD

LOOK = Custom("Look at the names.")
FAILING = (
    HEAD + b'data: {"type":"response.failed","response":{"error":{"code":"x","message":"no"}}}\n\n'
)


def finding(title: str) -> dict:
    place = {"absolute_file_path": "/x.py", "line_range": {"start": 3, "end": 4}}
    return {"title": title, "body": "Ends early.", "priority": 1, "code_location": place}


def verdict(*titles: str) -> str:
    found = [finding(title) for title in titles]
    return json.dumps({"findings": found, "overall_explanation": "Looked at."})


def git(folder, *words: str) -> str:
    named = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *named, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def repository(folder) -> None:
    """Make the folder one, with a commit."""
    git(folder, "init", "-q", "-b", "main")
    (folder / "a.py").write_text("x = 1\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")


async def review(client, thread, target=LOOK, **params):
    return await client.call(REVIEW_START, ReviewStartParams(target, thread.id, **params))


async def reviewed(client, thread, target=LOOK) -> str:
    """Review inline; the text of the way out."""
    await review(client, thread, target)
    done = await client.next(TURN_COMPLETED)
    return out_of(client, done.turn.id)


def out_of(client, turn_id: str) -> str:
    """What the way out of a review said."""
    (out,) = (
        heard.params.item.review
        for heard in client.heard
        if heard.method == ITEM_COMPLETED.name
        and heard.params.turn_id == turn_id
        and isinstance(heard.params.item, ExitedReviewMode)
    )
    return out


def said(request) -> list[tuple[str, str]]:
    return [
        (item["role"], part["text"])
        for item in request["input"]
        for part in item.get("content", [])
    ]
