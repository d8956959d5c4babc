"""Plugins that ChatGPT's backend keeps: those of its directory, and those that people share.

The backend is the one at `chatgpt_base_url`, asked with the user's login; what it installs lies in
the same cache as any other plugin.
"""

import io
import re
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct, field

from protocol.errors import INTERNAL_ERROR, RpcError, invalid
from protocol.plugin import (
    MarketplaceInterface,
    PluginAuthPolicy,
    PluginDetail,
    PluginInstallPolicy,
    PluginInstallResponse,
    PluginInterface,
    PluginMarketplaceEntry,
    PluginSharePrincipal,
    PluginSummary,
    RemoteSource,
    SkillSummary,
)
from supervisor import plugins
from supervisor.chatgpt import USUAL
from supervisor.connection import Connection
from supervisor.handlers.initialize import user_agent
from supervisor.manifest import Broken, is_name, read_plugin

if TYPE_CHECKING:
    import httpx2

    from supervisor.backend import Backend
    from supervisor.host import Host

NEEDED = "chatgpt authentication required for remote plugin catalog"
PAGES = 50
BUNDLE_BYTES = 64 << 20
MARKETS = {  # of each scope: its name, and what it is called
    "GLOBAL": ("chatgpt-global", "ChatGPT Plugins"),
    "WORKSPACE": ("chatgpt-workspace", "ChatGPT Workspace Plugins"),
}
_ID = re.compile(r"[A-Za-z0-9][\w.~-]*")


class Looks(Struct):
    short_description: str | None = None
    long_description: str | None = None
    developer_name: str | None = None
    category: str | None = None
    capabilities: list[str] = field(default_factory=list[str])
    website_url: str | None = None
    privacy_policy_url: str | None = None
    terms_of_service_url: str | None = None
    brand_color: str | None = None
    default_prompt: str | None = None
    composer_icon_url: str | None = None
    logo_url: str | None = None
    screenshot_urls: list[str] = field(default_factory=list[str])


class Skill(Struct):
    name: str
    description: str = ""


class Release(Struct):
    display_name: str = ""
    description: str = ""
    version: str | None = None
    bundle_download_url: str | None = None
    app_ids: list[str] = field(default_factory=list[str])
    interface: Looks = field(default_factory=Looks)
    skills: list[Skill] = field(default_factory=list[Skill])


class Item(Struct):
    id: str
    name: str
    scope: Literal["GLOBAL", "WORKSPACE"] = "GLOBAL"
    installation_policy: PluginInstallPolicy = "AVAILABLE"
    authentication_policy: PluginAuthPolicy = "ON_USE"
    release: Release = field(default_factory=Release)
    enabled: bool = False
    share_url: str | None = None
    discoverability: str | None = None
    share_principals: list[PluginSharePrincipal] | None = None


class Pagination(Struct):
    next_page_token: str | None = None


class Page(Struct):
    plugins: list[Item] = field(default_factory=list[Item])
    pagination: Pagination = field(default_factory=Pagination)


async def catalogue(host: "Host", client: Connection, what: str) -> "Catalogue":
    """`what` begins the error of somebody who is not logged in.  Raises RpcError."""
    known = host.config.login()
    if known is None or known.mode == "apikey":
        raise invalid(f"{what}: {NEEDED}")
    from supervisor.backend import Backend  # noqa: PLC0415 - an HTTP library

    base = host.config.chatgpt_base_url() or USUAL
    fresh = await host.accounts.fresh() or known
    return Catalogue(host, Backend(base, fresh, user_agent(host.version, client)), base)


class Catalogue:
    """All of it raises RpcError."""

    def __init__(self, host: "Host", backend: "Backend", base: str) -> None:
        self._host = host
        self._backend = backend
        self._base = base.rstrip("/")

    @staticmethod
    def is_id(id: str) -> bool:
        return _ID.fullmatch(id) is not None

    async def send(self, method: str, path: str, **body: Any) -> "httpx2.Response":
        return await self._backend.send(
            method, f"{self._base}{path}", "remote plugin catalog request failed", **body
        )

    async def put(self, url: str, data: bytes, headers: dict[str, str]) -> None:
        """To where the backend has said; it needs no login of ours."""
        import httpx2  # noqa: PLC0415 - as in `catalogue`

        try:
            async with httpx2.AsyncClient(timeout=120.0) as client:
                answer = await client.put(url, content=data, headers=headers)
        except (httpx2.HTTPError, httpx2.InvalidURL):
            problem = f"error sending request for url ({url})"
            raise RpcError(INTERNAL_ERROR, f"the plugin could not be uploaded: {problem}") from None
        if answer.status_code >= 300:
            problem = f"{answer.status_code} {answer.reason_phrase}"
            raise RpcError(INTERNAL_ERROR, f"the plugin could not be uploaded: {problem}")

    async def _read(self, method: str, path: str, shape: Any, **body: Any) -> Any:
        answer = await self.send(method, path, **body)
        try:
            return msgspec.json.decode(answer.content, type=shape)
        except msgspec.DecodeError as error:
            problem = f"failed to parse remote plugin catalog response from {path}: {error}"
            raise RpcError(INTERNAL_ERROR, problem) from None

    async def pages(self, path: str, **asked: str) -> list[Item]:
        found: list[Item] = []
        token: str | None = None
        for _ in range(PAGES):
            more = {"pageToken": token} if token else {}
            page = await self._read("GET", path, Page, params={"limit": "200", **asked, **more})
            found += page.plugins
            token = page.pagination.next_page_token
            if not token:
                break
        return found

    async def marketplaces(self, kind: str) -> list[PluginMarketplaceEntry]:
        if kind == "shared-with-me":
            items = await self.pages("/ps/plugins/workspace/shared")
            told = [self.summary(item, item.enabled) for item in items]
            shown = MarketplaceInterface("Shared with me")
            return [PluginMarketplaceEntry("shared-with-me", told, shown)] if told else []
        entries: list[PluginMarketplaceEntry] = []
        for scope, (name, title) in MARKETS.items():
            items = await self.pages("/ps/plugins/list", scope=scope)
            here = {item.id for item in await self.pages("/ps/plugins/installed", scope=scope)}
            told = [self.summary(item, item.id in here) for item in items]
            if told:
                entries.append(PluginMarketplaceEntry(name, told, MarketplaceInterface(title)))
        return entries

    def summary(self, item: Item, installed: bool) -> PluginSummary:
        return PluginSummary(
            auth_policy=item.authentication_policy,
            enabled=installed and (item.enabled or installed),
            id=item.id,
            install_policy=item.installation_policy,
            installed=installed,
            name=item.name,
            source=RemoteSource(),
            interface=_looks(item.release),
        )

    async def item(self, id: str) -> Item:
        if not self.is_id(id):
            raise invalid("invalid remote plugin id")
        return await self._read("GET", f"/ps/plugins/{id}", Item)

    async def detail(self, id: str) -> PluginDetail:
        item = await self.item(id)
        here = plugins.installed(self._host.home, f"{item.name}@{MARKETS[item.scope][0]}")
        return PluginDetail(
            apps=[plugins.app(app) for app in item.release.app_ids],
            hooks=[],
            marketplace_name=MARKETS[item.scope][0],
            mcp_servers=[],
            skills=[
                SkillSummary(s.description, enabled=True, name=s.name) for s in item.release.skills
            ],
            summary=self.summary(item, here is not None),
            description=item.release.description or None,
        )

    async def skill(self, id: str, name: str) -> str | None:
        told = await self._read("GET", f"/ps/plugins/{id}/skills/{name}", dict[str, Any])
        for key in ("skill_md_contents", "contents"):
            if isinstance(told.get(key), str):
                return told[key]
        return None

    async def install(self, id: str) -> PluginInstallResponse:
        item = await self.item(id)
        market = MARKETS[item.scope][0]
        if item.installation_policy == "NOT_AVAILABLE":
            raise invalid(f"plugin `{id}` is not available for install")
        if item.release.bundle_download_url is None:
            raise invalid(f"plugin `{id}` has no bundle to download")
        bundle = await self._backend.send(
            "GET", item.release.bundle_download_url, f"plugin `{id}` could not be downloaded"
        )
        try:
            _unpack(self._host.home, market, item.name, bundle.content)
        except (Broken, OSError, tarfile.TarError) as error:
            raise RpcError(INTERNAL_ERROR, f"plugin `{id}` was not installed: {error}") from None
        await self.send("POST", f"/ps/plugins/{id}/install")
        self._host.config.set(["plugins", f"{item.name}@{market}", "enabled"], True)
        apps = [plugins.app(app) for app in item.release.app_ids]
        return PluginInstallResponse(apps, item.authentication_policy)

    async def uninstall(self, id: str) -> None:
        item = await self.item(id)
        await self.send("POST", f"/ps/plugins/{id}/uninstall")
        plugins.uninstall(self._host.home, f"{item.name}@{MARKETS[item.scope][0]}")


def _looks(release: Release) -> PluginInterface:
    looks = release.interface
    prompt = looks.default_prompt
    return PluginInterface(
        capabilities=looks.capabilities,
        screenshot_urls=looks.screenshot_urls,
        screenshots=[],
        brand_color=looks.brand_color,
        category=looks.category,
        composer_icon_url=looks.composer_icon_url,
        default_prompt=[prompt] if prompt else None,
        developer_name=looks.developer_name,
        display_name=release.display_name or None,
        logo_url=looks.logo_url,
        long_description=looks.long_description,
        privacy_policy_url=looks.privacy_policy_url,
        short_description=looks.short_description,
        terms_of_service_url=looks.terms_of_service_url,
        website_url=looks.website_url,
    )


def _unpack(home: Path, market: str, name: str, bundle: bytes) -> None:
    """A tar of the plugin's folder.  Raises Broken, OSError, and tarfile.TarError."""
    if not is_name(name) or len(bundle) > BUNDLE_BYTES:
        raise Broken("the bundle has no usable name, or is too large")
    plugins.cache(home).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=plugins.cache(home), prefix=".bundle-") as folder:
        with tarfile.open(fileobj=io.BytesIO(bundle), mode="r:*") as archive:
            archive.extractall(folder, filter="data")  # nothing leads out of it
        plugins.install(home, market, read_plugin(_root(Path(folder))))


def _root(folder: Path) -> Path:
    """The plugin's folder, or the one folder that the archive is."""
    inner = list(folder.iterdir())
    alone = len(inner) == 1 and inner[0].is_dir() and inner[0].name[0] != "."
    return inner[0] if alone else folder
