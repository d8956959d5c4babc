"""The feature switches."""

from supervisor.check import typed
from supervisor.features import FEATURES, SETTABLE, enabled, listed


def test_features_stand_as_the_reference_lists_them():
    """Observed: order, stage and default of a few."""
    names = list(FEATURES)

    assert (names[0], names[-1], len(names)) == ("undo", "workspace_dependencies", 74)
    assert FEATURES["unified_exec"].default
    assert (FEATURES["goals"].stage, FEATURES["goals"].default) == ("beta", False)
    assert set(SETTABLE) <= set(names)


def test_the_configuration_switches_them_and_strangers_are_left_out():
    """Observed: unknown names are tolerated; an old key still counts."""
    toml = typed(
        {
            "features": {"goals": True, "unified_exec": True, "no_such": True, "hooks": "odd"},
            "experimental_use_unified_exec_tool": False,
            "experimental_use_freeform_apply_patch": True,
        }
    )

    stand = enabled(toml)

    assert stand["goals"]
    assert stand["unified_exec"]
    assert stand["apply_patch_freeform"]
    assert stand["hooks"]
    assert "no_such" not in stand


def test_a_listed_feature_tells_default_and_state_apart():
    """Observed."""
    rows = {row.name: row for row in listed(enabled(typed({"features": {"plugins": False}})))}

    assert (rows["plugins"].enabled, rows["plugins"].default_enabled) == (False, True)
    assert rows["memories"].display_name == "Memories"
    assert rows["shell_tool"].description is None
