"""What a command may touch: a policy goes in, a recipe for launching comes out.

Nothing is started here but the probe of what the host can do.  A policy that it cannot enforce is
refused, never weakened.
"""

import os
from dataclasses import replace

from protocol.policy import PermissionProfile, SandboxPolicy
from protocol.profile import profile_of
from sandbox.bare import NETWORK_DISABLED, marked
from sandbox.enclosure import enclosed
from sandbox.launch import Launch, Prepared
from sandbox.netns import Namespace
from sandbox.probe import Missing, host, settle
from sandbox.reach import Places, Reach, name_of, reach
from sandbox.refusal import Unenforceable
from sandbox.told import report, shortfall

__all__ = [
    "Launch",
    "Namespace",
    "Prepared",
    "Unenforceable",
    "plan",
    "report",
    "settle",
    "shortfall",
]


def plan(
    policy: SandboxPolicy,
    argv: list[str],
    cwd: str,
    env: dict[str, str],
    profile: PermissionProfile | None = None,
    *,
    project: str | None = None,
    namespace: Namespace | None = None,
) -> Launch:
    """`profile` counts whenever there is one.  `project` is the folder that the policy is about,
    for a thread its cwd; it is the server's own by default, as in the reference server (observed).
    With a `namespace` its network is all that the command reaches, whatever the policy says.

    Raises Unenforceable; never a weaker launch than the policy asks for.
    """
    places = Places.here(project or os.getcwd())  # noqa: PTH109
    allowed = reach(policy, profile, places)
    if namespace is not None:
        allowed = replace(allowed or Reach(network=False, rules={"/": "write"}), network=False)
    if allowed is None:
        return Launch(argv, cwd, marked(profile or profile_of(policy), env))
    name = name_of(policy, profile)
    found = host()
    if isinstance(found, Missing):
        raise Unenforceable(name, found.reason, found.cure)
    env = dict(env) if allowed.network or namespace else {**env, NETWORK_DISABLED: "1"}
    around = enclosed(allowed, found, places.home, cwd, name, namespace=namespace)
    return Launch(argv, cwd, env, around)
