"""The settings of a thread: the configuration, and over it what the client asked for."""

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from msgspec import UNSET, UnsetType

from protocol import catalogue
from protocol.allowed import check_policy, check_reviewer, check_sandbox
from protocol.config import ProjectLayer, SystemLayer
from protocol.errors import RpcError, invalid
from protocol.loading import ThreadForkParams, ThreadResumeParams, ThreadStartParams
from protocol.model import Personality
from protocol.overrides import absolute, by_selection, check_environments, tier
from protocol.policy import (
    ApprovalsReviewer,
    AskForApproval,
    DangerFullAccess,
    PermissionProfile,
    ProfileSelection,
    SandboxMode,
)
from protocol.settings import Allowed, Realtime, Settings, ShellEnvironment
from protocol.turn import TurnEnvironmentParams
from supervisor import apps, check, deprecated, hooks, plugins
from supervisor.config import Config, request_table
from supervisor.layers import ConfigError, Layer, merged
from supervisor.network import managed_networks
from supervisor.permissions import by_mode, by_trust, named_profiles, permissions
from supervisor.project import trust_level
from supervisor.providers import provider
from supervisor.requirements import bounded
from supervisor.roles import agents
from supervisor.skills import skills_for
from supervisor.toml import Atrio, RealtimeToml, Toml


@dataclass
class Overrides:
    """What a request says of a thread's settings; the names are those of the protocol."""

    cwd: str | None = None
    model: str | None = None
    model_provider: str | None = None
    approval_policy: AskForApproval | None = None
    approvals_reviewer: ApprovalsReviewer | None = None
    sandbox: SandboxMode | None = None
    permissions: ProfileSelection | None = None
    config: dict[str, Any] | None = None
    base_instructions: str | None = None
    developer_instructions: str | None = None
    personality: Personality | None = None
    service_tier: str | UnsetType | None = UNSET
    persist_extended_history: bool = False
    environments: list[TurnEnvironmentParams] | None = None


def overrides(params: ThreadStartParams | ThreadResumeParams | ThreadForkParams) -> Overrides:
    named = {f.name for f in fields(Overrides)} & {*params.__struct_fields__}
    return Overrides(**{name: getattr(params, name) for name in named})


def resolve(config: Config, wanted: Overrides) -> Settings:
    """Raises RpcError.  The folder of the server is that of a thread which names none."""
    if wanted.permissions is not None and wanted.sandbox is not None:
        raise invalid("`permissions` cannot be combined with `sandbox`")
    check_environments(wanted.environments)
    cwd = absolute(wanted.cwd or "", os.getcwd())  # noqa: PTH109
    try:
        layers = config.layers(cwd, request_table(wanted.config, cwd))
        return _resolved(config, layers, wanted, cwd)
    except ConfigError as error:
        raise failed(error) from None


def failed(error: ConfigError) -> RpcError:
    return invalid(f"failed to load configuration: {error}")


def _resolved(config: Config, layers: list[Layer], wanted: Overrides, cwd: str) -> Settings:
    table = merged(layers)
    toml = check.verified(table)
    trust = trust_level(table, cwd)
    named = named_profiles(toml)
    required = config.requirements()
    features, login = config.features(toml), config.login()
    safety = _safety(toml, layers, named, wanted, trust, home=str(config.home), cwd=cwd)
    _check_wanted(required.allowed, wanted, safety)
    return Settings(
        home=str(config.home),
        cwd=cwd,
        has_environment=wanted.environments != [],
        provider=provider(toml, login, wanted.model_provider),
        permission_profiles=named,
        networks=managed_networks(toml),
        features=features,
        allowed=required.allowed,
        notices=deprecated.notices(toml, extended=wanted.persist_extended_history),
        shell_environment=_environment(toml),
        limits=(toml.atrio or Atrio()).limits,
        skills=skills_for(config, cwd),
        rules_folders=_rules_folders(layers),
        agents=agents(toml, layers),
        mcp_servers=apps.servers(toml, features, login, plugins.servers(config)),
        notify=toml.notify or [],
        realtime=_realtime(toml),
        hooks=hooks.in_force(config, features, cwd),
        **_model(toml, wanted),
        **_instructions(toml, wanted),
        **bounded(safety, required, by_mode("read-only", toml, str(config.home), cwd)),
    )


def _check_wanted(allowed: Allowed, wanted: Overrides, safety: dict[str, Any]) -> None:
    """What a client asks for expressly is refused where a configured value only gives way."""
    check_policy(allowed, wanted.approval_policy)
    check_reviewer(allowed, wanted.approvals_reviewer)
    if wanted.sandbox is not None or wanted.permissions is not None:
        check_sandbox(allowed, safety["sandbox_policy"])


def _rules_folders(layers: list[Layer]) -> list[str]:
    """Where rules are beside the user's: those of a project that is not trusted do not count."""
    found: list[Path] = []
    for layer in layers:
        match layer.name:
            case SystemLayer(file=file):
                found.append(Path(file).parent)
            case ProjectLayer(dot_codex_folder=folder) if layer.disabled_reason is None:
                found.append(Path(folder))
            case _:
                pass
    return [str(folder / "rules") for folder in found]


def _model(toml: Toml, wanted: Overrides) -> dict[str, Any]:
    return {
        "model": _first(wanted.model, toml.model, catalogue.default_model()),
        "review_model": toml.review_model,
        "effort": toml.model_reasoning_effort,
        "summary": toml.model_reasoning_summary,
        "verbosity": toml.model_verbosity,
        "service_tier": tier(
            toml.service_tier if wanted.service_tier is UNSET else wanted.service_tier
        ),
        "context_window": toml.model_context_window,
        "auto_compact_token_limit": toml.model_auto_compact_token_limit,
    }


def _instructions(toml: Toml, wanted: Overrides) -> dict[str, Any]:
    file = toml.model_instructions_file
    markers = toml.project_root_markers
    return {
        "base_instructions": _first(wanted.base_instructions, _text(file)),
        "developer_instructions": _first(
            wanted.developer_instructions, toml.developer_instructions
        ),
        "compact_prompt": _first(toml.compact_prompt, _text(toml.experimental_compact_prompt_file)),
        "personality": _first(wanted.personality, toml.personality),
        "project_doc_max_bytes": toml.project_doc_max_bytes,
        "project_doc_fallback_filenames": toml.project_doc_fallback_filenames,
        **({} if markers is None else {"project_root_markers": markers}),
    }


def _safety(
    toml: Toml,
    layers: list[Layer],
    named: dict[str, PermissionProfile],
    wanted: Overrides,
    trust: str | None,
    *,
    home: str,
    cwd: str,
) -> dict[str, Any]:
    """What commands may touch, who is asked, and whether searches leave the cache."""
    if wanted.permissions is not None:
        may = by_selection(wanted.permissions, named, home, cwd)
    elif wanted.sandbox is not None:
        may = by_mode(wanted.sandbox, toml, home, cwd)
    else:
        may = permissions(toml, layers, named, home, cwd) or by_trust(toml, trust, home, cwd)
    usual = "untrusted" if trust == "untrusted" else "on-request"
    return {
        "approval_policy": _first(wanted.approval_policy, toml.approval_policy, usual),
        "approvals_reviewer": _reviewer(_first(wanted.approvals_reviewer, toml.approvals_reviewer)),
        "guardian_policy": ((toml.auto_review and toml.auto_review.policy) or "").strip() or None,
        "web_search": _web_search(toml, full=isinstance(may["sandbox_policy"], DangerFullAccess)),
        **may,
    }


def _reviewer(name: ApprovalsReviewer | None) -> ApprovalsReviewer:
    """Two names for one reviewer; clients are told the older (observed)."""
    return "guardian_subagent" if name == "auto_review" else name or "user"


def _web_search(toml: Toml, *, full: bool) -> Literal["disabled", "cached", "live"]:
    """Full access searches live, all else the cache, unless it is configured (observed)."""
    if toml.web_search is not None:
        return toml.web_search
    return "live" if full else "cached"


def _realtime(toml: Toml) -> Realtime:
    own = toml.realtime or RealtimeToml()
    given: dict[str, Any] = {
        "base_url": toml.experimental_realtime_ws_base_url,
        "model": toml.experimental_realtime_ws_model,
        "version": own.version,
        "type": own.type,
        "voice": own.voice,
        "prompt": toml.experimental_realtime_ws_backend_prompt,
        "startup_context": toml.experimental_realtime_ws_startup_context,
        "start_instructions": toml.experimental_realtime_start_instructions,
    }
    return Realtime(**{name: value for name, value in given.items() if value is not None})


def _environment(toml: Toml) -> ShellEnvironment:
    policy = toml.shell_environment_policy
    environment = ShellEnvironment()
    for name in policy.__struct_fields__:
        if (value := getattr(policy, name)) is not None:
            setattr(environment, name, value)
    return environment


def _text(file: str | None) -> str | None:
    if file is None:
        return None
    try:
        return Path(file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the instructions in {file} cannot be read: {error}") from None


def _first(*values: Any) -> Any:
    """The first that is set; an empty text is set."""
    return next((value for value in values if value is not None), None)
