"""What one request to the model says: the body of the Responses API, and the headers around it.

The keys, and which of them a model gets, are those that the reference server sends (observed,
release 0.130.0): gateways route, count and cache by them.
"""

import json
import sys
from typing import Any

from msgspec import UNSET, UnsetType

from protocol.agent import spawn_of
from protocol.catalogue import ModelInfo, describe
from protocol.policy import DangerFullAccess, ExternalSandbox, SandboxPolicy
from protocol.settings import Settings
from protocol.thread import NamedSource, SpawnedSource, Thread
from workers.provider import ModelRequest

# Experimental features that the provider is told of when they are on, and their default.
BETA_FEATURES = {
    "terminal_resize_reflow": True,
    "memories": False,
    "external_migration": False,
    "goals": False,
    "prevent_idle_sleep": False,
}

# What clients call a tier, and what the API calls it.
SERVICE_TIERS = {"fast": "priority"}


def build(
    settings: Settings,
    *,
    thread_id: str,
    turn_id: str,
    items: list[dict[str, Any]],
    tools: list[dict[str, Any]],
    instructions: str,
    window: int,
    started_at_ms: int,
    output_schema: Any | UnsetType = None,
    strict_schema: bool = True,
    client_metadata: dict[str, str] | None = None,
    session_id: str | None = None,
    thread_source: str | None = None,
    subagent: str | None = None,
    parent_thread_id: str | None = None,
    workspaces: dict[str, Any] | None = None,
) -> ModelRequest:
    """Make the request for `items`, which are JSON items of the Responses API.

    `window` counts the thread's compactions.  `session_id` is the thread of the user when this one
    works for it (`subagent` says as what, e.g. `review`).  `workspaces` maps a repository's root
    to `{latest_git_commit_hash, has_changes}`.  No tools (compaction) means no parallel calls.
    """
    model = describe(settings.model)
    reasoning = _reasoning(settings, model)
    body: dict[str, Any] = {
        "model": settings.model,
        "instructions": instructions,
        "input": items,
        "tools": tools,
        "tool_choice": "auto",
        "parallel_tool_calls": bool(tools) and model.supports_parallel_tool_calls,
        "reasoning": reasoning,
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"] if reasoning else [],
        "prompt_cache_key": thread_id,
        "client_metadata": {"x-codex-installation-id": settings.installation_id},
    }
    if text := _text(settings, model, output_schema, strict=strict_schema):
        body["text"] = text
    if settings.service_tier:
        body["service_tier"] = SERVICE_TIERS.get(settings.service_tier, settings.service_tier)
    metadata = {
        "session_id": session_id or thread_id,
        "thread_id": thread_id,
        "thread_source": thread_source,
        "turn_id": turn_id,
        "workspaces": workspaces,
        "sandbox": sandbox_tag(settings.sandbox_policy),
        "turn_started_at_unix_ms": started_at_ms,
    }
    headers = {
        "originator": _printable(settings.originator),
        "user-agent": _printable(settings.user_agent),
        "session_id": session_id or thread_id,
        "thread_id": thread_id,
        "x-client-request-id": thread_id,
        "x-codex-window-id": f"{thread_id}:{window}",
        "x-codex-turn-metadata": _metadata(metadata, client_metadata),
    }
    if features := _features(settings):
        headers["x-codex-beta-features"] = features
    if subagent:
        headers["x-openai-subagent"] = subagent
    if parent_thread_id:
        headers["x-codex-parent-thread-id"] = parent_thread_id
    return ModelRequest(body, headers)


def speaker(thread: Thread) -> dict[str, Any]:
    """The arguments of `build` that say who asks, and whom an agent works for (observed)."""
    source, subagent, parent, kind = thread.source, None, None, thread.thread_source
    if (spawn := spawn_of(source)) is not None:
        subagent, parent, kind = "collab_spawn", spawn.parent_thread_id, "subagent"
    elif isinstance(source, NamedSource):
        subagent = _name(source)
    return {
        "thread_id": thread.id,
        "session_id": thread.session_id,
        "thread_source": kind,
        "subagent": subagent,
        "parent_thread_id": parent,
    }


def _name(source: NamedSource) -> str | None:
    match source.sub_agent:
        case str(name) | SpawnedSource(other=str(name)):
            return name
        case _:
            return None


def sandbox_tag(policy: SandboxPolicy) -> str:
    """Name the sandbox that a policy leads to, in the provider's words."""
    match policy:
        case DangerFullAccess():
            return "none"
        case ExternalSandbox():
            return "external"
        case _:
            return "seatbelt" if sys.platform == "darwin" else "seccomp"


def _reasoning(settings: Settings, model: ModelInfo) -> dict[str, str] | None:
    if model.default_reasoning_effort is None:
        return None
    reasoning: dict[str, str] = {"effort": settings.effort or model.default_reasoning_effort}
    summary = settings.summary or model.default_reasoning_summary
    if summary != "none":
        reasoning["summary"] = summary
    return reasoning


def _text(
    settings: Settings, model: ModelInfo, schema: Any | UnsetType, *, strict: bool
) -> dict[str, Any]:
    text: dict[str, Any] = {}
    if model.default_verbosity is not None:
        text["verbosity"] = settings.verbosity or model.default_verbosity
    if schema is not None and schema is not UNSET:
        text["format"] = {
            "type": "json_schema",
            "strict": strict,
            "schema": schema,
            "name": "codex_output_schema",
        }
    return text


def _metadata(ours: dict[str, Any], theirs: dict[str, str] | None) -> str:
    """Join what is known; the client may add names, not replace ours.  ASCII, as headers are."""
    known = {name: value for name, value in ours.items() if value is not None}
    return json.dumps({**known, **(theirs or {}), **known}, separators=(",", ":"))


def _features(settings: Settings) -> str:
    return ",".join(name for name, usual in BETA_FEATURES.items() if settings.feature(name, usual))


def _printable(text: str) -> str:
    """A client names itself; a line break in its name must not become a header."""
    return "".join(character if " " <= character <= "~" else "_" for character in text)
