from typing import Literal

from msgspec import field

from protocol.wire import U32, Wire

ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]


ReasoningSummary = Literal["auto", "concise", "detailed", "none"]


Personality = Literal["none", "friendly", "pragmatic"]


ModeKind = Literal["plan", "default"]


class CollaborationSettings(Wire):
    model: str
    developer_instructions: str | None = field(default=None, name="developer_instructions")
    reasoning_effort: ReasoningEffort | None = field(default=None, name="reasoning_effort")


class CollaborationMode(Wire):
    mode: ModeKind
    settings: CollaborationSettings


class ModelListParams(Wire):
    cursor: str | None = None
    include_hidden: bool | None = None
    limit: U32 | None = None


class ModelAvailabilityNux(Wire):
    message: str


InputModality = Literal["text", "image"]


class ModelServiceTier(Wire):
    description: str
    id: str
    name: str


class ReasoningEffortOption(Wire):
    description: str
    reasoning_effort: ReasoningEffort


class ModelUpgradeInfo(Wire):
    model: str
    migration_markdown: str | None = None
    model_link: str | None = None
    upgrade_copy: str | None = None


class Model(Wire):
    default_reasoning_effort: ReasoningEffort
    description: str
    display_name: str
    hidden: bool
    id: str
    is_default: bool
    model: str
    supported_reasoning_efforts: list[ReasoningEffortOption]
    additional_speed_tiers: list[str] = field(default_factory=list[str])
    availability_nux: ModelAvailabilityNux | None = None
    input_modalities: list[InputModality] = field(default_factory=lambda: ["text", "image"])
    service_tiers: list[ModelServiceTier] = field(default_factory=list[ModelServiceTier])
    supports_personality: bool = False
    upgrade: str | None = None
    upgrade_info: ModelUpgradeInfo | None = None


class ModelListResponse(Wire):
    data: list[Model]
    next_cursor: str | None = None


class ModelProviderCapabilitiesReadParams(Wire):
    """No further fields."""


class ModelProviderCapabilitiesReadResponse(Wire):
    image_generation: bool
    namespace_tools: bool
    web_search: bool


ModelRerouteReason = Literal["highRiskCyberActivity"]
ModelVerification = Literal["trustedAccessForCyber"]


class ModelReroutedNotification(Wire):
    """Another model answers than the one that was asked for."""

    from_model: str
    reason: ModelRerouteReason
    thread_id: str
    to_model: str
    turn_id: str


class ModelVerificationNotification(Wire):
    """What the account should be verified for."""

    thread_id: str
    turn_id: str
    verifications: list[ModelVerification]


class CollaborationModeListParams(Wire):
    """No further fields."""


class CollaborationModeMask(Wire):
    name: str
    mode: ModeKind | None = None
    model: str | None = None
    reasoning_effort: ReasoningEffort | None = field(default=None, name="reasoning_effort")


class CollaborationModeListResponse(Wire):
    data: list[CollaborationModeMask]
