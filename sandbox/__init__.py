"""What a command may touch: a policy goes in, a recipe for launching comes out.

Nothing is started here.  A policy that this host cannot enforce is refused, never weakened.
"""

from dataclasses import dataclass

from protocol.policy import (
    DangerFullAccess,
    ExternalSandbox,
    ReadOnly,
    SandboxPolicy,
    WorkspaceWrite,
)
from sandbox.bare import marked


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start: `argv[0]` is a path or a name on the PATH of `env`; `cwd` is absolute."""

    argv: list[str]
    cwd: str
    env: dict[str, str]


class Unenforceable(Exception):
    """The policy cannot be kept on this host; `reason` names it and what to do."""

    def __init__(self, policy: str) -> None:
        self.reason = (
            f"Atrio cannot enforce the sandbox policy {policy} on this host yet, so the command "
            "was not run. Choose danger-full-access, or externalSandbox if Atrio itself runs "
            "inside a container that confines it."
        )
        super().__init__(self.reason)


def plan(policy: SandboxPolicy, argv: list[str], cwd: str, env: dict[str, str]) -> Launch:
    """Raises Unenforceable; never a weaker launch than the policy asks for."""
    match policy:
        case DangerFullAccess() | ExternalSandbox():
            return Launch(argv, cwd, marked(policy, env))
        case ReadOnly():
            raise Unenforceable("read-only")
        case WorkspaceWrite():
            raise Unenforceable("workspace-write")
