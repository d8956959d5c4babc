"""model/list and its neighbours: what clients offer in their model menus.

The catalogue is ours and needs no network.
"""

from collections.abc import Sequence
from typing import TypeVar

from protocol.catalogue import ModelInfo, models
from protocol.errors import invalid
from protocol.methods import (
    COLLABORATION_MODE_LIST,
    MODEL_LIST,
    MODEL_PROVIDER_CAPABILITIES_READ,
)
from protocol.model import (
    CollaborationModeListParams,
    CollaborationModeListResponse,
    CollaborationModeMask,
    Model,
    ModelListParams,
    ModelListResponse,
    ModelProviderCapabilitiesReadParams,
    ModelProviderCapabilitiesReadResponse,
    ModelUpgradeInfo,
    ReasoningEffortOption,
)
from supervisor.connection import Connection
from supervisor.handlers import serves
from supervisor.host import Host

T = TypeVar("T")


@serves(MODEL_LIST)
def model_list(_host: Host, _client: Connection, params: ModelListParams) -> ModelListResponse:
    shown = [info for info in models() if params.include_hidden or not info.hidden]
    data, cursor = page(shown, params.cursor, params.limit, "models")
    return ModelListResponse([_model(info) for info in data], cursor)


@serves(MODEL_PROVIDER_CAPABILITIES_READ)
def model_provider_capabilities_read(
    _host: Host, _client: Connection, _params: ModelProviderCapabilitiesReadParams
) -> ModelProviderCapabilitiesReadResponse:
    return ModelProviderCapabilitiesReadResponse(
        image_generation=True, namespace_tools=True, web_search=True
    )


@serves(COLLABORATION_MODE_LIST)
def collaboration_mode_list(
    _host: Host, _client: Connection, _params: CollaborationModeListParams
) -> CollaborationModeListResponse:
    return CollaborationModeListResponse(
        [
            CollaborationModeMask("Plan", mode="plan", reasoning_effort="medium"),
            CollaborationModeMask("Default", mode="default"),
        ]
    )


def page(
    items: Sequence[T], cursor: str | None, limit: int | None, what: str
) -> tuple[Sequence[T], str | None]:
    """Items from the offset that `cursor` spells, and the cursor of the next page.

    Raises RpcError in the reference server's words; `what` names the items in them.
    """
    if limit is not None and limit < 0:
        raise invalid(f"Invalid request: invalid value: integer `{limit}`, expected u32")
    if cursor is not None and not (cursor.isascii() and cursor.isdigit()):
        raise invalid(f"invalid cursor: {cursor}")
    start = int(cursor or 0)
    if start > len(items):
        raise invalid(f"cursor {cursor} exceeds total {what} {len(items)}")
    end = len(items) if limit is None else start + max(limit, 1)
    return items[start:end], str(end) if end < len(items) else None


def _model(info: ModelInfo) -> Model:
    return Model(
        id=info.slug,
        model=info.slug,
        display_name=info.display_name,
        description=info.description,
        hidden=info.hidden,
        is_default=info.is_default,
        default_reasoning_effort=info.default_reasoning_effort or "none",
        supported_reasoning_efforts=[
            ReasoningEffortOption(option.description, option.effort)
            for option in info.supported_reasoning_efforts
        ],
        input_modalities=list(info.input_modalities),
        additional_speed_tiers=list(info.speed_tiers),
        supports_personality=info.supports_personality,
        upgrade=info.upgrade,
        upgrade_info=ModelUpgradeInfo(info.upgrade) if info.upgrade else None,
    )
