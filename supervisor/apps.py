"""The tools of ChatGPT's apps: one MCP server of the backend lends them all.

It is there for who is logged in with ChatGPT and has the feature; what single apps may do stands in
`[apps]`.
"""

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from protocol.app import AppInfo, AppListUpdatedNotification
from protocol.methods import APP_LIST_UPDATED
from protocol.settings import App, McpServer, app_of
from supervisor import plugins
from supervisor.chatgpt import USUAL, place
from supervisor.layers import ConfigError, Table
from supervisor.login import Login
from supervisor.mcp_servers import mcp_servers
from supervisor.toml import Toml

if TYPE_CHECKING:
    from supervisor.host import Host

GATEWAY = "codex_apps"


def servers(
    toml: Toml, features: dict[str, bool], known: Login | None, brought: dict[str, Table]
) -> dict[str, McpServer]:
    """All that lend tools: those of the configuration, those that plugins have `brought`, and
    ChatGPT's.

    Raises ConfigError.
    """
    lent = mcp_servers(toml, brought)
    return lent | _gateway(toml, known) if features.get("apps") else lent


def _gateway(toml: Toml, login: Login | None) -> dict[str, McpServer]:
    """It by its name, or nothing.  Raises ConfigError that names the app."""
    if login is None or login.mode == "apikey":
        return {}
    headers = {"authorization": f"Bearer {login.token}"}
    if login.account_id:
        headers["chatgpt-account-id"] = login.account_id
    url = place(toml.chatgpt_base_url or USUAL, "/wham/apps", "/api/codex/apps")
    return {GATEWAY: McpServer(url=url, http_headers=headers, apps=_apps(toml.apps or {}))}


def _apps(told: dict[str, Any]) -> dict[str, App]:
    found: dict[str, App] = {}
    for id, one in told.items():
        try:
            found[id] = msgspec.convert(one, App)
        except msgspec.ValidationError as error:
            raise ConfigError(f"apps.{id}: {error}") from None
    return found


# ---- what clients are told of them


def listed(host: "Host") -> list[AppInfo]:
    """Those of the directory, those whose tools a thread has, those that plugins bring."""
    names: dict[str, list[str]] = {}
    for plugin in plugins.active(host.config).values():
        shown = plugin.interface()
        for id in plugin.apps():
            names.setdefault(id, []).append((shown and shown.display_name) or plugin.name)
    known = {id: AppInfo(id, id) for id in names}
    known |= {app.id: app for app in (*host.accessible.values(), *(host.apps or ()))}
    told = _told(host)
    return [
        replace(
            known[id],
            is_accessible=known[id].is_accessible or id in host.accessible,
            is_enabled=app_of(told, id).enabled,
            plugin_display_names=sorted(names.get(id, ())),
        )
        for id in sorted(known, key=lambda one: (known[one].name.lower(), one))
    ]


def reached(host: "Host", found: list[AppInfo]) -> None:
    """A thread has these apps' tools; clients hear of it when it is news."""
    news = {app.id: app for app in found if host.accessible.get(app.id) != app}
    if news:
        host.accessible |= news
        tell(host, listed(host))


def tell(host: "Host", found: list[AppInfo]) -> None:
    told = APP_LIST_UPDATED.encode(AppListUpdatedNotification(found))
    host.tell_all(APP_LIST_UPDATED.name, told)


def _told(host: "Host") -> dict[str, App]:
    """What the user says of apps; nothing while the configuration is broken."""
    try:
        return _apps(host.config.toml().apps or {})
    except ConfigError:
        return {}
