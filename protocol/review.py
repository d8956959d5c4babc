"""A review: what is to be looked at, and where the reviewer works."""

from typing import Literal, assert_never

from msgspec.structs import replace

from protocol.errors import check_input_size, invalid
from protocol.turn import Turn
from protocol.wire import Wire


class UncommittedChanges(Wire, tag_field="type", tag="uncommittedChanges"):
    """Staged, unstaged and untracked."""


class BaseBranch(Wire, tag_field="type", tag="baseBranch"):
    """What a merge into `branch` would change."""

    branch: str


class Commit(Wire, tag_field="type", tag="commit"):
    """`title` is for the eye only."""

    sha: str
    title: str | None = None


class Custom(Wire, tag_field="type", tag="custom"):
    """Whatever the user asks for."""

    instructions: str


ReviewTarget = UncommittedChanges | BaseBranch | Commit | Custom
ReviewDelivery = Literal["inline", "detached"]


class ReviewStartParams(Wire):
    """Detached, the review is the first turn of a thread of its own; inline it is the default."""

    target: ReviewTarget
    thread_id: str
    delivery: ReviewDelivery | None = None


class ReviewStartResponse(Wire):
    review_thread_id: str
    turn: Turn


def checked(target: ReviewTarget) -> ReviewTarget:
    """The same without blanks around its words.  Raises RpcError for one that says nothing."""
    match target:
        case UncommittedChanges():
            return target
        case BaseBranch(branch):
            return BaseBranch(_said("branch", branch))
        case Commit(sha, title):
            check_input_size(len(title or ""))
            return replace(target, sha=_said("sha", sha), title=(title or "").strip() or None)
        case Custom(instructions):
            return Custom(_said("instructions", instructions))
        case _:
            assert_never(target)


def _said(name: str, text: str) -> str:
    check_input_size(len(text))
    if not text.strip():
        raise invalid(f"{name} must not be empty")
    return text.strip()


def hint(target: ReviewTarget) -> str:
    """What is reviewed, for the user, in the reference server's words."""
    match target:
        case UncommittedChanges():
            return "current changes"
        case BaseBranch(branch):
            return f"changes against '{branch}'"
        case Commit(sha, title):
            return f"commit {sha[:7]}: {title}" if title else f"commit {sha[:7]}"
        case Custom(instructions):
            return instructions
        case _:
            assert_never(target)
