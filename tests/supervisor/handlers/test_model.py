"""What clients offer in their model menus."""

import pytest

from protocol.errors import RpcError
from protocol.methods import COLLABORATION_MODE_LIST, MODEL_LIST, MODEL_PROVIDER_CAPABILITIES_READ
from protocol.model import (
    CollaborationModeListParams,
    ModelListParams,
    ModelProviderCapabilitiesReadParams,
)
from supervisor.handlers import HANDLERS
from supervisor.handlers import model as _  # noqa: F401 - enters its handlers


def call(row, params):
    return HANDLERS[row.name](None, None, params)


def listed(**params):
    answer = call(MODEL_LIST, ModelListParams(**params))
    return [model.id for model in answer.data], answer.next_cursor


def test_the_list_leaves_hidden_models_out():
    """Observed: hidden ones come with includeHidden only, and null means no."""
    shown = ["gpt-5.5", "gpt-5.4", "gpt-5.4-mini", "gpt-5.3-codex", "gpt-5.2"]

    assert listed() == (shown, None)
    assert listed(include_hidden=None, limit=5000) == (shown, None)
    assert listed(include_hidden=True) == ([*shown, "codex-auto-review"], None)


def test_pages_are_offsets_and_a_limit_of_zero_is_one():
    """Observed: cursors are numbers as strings."""
    assert listed(limit=2) == (["gpt-5.5", "gpt-5.4"], "2")
    assert listed(limit=2, cursor="4") == (["gpt-5.2"], None)
    assert listed(limit=0) == (["gpt-5.5"], "1")
    assert listed(cursor="5") == ([], None)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"cursor": "abc"}, "invalid cursor: abc"),
        ({"cursor": "-1"}, "invalid cursor: -1"),
        ({"cursor": "²"}, "invalid cursor: ²"),
        ({"cursor": "999"}, "cursor 999 exceeds total models 5"),
        ({"limit": -1}, "Invalid request: invalid value: integer `-1`, expected u32"),
    ],
)
def test_bad_pages_are_refused(params, message):
    """Observed: the reference server's words."""
    with pytest.raises(RpcError) as refused:
        listed(**params)

    assert refused.value.message == message


def test_a_model_says_what_it_is_followed_by():
    """Observed: an upgrade comes twice, bare and with details."""
    answer = call(MODEL_LIST, ModelListParams(cursor="4"))

    assert answer.data[0].upgrade == "gpt-5.4"
    assert answer.data[0].upgrade_info.model == "gpt-5.4"
    assert [e.reasoning_effort for e in answer.data[0].supported_reasoning_efforts] == [
        "low",
        "medium",
        "high",
        "xhigh",
    ]


def test_the_provider_can_do_all():
    """Observed: every capability is true with a Responses provider."""
    params = ModelProviderCapabilitiesReadParams()
    answer = call(MODEL_PROVIDER_CAPABILITIES_READ, params)

    assert (answer.image_generation, answer.namespace_tools, answer.web_search) == (True,) * 3


def test_there_are_two_collaboration_modes():
    """Observed: plan brings its effort, default leaves it alone."""
    answer = call(COLLABORATION_MODE_LIST, CollaborationModeListParams())

    assert [(m.name, m.mode, m.reasoning_effort) for m in answer.data] == [
        ("Plan", "plan", "medium"),
        ("Default", "default", None),
    ]
