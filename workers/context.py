"""What the model is told besides the conversation, and when.

A thread begins with a developer message (rights, rules, mode, skills) and a user message (project
documents, environment).  Later turns get only what has changed since the model was last told.
The order of the parts is the reference server's (observed, release 0.130.0).
"""

from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct

from protocol.catalogue import describe
from protocol.model import CollaborationMode, Personality
from protocol.policy import (
    DangerFullAccess,
    ExternalSandbox,
    GranularApproval,
    GranularSettings,
    ReadOnly,
    SandboxPolicy,
    WorkspaceWrite,
)
from protocol.settings import Settings
from sandbox.policy import writable_roots
from workers import wording
from workers.approval.review import decides
from workers.docs import Docs, wrapped
from workers.environment import Environment, environment_item, environment_text, look
from workers.tools.wish import BY_TOOL, PER_COMMAND

Item = dict[str, Any]  # of the Responses API


def base_instructions(settings: Settings) -> str:
    """The request's `instructions`; the settings' own win over ours."""
    if settings.base_instructions is not None:
        return settings.base_instructions
    return _template().replace("{{voice}}", wording.VOICES[_personality(settings)])


class Told(Struct, frozen=True):
    """What the model has been told last.  Kept by the thread, and read back from its rollout."""

    settings: Settings
    environment: Environment


def items(told: Told | None, settings: Settings, docs: Docs) -> tuple[list[Item], Told]:
    """What stands before a turn, and what the model has been told with it.

    `told` is None before the first turn and after a compaction: then everything is said.
    """
    now = Told(settings, look(settings))
    if told is None:
        return initial_items(settings, docs, now.environment), now
    return update_items(told.settings, settings, told.environment, now.environment), now


def initial_items(settings: Settings, docs: Docs, now: Environment) -> list[Item]:
    """What stands before the first turn: one developer message and one user message."""
    rules = [
        _permissions(settings),
        settings.developer_instructions,
        _mode(settings.collaboration_mode),
        _apps(settings),
        _skills(settings),
    ]
    around = [wrapped(docs, settings.cwd) if docs.text else None, environment_text(now)]
    return [*_message("developer", *rules), *_message("user", *around)]


def update_items(
    previous: Settings, settings: Settings, was: Environment, now: Environment
) -> list[Item]:
    """What stands before a later turn; nothing when nothing has changed.

    `previous` and `was` are what the model was told last.  A change of effort, summary or
    verbosity goes into the request and is not told.
    """
    rules = [
        _model_switch(previous, settings),
        _permissions(settings) if _rights(previous) != _rights(settings) else None,
        _mode_change(previous, settings),
        _personality_change(previous, settings),
    ]
    moved = environment_item(now, was)
    return [*_message("developer", *rules), *([moved] if moved else [])]


@cache
def _template() -> str:
    return Path(__file__).with_name("instructions.md").read_text("utf-8").strip()


def _message(role: str, *texts: str | None) -> list[Item]:
    parts = [{"type": "input_text", "text": text} for text in texts if text]
    return [{"type": "message", "role": role, "content": parts}] if parts else []


def _personality(settings: Settings) -> Personality:
    """Observed: models that know voices are pragmatic unless told otherwise."""
    if not describe(settings.model).supports_personality:
        return "none"
    return settings.personality or "pragmatic"


def _model_switch(previous: Settings, settings: Settings) -> str | None:
    """Ours: the reference repeats the whole base instructions; the request has them already."""
    if previous.model == settings.model:
        return None
    text = wording.MODEL_SWITCH.format(model=settings.model)
    return f"<model_switch>\n{text}\n</model_switch>"


def _personality_change(previous: Settings, settings: Settings) -> str | None:
    """Nothing for own base instructions, nor beside a model switch: see `base_instructions`."""
    voice = _personality(settings)
    same = previous.model != settings.model or voice == _personality(previous)
    if same or settings.base_instructions is not None or voice == "none":
        return None
    text = f"{wording.PERSONALITY}\n\n{wording.VOICES[voice]}"
    return f"<personality_spec>\n{text}\n</personality_spec>"


def _mode(mode: CollaborationMode | None) -> str | None:
    """Own instructions win, and empty ones say nothing (observed)."""
    if mode is None:
        return None
    own = mode.settings.developer_instructions
    text = wording.MODES[mode.mode] if own is None else own
    return f"<collaboration_mode>{text}</collaboration_mode>" if text else None


def _mode_change(previous: Settings, settings: Settings) -> str | None:
    told = _mode(settings.collaboration_mode)
    return None if told == _mode(previous.collaboration_mode) else told


def _apps(settings: Settings) -> str | None:
    lent = any(server.apps is not None for server in settings.mcp_servers.values())
    return f"<apps_instructions>\n{wording.APPS}\n</apps_instructions>" if lent else None


def _skills(settings: Settings) -> str:
    """Also said when there are none, so that what follows always stands at the same place."""
    rows = [
        f"- {skill['name']}: {skill.get('description', '')} (file: {skill['path']})"
        for skill in settings.skills
    ]
    text = "\n".join([wording.SKILLS, *(rows or ["- none yet"])])
    return f"<skills_instructions>\n{text}\n</skills_instructions>"


def _rights(settings: Settings) -> tuple[Any, ...]:
    cwd = settings.cwd if isinstance(settings.sandbox_policy, WorkspaceWrite) else None
    reviewed = settings.approvals_reviewer != "user"
    return (
        settings.approval_policy,
        reviewed,
        settings.sandbox_policy,
        settings.permission_profile,
        cwd,
    )


def _permissions(settings: Settings) -> str:
    paragraphs = [
        _sandbox(settings.sandbox_policy, settings),
        _approval(settings),
        *([wording.REVIEWED] if decides(settings) else []),
        *_widening(settings),
    ]
    text = "\n\n".join(paragraphs)
    return f"<permissions instructions>\n{text}\n</permissions instructions>"


def _sandbox(policy: SandboxPolicy, settings: Settings) -> str:
    match policy:
        case DangerFullAccess():
            return f"{wording.FULL_ACCESS} {wording.ONLINE}"
        case ExternalSandbox(network_access=network):
            return f"{wording.EXTERNAL} {_network(network == 'enabled')}"
        case ReadOnly(network_access=network):
            return f"{wording.READ_ONLY} {_network(network)}"
        case WorkspaceWrite(network_access=network):
            roots = ", ".join(f"`{root}`" for root in writable_roots(policy, settings.cwd))
            told = wording.WORKSPACE.format(roots=roots)
            return f"{told} {wording.PROTECTED} {_network(network)}"


def _network(enabled: bool) -> str:
    return wording.ONLINE if enabled else wording.OFFLINE


def _approval(settings: Settings) -> str:
    match settings.approval_policy:
        case "untrusted":
            return wording.UNTRUSTED
        case "on-failure":
            return wording.ON_FAILURE
        case "on-request":
            return wording.ON_REQUEST
        case "never":
            return wording.NEVER
        case GranularApproval(granular=kinds):
            return _granular(kinds)


def _widening(settings: Settings) -> list[str]:
    """How to ask for a wider sandbox, where the model has the means."""
    policy, told = settings.approval_policy, list[str]()
    if settings.feature(PER_COMMAND) and policy == "on-request":
        told.append(wording.WIDER)
    if settings.feature(BY_TOOL) and policy != "never":
        told.append(wording.REQUEST)
    return told


def _granular(kinds: GranularSettings) -> str:
    named = {
        "running outside the sandbox": kinds.sandbox_approval,
        "commands that a rule wants asked": kinds.rules,
        "questions of MCP servers": kinds.mcp_elicitations,
        "more permissions": kinds.request_permissions,
        "scripts of skills": kinds.skill_approval,
    }
    asked = ", ".join(name for name, put in named.items() if put) or "none"
    refused = ", ".join(name for name, put in named.items() if not put) or "none"
    text = wording.GRANULAR.format(asked=asked, refused=refused)
    return f"{text}\n\n{wording.ON_REQUEST}" if kinds.sandbox_approval else text
