"""How a thread is loaded: begun, resumed, or forked from another.

All three take the same settings, and all three answer alike.
"""

from typing import Annotated, Any

from msgspec import UNSET, UnsetType, field

from protocol.model import Personality, ReasoningEffort
from protocol.policy import (
    ActivePermissionProfile,
    ApprovalsReviewer,
    AskForApproval,
    PermissionProfile,
    PermissionProfileSelectionParams,
    SandboxMode,
    SandboxPolicy,
)
from protocol.thread import DynamicToolSpec, Thread, ThreadSource, ThreadStartSource
from protocol.turn import TurnEnvironmentParams
from protocol.wire import EXPERIMENTAL, Wire


class ThreadSettings(Wire, kw_only=True):
    """What a client may say of a thread's settings; the configuration says the rest."""

    approval_policy: AskForApproval | None = None
    approvals_reviewer: ApprovalsReviewer | None = None
    base_instructions: str | None = None
    config: dict[str, Any] | None = None
    cwd: str | None = None
    developer_instructions: str | None = None
    model: str | None = None
    model_provider: str | None = None
    permissions: Annotated[PermissionProfileSelectionParams | None, EXPERIMENTAL] = None
    persist_extended_history: Annotated[bool, EXPERIMENTAL] = False
    sandbox: SandboxMode | None = None
    service_tier: str | UnsetType | None = UNSET


class ThreadStartParams(ThreadSettings, kw_only=True):
    dynamic_tools: Annotated[list[DynamicToolSpec] | None, EXPERIMENTAL] = None
    environments: Annotated[list[TurnEnvironmentParams] | None, EXPERIMENTAL] = None
    ephemeral: bool | None = None
    experimental_raw_events: Annotated[bool, EXPERIMENTAL] = False
    mock_experimental_field: Annotated[str | None, EXPERIMENTAL] = None
    personality: Personality | None = None
    service_name: str | None = None
    session_start_source: ThreadStartSource | None = None
    thread_source: ThreadSource | None = None


class ThreadStartResponse(Wire):
    """`instruction_sources` are the paths of the AGENTS.md files that hold."""

    approval_policy: AskForApproval
    approvals_reviewer: ApprovalsReviewer
    cwd: str
    model: str
    model_provider: str
    sandbox: SandboxPolicy
    thread: Thread
    active_permission_profile: Annotated[ActivePermissionProfile | None, EXPERIMENTAL] = None
    instruction_sources: list[str] = field(default_factory=list[str])
    permission_profile: Annotated[PermissionProfile | None, EXPERIMENTAL] = None
    reasoning_effort: ReasoningEffort | None = None
    service_tier: str | None = None


class ThreadResumeParams(ThreadSettings, kw_only=True):
    """`history` wins over `path`, `path` over `thread_id`."""

    thread_id: str
    exclude_turns: Annotated[bool, EXPERIMENTAL] = False
    history: Annotated[list[dict[str, Any]] | None, EXPERIMENTAL] = None
    path: Annotated[str | None, EXPERIMENTAL] = None
    personality: Personality | None = None


class ThreadResumeResponse(ThreadStartResponse):
    """The same shape as `thread/start` answers with."""


class ThreadForkParams(ThreadSettings, kw_only=True):
    thread_id: str
    ephemeral: bool = False
    exclude_turns: Annotated[bool, EXPERIMENTAL] = False
    path: Annotated[str | None, EXPERIMENTAL] = None
    thread_source: ThreadSource | None = None


class ThreadForkResponse(ThreadStartResponse):
    """The same shape as `thread/start` answers with."""
