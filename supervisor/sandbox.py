"""`atrio sandbox` and `--version --verbose`: ask a worker's side, which is where sandboxes are."""

import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from protocol.errors import RpcError
from protocol.overrides import by_selection
from protocol.policy import (
    DangerFullAccess,
    ExternalSandbox,
    PermissionProfile,
    ProfileSelection,
    ReadOnly,
    SandboxPolicy,
    WorkspaceWrite,
)
from protocol.profile import policy_of as told_by
from supervisor.config import Config
from supervisor.layers import ConfigError
from supervisor.options import Refused, Sandbox, Version, codex_home
from supervisor.permissions import named_profiles


def run(asked: Sandbox) -> NoReturn:
    """Become the process that runs it.  Raises Refused."""
    config = _config(asked.overrides)
    profile = None if asked.profile is None else profile_of(asked.profile, config)
    policy = policy_of(asked) if profile is None else told_by(profile, str(Path.cwd()))
    _become("sandbox", config.sandbox_minimum(), _json(policy), _json(profile), *asked.argv)


def tell_host(asked: Version) -> NoReturn:
    """Become the process that looks.  Raises Refused."""
    _become("host", _config(asked.overrides).sandbox_minimum())


def policy_of(asked: Sandbox) -> SandboxPolicy:
    """Folders are made absolute, since a policy is about places and not about where one stands."""
    match asked.policy:
        case "read-only":
            return ReadOnly(network_access=asked.network)
        case "workspace-write":
            roots = [str(Path(folder).absolute()) for folder in asked.writable]
            return WorkspaceWrite(network_access=asked.network, writable_roots=roots)
        case "danger-full-access":
            return DangerFullAccess()
        case "external-sandbox":
            return ExternalSandbox("enabled" if asked.network else "restricted")


def profile_of(said: str, config: Config) -> PermissionProfile:
    """Raises Refused."""
    here = str(Path.cwd())
    try:
        if said.lstrip().startswith("{"):
            return msgspec.json.decode(said, type=PermissionProfile)
        named = named_profiles(config.toml(here))
        found = by_selection(ProfileSelection(said), named, str(config.home), here)
    except msgspec.MsgspecError as error:
        raise Refused(f"--profile: {error}") from None
    except (ConfigError, RpcError) as error:
        raise Refused(f"--profile {said}: {error}") from None
    return found["permission_profile"]


def _config(overrides: list[str]) -> Config:
    try:
        config = Config.load(codex_home(), overrides)
        config.check()
    except (ConfigError, OSError) as error:
        raise Refused(str(error)) from None
    return config


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _become(*words: str) -> NoReturn:
    python = [sys.executable, "-I", "-m", "workers"]
    os.execv(sys.executable, [*python, *words])  # noqa: S606 - the interpreter that runs this
