"""Questions and notifications of the protocol's first version.

The reference server keeps them in its schema and sends them to no thread of today, and neither do
we; they are here so that clients made from our schema fit either server.
"""

from typing import Literal

from msgspec import UNSET, UnsetType, field

from protocol.approval import NetworkPolicyAmendment
from protocol.wire import OneKey, Wire


class AddedFile(Wire, tag_field="type", tag="add"):
    content: str


class DeletedFile(Wire, tag_field="type", tag="delete"):
    content: str


class UpdatedFile(Wire, tag_field="type", tag="update"):
    unified_diff: str = field(name="unified_diff")
    move_path: str | None = field(default=None, name="move_path")


FileChange = AddedFile | DeletedFile | UpdatedFile


class ApplyPatchApprovalParams(Wire):
    call_id: str
    conversation_id: str
    file_changes: dict[str, FileChange]
    grant_root: str | None = None
    reason: str | None = None


class ApprovedAmendment(Wire):
    proposed_execpolicy_amendment: list[str] = field(name="proposed_execpolicy_amendment")


class AmendedNetwork(Wire):
    network_policy_amendment: NetworkPolicyAmendment = field(name="network_policy_amendment")


class AmendingReview(OneKey):
    approved_execpolicy_amendment: ApprovedAmendment | UnsetType = field(
        default=UNSET, name="approved_execpolicy_amendment"
    )
    network_policy_amendment: AmendedNetwork | UnsetType = field(
        default=UNSET, name="network_policy_amendment"
    )


ReviewDecision = (
    Literal["approved", "approved_for_session", "denied", "timed_out", "abort"] | AmendingReview
)


class ApplyPatchApprovalResponse(Wire):
    decision: ReviewDecision


class ReadCommand(Wire, tag_field="type", tag="read"):
    cmd: str
    name: str
    path: str


class ListFilesCommand(Wire, tag_field="type", tag="list_files"):
    cmd: str
    path: str | None = None


class SearchCommand(Wire, tag_field="type", tag="search"):
    cmd: str
    path: str | None = None
    query: str | None = None


class UnknownCommand(Wire, tag_field="type", tag="unknown"):
    cmd: str


ParsedCommand = ReadCommand | ListFilesCommand | SearchCommand | UnknownCommand


class ExecCommandApprovalParams(Wire):
    call_id: str
    command: list[str]
    conversation_id: str
    cwd: str
    parsed_cmd: list[ParsedCommand]
    approval_id: str | None = None
    reason: str | None = None


class ExecCommandApprovalResponse(Wire):
    decision: ReviewDecision


class ContextCompactedNotification(Wire):
    """An item of type `contextCompaction` says it now."""

    thread_id: str
    turn_id: str


class FileChangeOutputDeltaNotification(Wire):
    """A patch has no output while it is applied."""

    delta: str
    item_id: str
    thread_id: str
    turn_id: str
