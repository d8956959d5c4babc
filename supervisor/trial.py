"""`atrio sandbox` on the command line: which policy a command is tried with."""

import argparse
from dataclasses import dataclass, field
from typing import Literal, get_args

from supervisor.refused import Refused

Policy = Literal["read-only", "workspace-write", "danger-full-access", "external-sandbox"]


@dataclass(frozen=True)
class Sandbox:
    """`sandbox`: one command as a thread with this policy would run it.

    `profile` is a permission profile, as JSON or by its name, and counts if there is one.
    """

    argv: list[str]
    policy: Policy = "read-only"
    profile: str | None = None
    network: bool = False
    writable: list[str] = field(default_factory=list[str])
    overrides: list[str] = field(default_factory=list[str])


_WHAT = """\
Run CMD as a thread with this policy runs its commands, in this folder and with this environment.
The exit code is the command's: 128 and the signal that ended it, 125 when it cannot be confined.
"""
_EXAMPLES = """\
examples:
  atrio sandbox -- ls -l
  atrio sandbox --policy workspace-write --writable ~/.cache -- make
  atrio sandbox --profile :workspace -- make
  atrio sandbox --profile '{"type":"managed","network":{"enabled":false},"fileSystem":{
    "type":"restricted","entries":[{"access":"read","path":{"type":"path","path":"/"}},
    {"access":"none","path":{"type":"glob_pattern","pattern":"**/*.env"}}]}}' -- cat .env
  atrio sandbox -c 'atrio.sandbox_minimum="reduced"' -- ls    # where there is no bubblewrap
"""


def add(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.description, parser.epilog = _WHAT, _EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.set_defaults(tool="sandbox")
    add = parser.add_argument
    add("--policy", choices=get_args(Policy), help="read-only unless you say otherwise")
    add(
        "--profile",
        metavar="JSON|NAME",
        help="a permission profile instead: its JSON, or a name as in `default_permissions`",
    )
    add("--network", action="store_true", help="let it reach the network")
    add(
        *("--writable", "-w"),
        action="append",
        default=[],
        metavar="DIR",
        help="with workspace-write: a further folder to write to",
    )
    add("argv", nargs="+", metavar="CMD", help="behind --, with its arguments")
    return parser


def read(given: argparse.Namespace, overrides: list[str]) -> Sandbox:
    """Raises Refused for flags that contradict each other."""
    if given.profile is not None:
        for flag, value in (("--policy", given.policy), ("--writable", given.writable)):
            if value:
                raise Refused(f"{flag} says what --profile says; leave one of them out")
        if given.network:
            raise Refused("--profile says itself whether there is a network; leave --network out")
    policy = given.policy or "read-only"
    if given.writable and policy != "workspace-write":
        raise Refused(f"--writable needs --policy workspace-write, not {policy}")
    return Sandbox(given.argv, policy, given.profile, given.network, given.writable, overrides)
