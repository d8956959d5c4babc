"""What is known of a model by its name."""

import pytest

from protocol.catalogue import default_model, describe, find, models


def slug(model):
    found = find(model)
    return found and found.slug


@pytest.mark.parametrize(
    ("asked", "known"),
    [
        ("gpt-5.4", "gpt-5.4"),
        ("gpt-5.4-2026-01-01", "gpt-5.4"),
        ("gpt-5.4-mini-x", "gpt-5.4-mini"),
        ("gpt-5.2-codex", "gpt-5.2"),
        ("openai/gpt-5.4", "gpt-5.4"),
        ("a/b/gpt-5.4", None),
        ("gpt-5", None),
        ("mock-model", None),
    ],
)
def test_a_model_is_known_by_the_longest_slug_it_begins_with(asked, known):
    """Observed: what the reference server sends for these names."""
    assert slug(asked) == known


def test_an_unknown_model_gets_no_frills():
    """Observed: no reasoning, no verbosity, no parallel calls, no patch tool, the usual window."""
    info = describe("mock-model")

    assert info.slug == "mock-model"
    assert not info.supports_reasoning
    assert not info.supports_parallel_tool_calls
    assert not info.apply_patch_tool
    assert info.default_verbosity is None
    assert info.window() == 258_400


@pytest.mark.parametrize(
    ("model", "configured", "window"),
    [
        ("gpt-5.4", None, 258_400),
        ("gpt-5.4", 1000, 950),
        ("gpt-5.4", 3_000_000, 950_000),
        ("gpt-5.5", 3_000_000, 258_400),
        ("mock-model", 1000, 950),
    ],
)
def test_a_configured_window_is_held_to_what_the_model_can(model, configured, window):
    """Observed: `modelContextWindow` for `model_context_window` in config.toml."""
    assert describe(model).window(configured) == window


def test_a_configured_limit_can_only_bring_compaction_forward():
    """Observed: 244,900 tokens compact by default, and with a limit of 260,000 too."""
    info = describe("gpt-5.4")

    assert info.compact_limit() == 244_800
    assert info.compact_limit(limit=260_000) == 244_800
    assert info.compact_limit(limit=1000) == 1000
    assert info.compact_limit(configured=1000) == 900


def test_one_model_is_the_default():
    """Observed: `model/list` has exactly one `isDefault`."""
    assert [info.slug for info in models() if info.is_default] == [default_model()] == ["gpt-5.5"]
