"""A policy becomes a launch, or a refusal."""

import pytest

from protocol.policy import DangerFullAccess, ExternalSandbox, ReadOnly, WorkspaceWrite
from sandbox import Launch, Unenforceable, plan
from sandbox.probe import Missing

ENV = {"PATH": "/bin"}
MARKED = {"PATH": "/bin", "CODEX_SANDBOX_NETWORK_DISABLED": "1"}


@pytest.mark.parametrize(
    ("policy", "env"),
    [
        (DangerFullAccess(), ENV),
        (ExternalSandbox(network_access="enabled"), ENV),
        (ExternalSandbox(network_access="restricted"), MARKED),
    ],
)
def test_without_a_sandbox_of_ours_the_command_is_launched_as_it_is(policy, env):
    """Observed: only a closed network is marked."""
    assert plan(policy, ["ls"], "/x", ENV) == Launch(["ls"], "/x", env)
    assert ENV == {"PATH": "/bin"}


@pytest.mark.parametrize(
    ("policy", "name"),
    [
        (ReadOnly(), "read-only"),
        (ReadOnly(network_access=True), "read-only"),
        (WorkspaceWrite(), "workspace-write"),
    ],
)
def test_what_cannot_be_enforced_is_refused_with_its_name_and_a_cure(policy, name, monkeypatch):
    """Ours: never a weaker launch than was asked for."""
    missing = Missing("there is no sandbox here", "Install one.")
    monkeypatch.setattr("sandbox.host", lambda: missing)
    with pytest.raises(Unenforceable) as caught:
        plan(policy, ["ls"], "/x", ENV)
    assert name in caught.value.reason
    assert missing.reason in caught.value.reason
    assert missing.cure in caught.value.reason
