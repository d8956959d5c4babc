"""The tools of this worker: which the model is offered, and who serves a call.

The order is the reference server's, so that a provider's cache of the request's beginning holds.
"""

from typing import Any

from protocol.catalogue import ModelInfo
from protocol.settings import Settings
from workers.mcp.servers import Servers
from workers.tools import Call, Tool
from workers.tools.agents import CLOSE_AGENT, RESUME_AGENT, SEND_INPUT, WAIT_AGENT
from workers.tools.beyond import with_wider_sandbox
from workers.tools.dynamic import DynamicTools
from workers.tools.exec import EXEC_COMMAND, WRITE_STDIN
from workers.tools.goal import CREATE_GOAL, GET_GOAL, UPDATE_GOAL
from workers.tools.image import VIEW_IMAGE
from workers.tools.patch import APPLY_PATCH
from workers.tools.permission import REQUEST_PERMISSIONS
from workers.tools.plan import UPDATE_PLAN
from workers.tools.question import REQUEST_USER_INPUT
from workers.tools.resource import RESOURCE_TOOLS
from workers.tools.shell import LOCAL_SHELL, SHELL, SHELL_COMMAND
from workers.tools.spawn import FEATURE, SPAWN_AGENT, spawn_agent
from workers.tools.wish import BY_TOOL, PER_COMMAND

TOOLS = (
    EXEC_COMMAND,
    WRITE_STDIN,
    *RESOURCE_TOOLS,
    SHELL_COMMAND,
    SHELL,
    LOCAL_SHELL,
    UPDATE_PLAN,
    GET_GOAL,
    CREATE_GOAL,
    UPDATE_GOAL,
    REQUEST_USER_INPUT,
    REQUEST_PERMISSIONS,
    APPLY_PATCH,
    VIEW_IMAGE,
)
# What works on files and commands: there is none of it without a place to work in.
HANDS = (EXEC_COMMAND, WRITE_STDIN, SHELL_COMMAND, SHELL, LOCAL_SHELL, APPLY_PATCH, VIEW_IMAGE)
FOR_AGENTS = (SPAWN_AGENT, SEND_INPUT, RESUME_AGENT, WAIT_AGENT, CLOSE_AGENT)
SERVED: dict[str, Tool] = {tool.name: tool for tool in (*TOOLS, *FOR_AGENTS)}


def offered(
    settings: Settings,
    model: ModelInfo,
    dynamic: DynamicTools,
    servers: Servers | None = None,
) -> list[dict[str, Any]]:
    """What a request's `tools` says."""
    ours = _ours(settings, model, servers)
    lent = servers.offered() if servers else []
    return ours + lent + dynamic.offered(_names(ours))


def serving(
    call: Call,
    settings: Settings,
    model: ModelInfo,
    dynamic: DynamicTools,
    servers: Servers | None = None,
) -> Tool | None:
    """Who serves a call: our tool when the model was offered it, else a server's or the client's
    of that name.

    Tools of ours that models know without an offer come last.
    """
    ours = SERVED.get(call.name) if call.namespace is None else None
    if ours in HANDS and not settings.has_environment:
        ours = None
    if ours is not None and call.name in _names(_ours(settings, model, servers)):
        return ours
    lent = servers.find(call) if servers else None
    return lent or dynamic.find(call) or (ours if ours is not None and ours.known else None)


def _names(specs: list[dict[str, Any]]) -> set[str]:
    return {spec["name"] for spec in specs if "name" in spec}


def _ours(settings: Settings, model: ModelInfo, servers: Servers | None) -> list[dict[str, Any]]:
    unified = settings.feature("unified_exec", default=True)
    specs = [EXEC_COMMAND.spec if unified else SHELL_COMMAND.spec]
    if settings.feature(PER_COMMAND):
        specs = [with_wider_sandbox(spec) for spec in specs]
    if unified:
        specs.append(WRITE_STDIN.spec)
    if servers is not None and servers.any:
        specs += [tool.spec for tool in RESOURCE_TOOLS]
    specs.append(UPDATE_PLAN.spec)
    if settings.feature("goals"):
        specs += [tool.spec for tool in (GET_GOAL, CREATE_GOAL, UPDATE_GOAL)]
    specs.append(REQUEST_USER_INPUT.spec)
    if settings.feature(BY_TOOL):
        specs.append(REQUEST_PERMISSIONS.spec)
    if model.apply_patch_tool:
        specs.append(APPLY_PATCH.spec)
    if settings.web_search != "disabled":
        specs.append(web_search(settings, model))
    specs.append(VIEW_IMAGE.spec)
    if settings.feature(FEATURE):
        specs += [spawn_agent(settings.agents), *[tool.spec for tool in FOR_AGENTS[1:]]]
    if not settings.has_environment:
        names = {tool.name for tool in HANDS}
        specs = [spec for spec in specs if spec.get("name") not in names]
    return specs


def web_search(settings: Settings, model: ModelInfo) -> dict[str, Any]:
    """The provider's own tool: it searches, we only show that it did."""
    spec: dict[str, Any] = {
        "type": "web_search",
        "external_web_access": settings.web_search == "live",
    }
    if model.web_search_images:
        spec["search_content_types"] = ["text", "image"]
    return spec
