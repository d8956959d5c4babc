"""Plugins through the whole server: from a git repository to the tools of a thread."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from protocol.errors import RpcError
from protocol.marketplace import (
    MarketplaceAddParams,
    MarketplaceRemoveParams,
    MarketplaceUpgradeParams,
)
from protocol.methods import (
    MARKETPLACE_ADD,
    MARKETPLACE_REMOVE,
    MARKETPLACE_UPGRADE,
    MCP_SERVER_STARTUP_STATUS_UPDATED,
    PLUGIN_INSTALL,
    PLUGIN_LIST,
    PLUGIN_READ,
    PLUGIN_UNINSTALL,
    SKILLS_LIST,
)
from protocol.plugin import (
    PluginInstallParams,
    PluginListParams,
    PluginReadParams,
    PluginUninstallParams,
)
from protocol.skill import SkillsListParams

LAB = Path(__file__).parents[1] / "mcp_server.py"
HOST = "https://git.example/"
ADDRESS = f"{HOST}market"


def write(file: Path, content: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content))


def commit(repo: Path, what: str) -> None:
    who = ["-c", "user.name=T", "-c", "user.email=t@example.org"]
    for words in (["add", "."], [*who, "commit", "-qm", what]):
        subprocess.run(["git", *words], cwd=repo, check=True, capture_output=True)


@pytest.fixture
def market(tmp_path, monkeypatch) -> Path:
    """What git finds at ADDRESS: a marketplace `lab` with `demo`, one skill and one MCP server."""
    repo = tmp_path / "market"
    offer = {"name": "demo", "source": {"source": "local", "path": "./plugins/demo"}}
    write(repo / ".agents/plugins/marketplace.json", {"name": "lab", "plugins": [offer]})
    demo = repo / "plugins/demo"
    write(demo / ".codex-plugin/plugin.json", {"name": "demo", "version": "1.0"})
    server = {"command": sys.executable, "args": [str(LAB)]}
    write(demo / ".mcp.json", {"mcpServers": {"fromdemo": server}})
    write(demo / "skills/hi/SKILL.md", "---\nname: hi\ndescription: Says hi\n---\nSay hi.\n")
    subprocess.run(["git", "init", "-q", "-b", "main", str(repo)], check=True)
    commit(repo, "Offer demo")
    write(tmp_path / "gitconfig", f'[url "file://{tmp_path}/"]\n  insteadOf = "{HOST}"\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    return repo


async def shown(client) -> list[tuple[str, bool, bool]]:
    markets = (await client.call(PLUGIN_LIST, PluginListParams())).marketplaces
    return [(one.id, one.installed, one.enabled) for market in markets for one in market.plugins]


async def test_a_plugin_of_a_repository_is_used_and_taken_away(
    connect_stdio, home, market, tmp_path
):
    """Observed: its skill and server are there from the next thread on, new ones after upgrade."""
    client = await connect_stdio()
    added = await client.call(MARKETPLACE_ADD, MarketplaceAddParams(ADDRESS))
    assert (added.marketplace_name, added.already_added) == ("lab", False)
    again = await client.call(MARKETPLACE_ADD, MarketplaceAddParams(ADDRESS))
    assert again.already_added
    assert await shown(client) == [("demo@lab", False, False)]

    path = str(Path(added.installed_root) / ".agents/plugins/marketplace.json")
    await client.call(PLUGIN_INSTALL, PluginInstallParams("demo", marketplace_path=path))
    assert await shown(client) == [("demo@lab", True, True)]
    [listed] = (await client.call(SKILLS_LIST, SkillsListParams(cwds=[str(tmp_path)]))).data
    assert "demo:hi" in [skill.name for skill in listed.skills]
    await client.start()
    told = await client.next(MCP_SERVER_STARTUP_STATUS_UPDATED, lambda p: p.status != "starting")
    assert (told.name, told.status) == ("fromdemo", "ready"), told

    write(market / "plugins/demo/.codex-plugin/plugin.json", {"name": "demo", "version": "2.0"})
    commit(market, "Better demo")
    done = await client.call(MARKETPLACE_UPGRADE, MarketplaceUpgradeParams())
    assert (done.upgraded_roots, done.errors) == ([added.installed_root], [])
    assert (home / "plugins/cache/lab/demo/2.0").is_dir()
    done = await client.call(MARKETPLACE_UPGRADE, MarketplaceUpgradeParams())
    assert done.upgraded_roots == []

    await client.call(PLUGIN_UNINSTALL, PluginUninstallParams("demo@lab"))
    assert await shown(client) == [("demo@lab", False, False)]
    await client.call(MARKETPLACE_REMOVE, MarketplaceRemoveParams("lab"))
    assert await shown(client) == []
    text = (home / "config.toml").read_text()
    assert "demo" not in text and "lab" not in text


async def test_a_failed_upgrade_keeps_what_works(connect_stdio, home, market):
    """Ours: the checkout and the install stay, and the answer says which marketplace failed."""
    client = await connect_stdio()
    added = await client.call(MARKETPLACE_ADD, MarketplaceAddParams(ADDRESS))
    path = Path(added.installed_root) / ".agents/plugins/marketplace.json"
    await client.call(PLUGIN_INSTALL, PluginInstallParams("demo", marketplace_path=str(path)))
    before = path.read_text()
    write(market / ".agents/plugins/marketplace.json", "{broken")
    commit(market, "Break it")

    done = await client.call(MARKETPLACE_UPGRADE, MarketplaceUpgradeParams())
    assert [error.marketplace_name for error in done.errors] == ["lab"]
    assert path.read_text() == before
    assert await shown(client) == [("demo@lab", True, True)]
    assert not list((home / ".tmp/marketplaces").glob(".*")), "the failed checkout was left"


async def test_what_is_not_there_is_said(connect_stdio, market):
    """Observed, but for the git address: ours names what git said."""
    client = await connect_stdio()
    path = str(market / ".agents/plugins/marketplace.json")
    refused = {
        "was not found in marketplace": (
            PLUGIN_INSTALL,
            PluginInstallParams("other", marketplace_path=path),
        ),
        "exactly one of": (PLUGIN_READ, PluginReadParams("demo")),
        "git clone failed": (MARKETPLACE_ADD, MarketplaceAddParams(f"{HOST}none.git")),
        "is not configured": (MARKETPLACE_REMOVE, MarketplaceRemoveParams("../../etc")),
        "invalid plugin id": (PLUGIN_UNINSTALL, PluginUninstallParams("../x@lab")),
    }
    for text, (method, params) in refused.items():
        with pytest.raises(RpcError, match=text):
            await client.call(method, params)
