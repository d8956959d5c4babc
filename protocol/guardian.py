"""A review of an approval by a model: what clients are told of it, and how they overrule it."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from protocol.approval import NetworkApprovalProtocol
from protocol.permission import RequestPermissionProfile
from protocol.wire import Nothing, Wire

GuardianRiskLevel = Literal["low", "medium", "high", "critical"]
GuardianUserAuthorization = Literal["unknown", "low", "medium", "high"]
GuardianApprovalReviewStatus = Literal["inProgress", "approved", "denied", "timedOut", "aborted"]
GuardianCommandSource = Literal["shell", "unifiedExec"]
AutoReviewDecisionSource = Literal["agent"]
Port = Annotated[int, Meta(ge=0, le=65535)]


class GuardianApprovalReview(Wire):
    """What the reviewer thinks; only the status until it has decided."""

    status: GuardianApprovalReviewStatus
    rationale: str | None = None
    risk_level: GuardianRiskLevel | None = None
    user_authorization: GuardianUserAuthorization | None = None


class ReviewedCommand(Wire, tag_field="type", tag="command"):
    command: str
    cwd: str
    source: GuardianCommandSource


class ReviewedExecve(Wire, tag_field="type", tag="execve"):
    """A program that a command starts."""

    argv: list[str]
    cwd: str
    program: str
    source: GuardianCommandSource


class ReviewedPatch(Wire, tag_field="type", tag="applyPatch"):
    cwd: str
    files: list[str]


class ReviewedNetworkAccess(Wire, tag_field="type", tag="networkAccess"):
    host: str
    port: Port
    protocol: NetworkApprovalProtocol
    target: str


class ReviewedMcpToolCall(Wire, tag_field="type", tag="mcpToolCall"):
    server: str
    tool_name: str
    connector_id: str | None = None
    connector_name: str | None = None
    tool_title: str | None = None


class ReviewedPermissions(Wire, tag_field="type", tag="requestPermissions"):
    permissions: RequestPermissionProfile
    reason: str | None = None


GuardianApprovalReviewAction = (
    ReviewedCommand
    | ReviewedExecve
    | ReviewedPatch
    | ReviewedNetworkAccess
    | ReviewedMcpToolCall
    | ReviewedPermissions
)


class ItemGuardianApprovalReviewStartedNotification(Wire, kw_only=True):
    """`target_item_id` is null for what is no item of its own: access to the network."""

    action: GuardianApprovalReviewAction
    review: GuardianApprovalReview
    review_id: str
    started_at_ms: int
    thread_id: str
    turn_id: str
    target_item_id: str | None = None


class ItemGuardianApprovalReviewCompletedNotification(
    ItemGuardianApprovalReviewStartedNotification, kw_only=True
):
    completed_at_ms: int
    decision_source: AutoReviewDecisionSource


class GuardianWarningNotification(Wire):
    message: str
    thread_id: str


class ThreadApproveGuardianDeniedActionParams(Wire):
    """`event` is a `GuardianAssessmentEvent`: see `protocol.assessment`."""

    event: Any
    thread_id: str


class ThreadApproveGuardianDeniedActionResponse(Nothing):
    """Model and reviewer are told of it at the next chance."""
