"""Which configurations are refused, and in which words."""

import pytest

from supervisor.check import typed, verified
from supervisor.layers import ConfigError


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({"model": 5}, "invalid type: integer `5`, expected a string\nin `model`\n"),
        (
            {"sandbox_mode": "none"},
            (
                "unknown variant `none`, expected one of "
                "`read-only`, `workspace-write`, `danger-full-access`\nin `sandbox_mode`\n"
            ),
        ),
        (
            {"approval_policy": "sometimes"},
            (
                "unknown variant `sometimes`, expected one of "
                "`untrusted`, `on-failure`, `on-request`, `never`, `granular`\n"
                "in `approval_policy`\n"
            ),
        ),
        ({"notify": "x"}, 'invalid type: string "x", expected a sequence\nin `notify`\n'),
        ({"notify": [1]}, "invalid type: integer `1`, expected a string\nin `notify.0`\n"),
        ({"history": True}, "invalid type: boolean `true`, expected a table\nin `history`\n"),
        (
            {"projects": {"/ok": {}, "/x": {"trust_level": "maybe"}}},
            (
                "unknown variant `maybe`, expected one of `trusted`, `untrusted`\n"
                'in `projects."/x".trust_level`\n'
            ),
        ),
    ],
)
def test_a_wrong_type_is_told_with_its_key(table, text):
    """Observed for the first line; ours names the key inside tables as well."""
    with pytest.raises(ConfigError) as raised:
        typed(table)

    assert str(raised.value) == text


def test_unknown_keys_are_passed_over():
    """Observed: newer versions write more."""
    assert typed({"some_future_key": {"a": 1}, "model": "m"}).model == "m"


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({"model_provider": "nobody"}, "Model provider `nobody` not found"),
        ({"profile": "x"}, "config profile `x` not found"),
        ({"model_providers": {"x": {"base_url": "u"}}}, "name must not be empty"),
        ({"model_providers": {"openai": {"name": "x"}}}, "built-in provider"),
        ({"model_providers": {"x": {"name": "X", "wire_api": "chat"}}}, "chat wire is not spoken"),
        ({"model_providers": {"x": {"name": "X", "wire_api": "no"}}}, "unknown variant `no`"),
        ({"model_providers": {"x": {"name": "X", "wire_api": "scripted"}}}, "needs `script`"),
        ({"mcp_servers": {"x": {"args": []}}}, "invalid transport"),
        ({"mcp_servers": {"x": {"command": "c", "url": "u"}}}, "invalid transport"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(table, text):
    """Observed."""
    with pytest.raises(ConfigError, match=text):
        verified(table)


def test_a_profile_lies_over_the_top_level():
    """Observed: only the keys that it sets; its features join the others."""
    toml = verified(
        {
            "profile": "fast",
            "model": "slow-model",
            "approval_policy": "never",
            "features": {"goals": True, "hooks": True},
            "profiles": {"fast": {"model": "quick", "features": {"hooks": False}}},
        }
    )

    assert (toml.model, toml.approval_policy) == ("quick", "never")
    assert toml.features == {"goals": True, "hooks": False}
