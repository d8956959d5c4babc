from typing import Annotated, Literal

from msgspec import UNSET, UnsetType, field

from protocol.item import CommandAction
from protocol.permission import AdditionalPermissionProfile
from protocol.wire import EXPERIMENTAL, OneKey, Wire


class ExecpolicyAmendment(Wire):
    execpolicy_amendment: list[str] = field(name="execpolicy_amendment")


NetworkPolicyRuleAction = Literal["allow", "deny"]


class NetworkPolicyAmendment(Wire):
    action: NetworkPolicyRuleAction
    host: str


class NetworkAmendment(Wire):
    network_policy_amendment: NetworkPolicyAmendment = field(name="network_policy_amendment")


class AmendingDecision(OneKey):
    accept_with_execpolicy_amendment: ExecpolicyAmendment | UnsetType = UNSET
    apply_network_policy_amendment: NetworkAmendment | UnsetType = UNSET


CommandExecutionApprovalDecision = (
    Literal["accept", "acceptForSession", "decline", "cancel"] | AmendingDecision
)


NetworkApprovalProtocol = Literal["http", "https", "socks5Tcp", "socks5Udp"]


class NetworkApprovalContext(Wire):
    host: str
    protocol: NetworkApprovalProtocol


class CommandExecutionRequestApprovalParams(Wire, omit_defaults=True):
    """What is null is left out (observed)."""

    item_id: str
    started_at_ms: int
    thread_id: str
    turn_id: str
    additional_permissions: Annotated[AdditionalPermissionProfile | None, EXPERIMENTAL] = None
    approval_id: str | None = None
    available_decisions: Annotated[list[CommandExecutionApprovalDecision] | None, EXPERIMENTAL] = (
        None
    )
    command: str | None = None
    command_actions: list[CommandAction] | None = None
    cwd: str | None = None
    network_approval_context: NetworkApprovalContext | None = None
    proposed_execpolicy_amendment: list[str] | None = None
    proposed_network_policy_amendments: list[NetworkPolicyAmendment] | None = None
    reason: str | None = None


class CommandExecutionRequestApprovalResponse(Wire):
    decision: CommandExecutionApprovalDecision


class FileChangeRequestApprovalParams(Wire):
    item_id: str
    started_at_ms: int
    thread_id: str
    turn_id: str
    grant_root: str | None = None
    reason: str | None = None


FileChangeApprovalDecision = Literal["accept", "acceptForSession", "decline", "cancel"]


class FileChangeRequestApprovalResponse(Wire):
    decision: FileChangeApprovalDecision


RequestId = str | int


class ServerRequestResolvedNotification(Wire):
    request_id: RequestId
    thread_id: str
