"""`spawn_agent`: the model starts a thread that works for this one.

The agent gets what its parent runs with at this moment: folder, rights, model, effort.  The call,
its role and its depth then say what is different for it.
"""

from typing import Any, get_args

from msgspec import Struct
from msgspec.structs import replace

from protocol.agent import AgentSettings, Role
from protocol.catalogue import describe, models
from protocol.item import CollabAgentState
from protocol.model import ReasoningEffort
from protocol.settings import Settings
from workers.agents import Agents
from workers.tools import Call, Content, Tool, ToolFailure, Turn
from workers.tools.arguments import arguments
from workers.tools.delegation import (
    DEPTH_REACHED,
    ITEMS,
    MESSAGE,
    Given,
    as_json,
    begin,
    finish,
    function,
    inputs,
    preview,
)

FEATURE = "multi_agent"
BUILT_IN = {
    "default": Role("An agent like yourself."),
    "explorer": Role(
        "Answers one question about the code.  Start several for several questions, trust what "
        "they find, and ask the same one again about the same matter."
    ),
    "worker": Role(
        "Changes things: writes a part, mends tests, carries out a chunk of a larger change.  Say "
        "which files are its own, and that others work in the same folder at the same time."
    ),
}
FORKED = (  # observed
    "Full-history forked agents inherit the parent agent type, model, and reasoning effort; omit "
    "agent_type, model, and reasoning_effort, or spawn without a full-history fork."
)


class _Arguments(Struct):
    message: str | None = None
    items: list[Given] | None = None
    agent_type: str | None = None
    model: str | None = None
    reasoning_effort: ReasoningEffort | None = None
    fork_context: bool = False


async def _serve(turn: Turn, call: Call) -> Content:
    given = arguments(_Arguments, call.arguments)
    parts = inputs(given.message, given.items)
    if turn.agents.depth > turn.settings.agents.max_depth:
        raise ToolFailure(DEPTH_REACHED)
    effort = given.reasoning_effort or "medium"  # what the reference server shows of none
    shown = preview(parts)
    item = begin(turn, call, "spawnAgent", prompt=shown, model=given.model or "", effort=effort)
    try:
        role = (given.agent_type or "").strip() or None
        settings, nicknames = _settings(turn, given, role)
        id, nickname = await turn.agents.start(
            settings, parts, role=role, nicknames=nicknames, fork=given.fork_context
        )
    except ToolFailure:  # ours: the reference leaves the item open when a wish cannot be met
        finish(turn, item, {}, failed=True)
        raise
    item.model = settings.model
    item.reasoning_effort = settings.effort or effort
    finish(turn, item, {id: CollabAgentState("pendingInit")})
    return as_json({"agent_id": id, "nickname": nickname})


# ---- what the agent runs with


def _settings(turn: Turn, given: _Arguments, role: str | None) -> tuple[Settings, list[str]]:
    """And the nicknames that its role has for it.  Raises ToolFailure."""
    settings, nicknames = _like(turn.settings), list[str]()
    if given.fork_context:
        if role or given.model or given.reasoning_effort:
            raise ToolFailure(FORKED)
    else:
        settings = _chosen(settings, given)
        found = _role(settings, role or "default")
        settings, nicknames = _as(settings, found), found.nicknames
    return _bounded(settings, turn.agents), nicknames


def _like(settings: Settings) -> Settings:
    """The parent's own, live overrides included; its collaboration mode is the user's with it."""
    effort = settings.effort or describe(settings.model).default_reasoning_effort
    return replace(settings, effort=effort, collaboration_mode=None)


def _chosen(settings: Settings, given: _Arguments) -> Settings:
    """With the model and effort that the call names."""
    if given.model is not None and given.model != settings.model:
        known = [info.slug for info in models()]
        if given.model not in known:
            raise ToolFailure(
                f"Unknown model `{given.model}` for spawn_agent. Available models: "
                + ", ".join(known)
            )
        default = describe(given.model).default_reasoning_effort
        settings = replace(settings, model=given.model, effort=default)
    if given.reasoning_effort is None:
        return settings
    efforts = [known.effort for known in describe(settings.model).supported_reasoning_efforts]
    if given.reasoning_effort not in efforts:
        raise ToolFailure(
            f"Reasoning effort `{given.reasoning_effort}` is not supported for model "
            f"`{settings.model}`. Supported reasoning efforts: {', '.join(efforts) or 'none'}"
        )
    return replace(settings, effort=given.reasoning_effort)


def _role(settings: Settings, name: str) -> Role:
    role = settings.agents.roles.get(name) or BUILT_IN.get(name)
    if role is None:
        raise ToolFailure(f"unknown agent_type '{name}'")
    if role.problem is not None:
        raise ToolFailure(f"agent type is currently not available: {role.problem}")
    return role


def _as(settings: Settings, role: Role) -> Settings:
    """What a role says wins over the call: its settings are the user's."""
    if role.model is not None:
        default = describe(role.model).default_reasoning_effort
        settings = replace(settings, model=role.model, effort=default)
    return replace(
        settings,
        effort=role.effort or settings.effort,
        summary=role.summary or settings.summary,
        developer_instructions=role.developer_instructions or settings.developer_instructions,
    )


def _bounded(settings: Settings, agents: Agents) -> Settings:
    """An agent that may start none of its own is not offered the tools (observed)."""
    if agents.depth < settings.agents.max_depth:
        return settings
    return replace(settings, features={**settings.features, FEATURE: False})


# ---- what the model is told


def spawn_agent(agents: AgentSettings) -> dict[str, Any]:
    """The tool as a thread with these settings offers it: it names the roles and the models."""
    return function(
        "spawn_agent",
        "Starts an agent: a thread of its own that works on a task of yours in the same folder "
        "while you go on.  Use it only where the user or the instructions ask for agents, for "
        "delegation or for work side by side.  Give each a task that stands by itself, with all "
        "that it needs to know and what it should report; do yourself what you need next.  "
        f"At most {agents.max_threads} agents may be open at once.\n"
        "Returns the agent's id, and a nickname for the user.",
        {
            "message": MESSAGE,
            "items": ITEMS,
            "agent_type": {"type": "string", "description": _roles(agents)},
            "model": {"type": "string", "description": _models()},
            "reasoning_effort": {
                "type": "string",
                "description": "Another effort than yours: " + ", ".join(get_args(ReasoningEffort)),
            },
            "fork_context": {
                "type": "boolean",
                "description": "Let the agent know what has been said in this thread so far.  "
                "Without agent_type, model and reasoning_effort only.",
            },
        },
    )


def _roles(agents: AgentSettings) -> str:
    every = {**dict(sorted(agents.roles.items())), **BUILT_IN, **agents.roles}
    lines = [f"- {name}: {_about(role)}" for name, role in every.items()]
    return "\n".join(["What kind of agent, `default` unless given:", *lines])


def _about(role: Role) -> str:
    about = role.description or "not described."
    fixed = [f"model {role.model}" if role.model else "", role.effort and f"effort {role.effort}"]
    return f"{about}  ({', '.join(filter(None, fixed))})" if any(fixed) else about


def _models() -> str:
    shown = [info.slug for info in models() if not info.hidden]
    return "Another model than yours, where that is asked for: " + ", ".join(shown)


SPAWN_AGENT = Tool(spawn_agent(AgentSettings()), _serve, known=False)
