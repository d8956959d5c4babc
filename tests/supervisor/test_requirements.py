"""What an administrator requires holds against users and clients."""

import pytest

from protocol.errors import RpcError
from protocol.overrides import turn_overrides
from protocol.policy import DangerFullAccess, ReadOnly
from protocol.turn import TurnStartParams
from supervisor.config import Config
from supervisor.layers import ConfigError
from supervisor.resolve import Overrides, resolve

REQUIRED = """
allowed_approval_policies = ["on-request"]
allowed_approvals_reviewers = ["user"]
allowed_sandbox_modes = ["read-only", "workspace-write"]
allowed_web_search_modes = ["cached"]
guardian_policy_config = "Be strict."
[features]
memories = true
"""
USERS = """
approval_policy = "never"
approvals_reviewer = "auto_review"
sandbox_mode = "danger-full-access"
web_search = "live"
[features]
memories = false
"""


@pytest.fixture
def config(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "requirements.toml").write_text(REQUIRED)
    (tmp_path / "config.toml").write_text(USERS)
    return Config(tmp_path, etc=tmp_path / "etc")


def test_configured_values_give_way_and_clients_are_told(config, tmp_path):
    """Observed: a fallback and a warning; an administrator's switches win."""
    settings = resolve(config, Overrides(cwd=str(tmp_path)))
    assert settings.approval_policy == "on-request"
    assert settings.approvals_reviewer == "user"
    assert settings.sandbox_policy == ReadOnly(network_access=False)
    assert settings.web_search == "cached"
    assert settings.guardian_policy == "Be strict."
    assert settings.features["memories"] is True
    told = "\n".join(warning.summary for warning in config.problems(str(tmp_path)))
    for value in ("`Never`", "`AutoReview`", "`DangerFullAccess`", "`Live`"):
        assert value in told


@pytest.mark.parametrize(
    "wanted",
    [
        {"approval_policy": "never"},
        {"approvals_reviewer": "auto_review"},
        {"sandbox": "danger-full-access"},
    ],
)
def test_what_a_client_asks_for_expressly_is_refused(config, tmp_path, wanted):
    """Ours: by name, with the file that says so; a quiet fallback would surprise."""
    with pytest.raises(RpcError, match=r"not in the allowed set .*requirements\.toml"):
        resolve(config, Overrides(cwd=str(tmp_path), **wanted))


def test_a_turn_may_not_ask_for_more_either(config, tmp_path):
    """Observed."""
    settings = resolve(config, Overrides(cwd=str(tmp_path)))
    for params in (
        TurnStartParams([], "t", approval_policy="never"),
        TurnStartParams([], "t", sandbox_policy=DangerFullAccess()),
    ):
        with pytest.raises(RpcError, match="is not in the allowed set"):
            turn_overrides(settings, params)


def test_a_broken_file_lets_nothing_start(config, tmp_path):
    """Ours: what cannot be read must not count as no requirement."""
    (tmp_path / "etc" / "requirements.toml").write_text("allowed_sandbox_modes = 1")
    with pytest.raises(ConfigError, match=r"requirements\.toml"):
        config.requirements()
    with pytest.raises(RpcError, match=r"requirements\.toml"):
        resolve(config, Overrides(cwd=str(tmp_path)))
