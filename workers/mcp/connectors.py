"""The tools of ChatGPT's apps, which one MCP server lends: whose they are, what may be used.

What a tool's app is called stands in its `_meta` (observed).
"""

import re
from dataclasses import dataclass
from typing import Any, cast

from protocol.app import AppInfo
from protocol.settings import AppTool, McpApproval, McpServer, app_of

Json = dict[str, Any]


@dataclass(frozen=True)
class Connector:
    id: str
    name: str
    description: str | None = None

    @property
    def shown(self) -> AppInfo:
        slug = re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")
        url = f"https://chatgpt.com/apps/{slug}/{self.id}"
        return AppInfo(
            self.id,
            self.name,
            description=self.description,
            install_url=url,
            is_accessible=True,
        )

    @property
    def prefix(self) -> str:
        """What the names of its tools begin with, and its namespace ends with."""
        return re.sub(r"[^a-z0-9]+", "_", self.name.lower()).strip("_")


def connector(told: Json) -> Connector | None:
    """Whose tool it is; None for a tool of an ordinary server."""
    match told.get("_meta"):
        case {"connector_id": str(id)} as meta:
            name, about = meta.get("connector_name"), meta.get("connector_description")
            return Connector(
                id,
                name if isinstance(name, str) and name else id,
                about if isinstance(about, str) else None,
            )
        case _:
            return None


def allowed(server: McpServer, told: Json) -> bool:
    """Whether the configuration lets the model have this tool."""
    if not server.allows(told["name"]):
        return False
    if server.apps is None or (owner := connector(told)) is None:
        return True
    app = app_of(server.apps, owner.id)
    tool = app.tools.get(told["name"], AppTool())
    if not app.enabled:
        return False
    if tool.enabled is not None:
        return tool.enabled
    hints = _hints(told)
    destroys = hints.get("readOnlyHint") is not True and hints.get("destructiveHint") is not False
    reaches_out = hints.get("openWorldHint") is not False
    return (
        app.default_tools_enabled
        and (app.destructive_enabled is not False or not destroys)
        and (app.open_world_enabled is not False or not reaches_out)
    )


def approval(server: McpServer, told: Json) -> McpApproval:
    """When the user is asked about this tool."""
    name = told["name"]
    if server.apps is None or (owner := connector(told)) is None:
        return server.approval_modes.get(name) or server.default_tools_approval_mode or "auto"
    app = app_of(server.apps, owner.id)
    return app.tools.get(name, AppTool()).approval_mode or app.default_tools_approval_mode or "auto"


def place(namespace: str, told: Json) -> tuple[str, str, str | None]:
    """The namespace that the model finds the tool in, its name there, and what is said of both."""
    owner, name = connector(told), told["name"]
    if owner is None:
        return namespace, name, None
    return namespace + owner.prefix, name.removeprefix(owner.prefix) or name, owner.description


def found(tools: list[Json]) -> list[AppInfo]:
    """The apps of these tools, each once."""
    owners = {owner for told in tools if (owner := connector(told)) is not None}
    return [owner.shown for owner in sorted(owners, key=lambda owner: owner.id)]


def _hints(told: Json) -> Json:
    hints = told.get("annotations")
    return cast("Json", hints) if isinstance(hints, dict) else {}
