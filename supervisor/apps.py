"""The tools of ChatGPT's apps: one MCP server of the backend lends them all.

It is there for who is logged in with ChatGPT and has the feature; what single apps may do stands in
`[apps]`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from protocol.app import AppInfo, AppListUpdatedNotification
from protocol.methods import APP_LIST_UPDATED
from protocol.settings import App, McpServer
from supervisor import plugins
from supervisor.chatgpt import USUAL, place
from supervisor.config import Config
from supervisor.layers import ConfigError
from supervisor.login import Login
from supervisor.mcp_servers import mcp_servers
from supervisor.toml import Toml

if TYPE_CHECKING:
    from supervisor.host import Host

GATEWAY = "codex_apps"


def servers(config: Config, toml: Toml) -> dict[str, McpServer]:
    """All that lend tools: those of the configuration, of plugins, and of ChatGPT.

    Raises ConfigError.
    """
    return mcp_servers(toml, plugins.servers(config)) | _gateway(config, toml, config.login())


def _gateway(config: Config, toml: Toml, login: Login | None) -> dict[str, McpServer]:
    """It by its name, or nothing.  Raises ConfigError that names the app."""
    if login is None or login.mode == "apikey" or not config.features(toml).get("apps"):
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
    on = _switch(host)
    return [
        replace(
            known[id],
            is_accessible=known[id].is_accessible or id in host.accessible,
            is_enabled=on(id),
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


def _switch(host: "Host") -> Callable[[str], bool]:
    """Whether the user lets an app be used."""
    try:
        told = _apps(host.config.toml().apps or {})
    except ConfigError:
        return lambda _: True
    usual = told.get("_default", App())
    return lambda one: told.get(one, usual).enabled
