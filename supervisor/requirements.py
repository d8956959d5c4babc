"""`requirements.toml`: what the administrator of the host lets users decide.

A configured value that is not allowed gives way to one that is, and clients are warned; what a
client asks for expressly is refused.  The texts are the reference server's (observed).
"""

import tomllib
from pathlib import Path
from typing import Any, cast

import msgspec
from msgspec import Struct

from protocol.allowed import (
    allows_mode,
    allows_policy,
    allows_reviewer,
    allows_web_search,
    check_mode,
    check_policy,
    check_reviewer,
    check_web_search,
    mode_of,
)
from protocol.config import ConfigRequirements, NetworkRequirements
from protocol.errors import RpcError
from protocol.settings import Allowed
from supervisor.layers import ConfigError, Table
from supervisor.toml import Toml


class Requirements(Struct, frozen=True):
    """`asked` is what clients are shown, None where there is no file."""

    file: str = ""
    asked: ConfigRequirements | None = None
    guardian_policy: str | None = None

    @property
    def allowed(self) -> Allowed:
        asked = self.asked or ConfigRequirements()
        return Allowed(
            source=self.file,
            approval_policies=asked.allowed_approval_policies,
            approvals_reviewers=asked.allowed_approvals_reviewers,
            sandbox_modes=asked.allowed_sandbox_modes,
            web_search_modes=asked.allowed_web_search_modes,
        )

    @property
    def features(self) -> dict[str, bool]:
        return (self.asked and self.asked.feature_requirements) or {}

    def check_features(self, switched: dict[str, Any]) -> None:
        """Raises ConfigError when one is switched to what it may not be."""
        for name, on in switched.items():
            required = self.features.get(name)
            if required is not None and isinstance(on, bool) and on is not required:
                allowed = ", ".join(f"{n}={_lower(value)}" for n, value in self.features.items())
                raise ConfigError(
                    f"invalid value for `features`: `features.{name}={_lower(on)}` is not in the "
                    f"allowed set [{allowed}] (set by {self.file})"
                )


def _lower(on: bool) -> str:
    return str(on).lower()


def read(file: Path) -> Requirements:
    """Raises ConfigError for a file that is there and cannot be read."""
    try:
        table = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return Requirements()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", file=file) from None
    policy = table.get("guardian_policy_config")
    return Requirements(
        str(file), _requirements(table, file), policy if isinstance(policy, str) else None
    )


def _requirements(table: Table, file: Path) -> ConfigRequirements:
    modes = table.get("allowed_web_search_modes")
    network = table.get("experimental_network", table.get("network"))
    given: Table = _pick(ConfigRequirements, table) | {
        "feature_requirements": table.get("features"),
        # Where a search may be cached it may be switched off as well (observed).
        "allowed_web_search_modes": modes and list(dict.fromkeys([*modes, "disabled"])),
        "network": None if network is None else NetworkRequirements(**_network(network)),
    }
    try:
        return msgspec.convert(msgspec.to_builtins(ConfigRequirements(**given)), ConfigRequirements)
    except (msgspec.ValidationError, TypeError) as error:
        raise ConfigError(str(error), file=file) from None


def _network(table: Table) -> Table:
    """Domains are told in both forms, whichever the file has (observed)."""
    found = _pick(NetworkRequirements, table)
    domains = cast("dict[str, str]", table.get("domains") or {})
    if domains:
        found.setdefault("allowed_domains", _with(domains, "allow") or None)
        found.setdefault("denied_domains", _with(domains, "deny") or None)
    return found


def _with(domains: dict[str, str], permission: str) -> list[str]:
    return [name for name, value in domains.items() if value == permission]


def _pick(shape: type[Struct], table: Table) -> Table:
    return {name: table[name] for name in shape.__struct_fields__ if name in table}


def disallowed(toml: Toml, requirements: Requirements) -> list[str]:
    """What to tell clients of configured values that give way."""
    allowed = requirements.allowed
    checks = (
        lambda: check_policy(allowed, toml.approval_policy),
        lambda: check_reviewer(allowed, toml.approvals_reviewer),
        lambda: toml.sandbox_mode and check_mode(allowed, toml.sandbox_mode),
        lambda: check_web_search(allowed, toml.web_search),
    )
    found: list[str] = []
    for check in checks:
        try:
            check()
        except RpcError as error:
            name = error.message.split("`")[1]
            found.append(
                f"Configured value for `{name}` is disallowed by requirements; falling back to "
                f"one that is allowed. Details: {error.message}"
            )
    return found


def bounded(safety: Table, requirements: Requirements, read_only: Table) -> Table:
    """The settings about safety with what is not allowed replaced.

    `read_only` are those three about permissions that let a command read only.
    """
    allowed, found = requirements.allowed, dict(safety)
    if not allows_policy(allowed, safety["approval_policy"]):
        found["approval_policy"] = (allowed.approval_policies or ["untrusted"])[0]
    if not allows_mode(allowed, mode_of(safety["sandbox_policy"])):
        found |= read_only
    if not allows_reviewer(allowed, safety["approvals_reviewer"]):
        found["approvals_reviewer"] = "user"
    if not allows_web_search(allowed, safety["web_search"]):
        found["web_search"] = (allowed.web_search_modes or ["disabled"])[0]
    if requirements.guardian_policy is not None:
        found["guardian_policy"] = requirements.guardian_policy
    return found
