from typing import Annotated, Any, Literal

from msgspec import UNSET, UnsetType

from protocol.item import ThreadItem, UserInput
from protocol.model import CollaborationMode, Personality, ReasoningEffort, ReasoningSummary
from protocol.policy import (
    ApprovalsReviewer,
    AskForApproval,
    PermissionProfileSelectionParams,
    SandboxPolicy,
)
from protocol.wire import EXPERIMENTAL, OneKey, Wire


class HttpStatus(Wire):
    http_status_code: int | None = None


NonSteerableTurnKind = Literal["review", "compact"]


class ActiveTurnNotSteerable(Wire):
    turn_kind: NonSteerableTurnKind


class DetailedErrorInfo(OneKey):
    http_connection_failed: HttpStatus | UnsetType = UNSET
    response_stream_connection_failed: HttpStatus | UnsetType = UNSET
    response_stream_disconnected: HttpStatus | UnsetType = UNSET
    response_too_many_failed_attempts: HttpStatus | UnsetType = UNSET
    active_turn_not_steerable: ActiveTurnNotSteerable | UnsetType = UNSET


CodexErrorInfo = (
    Literal[
        "contextWindowExceeded",
        "usageLimitExceeded",
        "serverOverloaded",
        "cyberPolicy",
        "internalServerError",
        "unauthorized",
        "badRequest",
        "threadRollbackFailed",
        "sandboxError",
        "other",
    ]
    | DetailedErrorInfo
)


class TurnError(Wire):
    message: str
    additional_details: str | None = None
    codex_error_info: CodexErrorInfo | None = None


TurnItemsView = Literal["notLoaded", "summary", "full"]


TurnStatus = Literal["completed", "interrupted", "failed", "inProgress"]


class Turn(Wire):
    id: str
    items: list[ThreadItem]
    status: TurnStatus
    completed_at: int | None = None
    duration_ms: int | None = None
    error: TurnError | None = None
    items_view: TurnItemsView = "full"
    started_at: int | None = None


class TurnEnvironmentParams(Wire):
    cwd: str
    environment_id: str


class TurnStartParams(Wire):
    input: list[UserInput]
    thread_id: str
    approval_policy: AskForApproval | None = None
    approvals_reviewer: ApprovalsReviewer | None = None
    collaboration_mode: Annotated[CollaborationMode | None, EXPERIMENTAL] = None
    cwd: str | None = None
    effort: ReasoningEffort | None = None
    environments: Annotated[list[TurnEnvironmentParams] | None, EXPERIMENTAL] = None
    model: str | None = None
    output_schema: Any | UnsetType = UNSET
    permissions: Annotated[PermissionProfileSelectionParams | None, EXPERIMENTAL] = None
    personality: Personality | None = None
    responsesapi_client_metadata: Annotated[dict[str, str] | None, EXPERIMENTAL] = None
    sandbox_policy: SandboxPolicy | None = None
    service_tier: str | UnsetType | None = UNSET
    summary: ReasoningSummary | None = None


class TurnStartResponse(Wire):
    turn: Turn


class TurnSteerParams(Wire):
    expected_turn_id: str
    input: list[UserInput]
    thread_id: str
    responsesapi_client_metadata: Annotated[dict[str, str] | None, EXPERIMENTAL] = None


class TurnSteerResponse(Wire):
    turn_id: str


class TurnInterruptParams(Wire):
    thread_id: str
    turn_id: str


class TurnInterruptResponse(Wire):
    """No further fields."""


class TurnStartedNotification(Wire):
    thread_id: str
    turn: Turn


class TurnCompletedNotification(Wire):
    thread_id: str
    turn: Turn


class TurnDiffUpdatedNotification(Wire):
    diff: str
    thread_id: str
    turn_id: str


TurnPlanStepStatus = Literal["pending", "inProgress", "completed"]


class TurnPlanStep(Wire):
    status: TurnPlanStepStatus
    step: str


class TurnPlanUpdatedNotification(Wire):
    plan: list[TurnPlanStep]
    thread_id: str
    turn_id: str
    explanation: str | None = None


class ErrorNotification(Wire):
    error: TurnError
    thread_id: str
    turn_id: str
    will_retry: bool


class RawResponseItemCompletedNotification(Wire):
    """The provider's own JSON, for clients that asked with `experimentalRawEvents`."""

    item: dict[str, Any]
    thread_id: str
    turn_id: str
