"""app/list: ChatGPT's connectors, for who is logged in with ChatGPT."""

from typing import TYPE_CHECKING, Any

import msgspec

from protocol.app import AppInfo, AppsListParams, AppsListResponse
from protocol.methods import APP_LIST
from supervisor import plugins
from supervisor.apps import listed, tell
from supervisor.chatgpt import USUAL
from supervisor.connection import Connection
from supervisor.handlers import serves
from supervisor.handlers.initialize import user_agent
from supervisor.handlers.model import page
from supervisor.host import Host

if TYPE_CHECKING:
    from supervisor.login import Login

PAGES = 20


@serves(APP_LIST)
async def app_list(host: Host, client: Connection, params: AppsListParams) -> AppsListResponse:
    """Those of the directory and of installed plugins; who is not logged in has none (observed).

    What was fetched is kept until a client wants it anew, and a change is told to everybody.
    """
    if params.thread_id is not None:
        host.threads.loaded(params.thread_id)
    apps = await _apps(host, client, anew=params.force_refetch)
    data, cursor = page(apps, params.cursor, params.limit, "apps")
    return AppsListResponse(list(data), cursor)


async def _apps(host: Host, client: Connection, *, anew: bool) -> list[AppInfo]:
    known = host.config.login()
    if known is None or known.mode == "apikey" or not host.config.feature("apps"):
        return []
    before = host.apps
    if before is None or anew:
        host.apps = await _directory(host, client, await host.accounts.fresh() or known)
    found = listed(host)
    if before is not None and before != host.apps:
        tell(host, found)
    return found


async def _directory(host: Host, client: Connection, known: "Login") -> list[AppInfo]:
    from supervisor.backend import Backend  # noqa: PLC0415 - an HTTP library

    base = (host.config.chatgpt_base_url() or USUAL).rstrip("/")
    backend = Backend(base, known, user_agent(host.version, client))
    found: list[AppInfo] = []
    token: str | None = None
    for _ in range(PAGES):
        asked = {"external_logos": "true", **({"token": token} if token else {})}
        url = f"{base}/connectors/directory/list"
        answer = await backend.send("GET", url, "failed to list apps", params=asked)
        told = _decode(answer.content)
        found += [app for one in told.get("apps") or () if (app := _app(one)) is not None]
        token = told.get("nextToken") or told.get("next_token")
        if not token:
            break
    return sorted(found, key=lambda app: (app.name.lower(), app.id))


def _decode(content: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except msgspec.DecodeError:
        return {}


def _app(told: dict[str, Any]) -> AppInfo | None:
    """The backend's JSON has the names of ours; one that does not fit is left out."""
    try:
        app = msgspec.convert(told, AppInfo)
    except msgspec.ValidationError:
        return None
    app.install_url = app.install_url or plugins.app(app.id).install_url
    return app
