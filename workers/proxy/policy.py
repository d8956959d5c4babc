"""What is to be done about a host, before anybody is asked: pure, settings and rules go in.

What denies comes first, then what is near, then what allows; an order in which nothing that lets
through can undo what keeps out.
"""

import re
from collections.abc import Iterable
from fnmatch import translate
from functools import lru_cache
from typing import Literal

from protocol.network import ManagedNetwork
from workers.hostrule import HostRule
from workers.proxy.address import is_public
from workers.proxy.target import Address, BadTarget, Target, address, normal

Judgement = Literal["allowed", "denied", "local", "unlisted"]

LOCALHOST = "localhost"


class Policy:
    """The profile's domains, and the user's standing answers."""

    def __init__(self, network: ManagedNetwork, rules: Iterable[HostRule] = ()) -> None:
        self.network = network
        self._rules = list(rules)
        self._allowed = _compiled(tuple(network.allowed))
        self._denied = _compiled(tuple(network.denied))

    def judge(self, target: Target) -> Judgement:
        """A name is not looked up for this: a look-up already tells somebody something."""
        if self.is_denied(target.host):
            return "denied"
        if self._is_near(target) and not self._may_be_near(target):
            return "local"
        if self._ruled(target, "prompt"):
            return "unlisted"
        if self._allowed.match(target.host) or self._ruled(target, "allow"):
            return "allowed"
        return "unlisted"

    def judge_addresses(self, target: Target, addresses: Iterable[Address]) -> Judgement:
        """The same of what a name has turned out to mean: all of it, since any may be used."""
        for found in addresses:
            if self.is_denied(str(found)):
                return "denied"
            if not is_public(found) and not self._may_be_near(target):
                return "local"
        return "allowed"

    def is_denied(self, host: str) -> bool:
        """A rule that denies a host means it, whatever it is asked by."""
        return bool(self._denied.match(host)) or any(
            rule.decision == "deny" and rule.host == host for rule in self._rules
        )

    def _ruled(self, target: Target, decision: str) -> bool:
        """Unlike the reference server: who allowed https has not allowed raw connections too."""
        return any(
            (rule.host, rule.protocol, rule.decision) == (target.host, target.protocol, decision)
            for rule in self._rules
        )

    def _is_near(self, target: Target) -> bool:
        literal = address(target.host)
        return target.host == LOCALHOST if literal is None else not is_public(literal)

    def _may_be_near(self, target: Target) -> bool:
        """A pattern is not enough: whoever writes * does not think of the machine itself."""
        if self.network.allow_local_binding:
            return True
        named = target.host in map(_normal, self.network.allowed)
        return self._is_near(target) and (named or self._ruled(target, "allow"))


def _normal(pattern: str) -> str | None:
    try:
        return normal(pattern)
    except BadTarget:
        return None  # it has wildcards


@lru_cache(maxsize=64)
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """`*.a.b` is what lies below a.b, `**.a.b` that and a.b itself (both observed)."""
    several = [glob for pattern in patterns for glob in _globs(pattern)]
    return re.compile("|".join(map(translate, several)) or "(?!)")


def _globs(pattern: str) -> list[str]:
    bare = pattern.strip().lower().rstrip(".")
    if bare.startswith("**."):
        return [bare[3:], f"?{bare[1:]}"]
    if bare.startswith("*."):
        return [f"?{bare}"]
    return [_normal(bare) or bare]
