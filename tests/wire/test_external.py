"""externalAgentConfig/*: what a user of Claude Code has, taken over."""

import json
import time
import tomllib
from pathlib import Path

import pytest

from protocol.errors import RpcError
from protocol.external import ExternalAgentConfigDetectParams, ExternalAgentConfigImportParams
from protocol.item import AgentMessage, UserMessage
from protocol.methods import (
    EXTERNAL_AGENT_CONFIG_DETECT,
    EXTERNAL_AGENT_CONFIG_IMPORT,
    EXTERNAL_AGENT_CONFIG_IMPORT_COMPLETED,
    PLUGIN_LIST,
    THREAD_LIST,
    THREAD_READ,
)
from protocol.plugin import PluginListParams
from protocol.thread import ThreadListParams, ThreadReadParams


def write(file: Path, content: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content))


@pytest.fixture
def repo(tmp_path) -> Path:
    """A repository with one thing of each kind; hostile ones beside them."""
    root = tmp_path / "repo"
    settings = {
        "env": {"A": 1},
        "sandbox": {"enabled": True},
        "hooks": {
            "PreToolUse": [{"matcher": "Bash", "hooks": [{"type": "command", "command": "x"}]}],
            "Unheard": [{"hooks": [{"type": "command", "command": "y"}]}],
            "Stop": "not a list",
        },
        "enabledPlugins": {"demo@lab": True, "other@nowhere": True},
        "extraKnownMarketplaces": {"lab": {"source": {"source": "directory", "path": "./market"}}},
    }
    write(root / ".git/HEAD", "ref: refs/heads/main\n")
    write(root / ".claude/settings.json", settings)
    write(root / "CLAUDE.md", "Claude Code reads CLAUDE.md in .claude/rules\n")
    servers = {
        "docs": {"command": "d", "env": {"KEY": "${KEY}"}},
        "amid": {"command": "d", "args": ["--key=${KEY}"]},
        "old": {"type": "sse", "url": "https://e.example"},
        "odd": ["not", "a", "table"],
    }
    write(root / ".mcp.json", {"mcpServers": servers})
    skill = "---\nname: sk\ndescription: For Claude\n---\nx\n"
    write(root / ".claude/skills/sk/SKILL.md", skill)
    write(root / ".claude/skills/taken/SKILL.md", skill)
    write(root / ".agents/skills/taken/SKILL.md", "mine\n")
    agent = "---\nname: rev\ndescription: d\npermissionMode: plan\n---\nReview.\n"
    write(root / ".claude/agents/rev.md", agent)
    write(root / ".claude/agents/broken.md", "---\n: [\n---\nx\n")
    write(root / ".claude/commands/pr/go.md", "---\ndescription: d\n---\nGo.\n")
    write(root / ".claude/commands/args.md", "---\ndescription: d\n---\nDo $ARGUMENTS\n")
    offer = {"name": "demo", "source": "./demo"}
    write(root / "market/.agents/plugins/marketplace.json", {"name": "lab", "plugins": [offer]})
    write(root / "market/demo/.codex-plugin/plugin.json", {"name": "demo"})
    return root


async def detect(client, **where):
    params = ExternalAgentConfigDetectParams(**where)
    return (await client.call(EXTERNAL_AGENT_CONFIG_DETECT, params)).items


async def take(client, items):
    await client.call(EXTERNAL_AGENT_CONFIG_IMPORT, ExternalAgentConfigImportParams(items))
    await client.next(EXTERNAL_AGENT_CONFIG_IMPORT_COMPLETED)


async def test_everything_of_a_repository_is_taken_over_once(connect_stdio, repo):
    """Observed, but for plugins: those of marketplaces that it names are installed."""
    client = await connect_stdio()
    items = await detect(client, cwds=[str(repo), str(repo / "market"), "relative", "/nowhere"])
    kinds = "CONFIG MCP_SERVER_CONFIG HOOKS SKILLS COMMANDS SUBAGENTS AGENTS_MD PLUGINS"
    assert [item.item_type for item in items] == kinds.split()
    before = {file: file.read_bytes() for file in repo.rglob("*") if file.is_file()}

    await take(client, items)
    config = tomllib.loads((repo / ".codex/config.toml").read_text())
    assert config == {
        "sandbox_mode": "workspace-write",
        "shell_environment_policy": {"inherit": "core", "set": {"A": "1"}},
        "mcp_servers": {"docs": {"command": "d", "env_vars": ["KEY"]}},
    }
    hooks = json.loads((repo / ".codex/hooks.json").read_text())
    assert list(hooks["hooks"]) == ["PreToolUse"]
    assert (repo / "AGENTS.md").read_text() == "Codex reads AGENTS.md in .claude/rules\n"
    assert "For Codex" in (repo / ".agents/skills/sk/SKILL.md").read_text()
    assert (repo / ".agents/skills/source-command-pr-go/SKILL.md").is_file()
    agent = tomllib.loads((repo / ".codex/agents/rev.toml").read_text())
    assert (agent["sandbox_mode"], agent["developer_instructions"]) == ("read-only", "Review.")
    [market] = (await client.call(PLUGIN_LIST, PluginListParams())).marketplaces
    assert [(one.id, one.installed) for one in market.plugins] == [("demo@lab", True)]

    assert await detect(client, cwds=[str(repo)]) == []
    assert {file: file.read_bytes() for file in before} == before, "what was there has changed"


async def test_what_cannot_be_taken_over_does_not_keep_the_rest(connect_stdio, repo):
    """Ours: a broken file offers nothing, and a failure is said with the kind that it met."""
    client = await connect_stdio()
    items = await detect(client, cwds=[str(repo)])
    write(repo / ".claude/settings.json", "{broken")
    write(repo / ".codex/config.toml", "broken =\n")
    left = [item.item_type for item in await detect(client, cwds=[str(repo)])]
    assert left == ["SKILLS", "COMMANDS", "SUBAGENTS", "AGENTS_MD"]

    with pytest.raises(RpcError, match=r"CONFIG: .*settings.json is no JSON.*PLUGINS: ") as caught:
        await client.call(EXTERNAL_AGENT_CONFIG_IMPORT, ExternalAgentConfigImportParams(items))
    assert "SKILLS" not in caught.value.message
    assert (repo / "AGENTS.md").is_file()
    assert (repo / ".codex/config.toml").read_text() == "broken =\n"


async def test_sessions_become_threads_once(connect_stdio, project, tmp_path):
    """Observed: the title names the thread, what tools answered stays out, a mark ends it.

    HOME is the project's folder in tests.
    """
    at = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() - 60))
    base = {"cwd": str(tmp_path), "timestamp": at}
    call = {"type": "tool_use", "name": "Bash", "input": {"command": "ls"}}
    rows = [
        {"type": "user", "message": {"content": "first"}},
        {"type": "assistant", "message": {"content": [{"type": "text", "text": "yes"}, call]}},
        {"type": "user", "message": {"content": [{"type": "tool_result", "content": "files"}]}},
        {"type": "user", "message": {"content": [{"type": "text", "text": "second"}]}},
        {"type": "custom-title", "customTitle": "Mine"},
    ]
    lines = [json.dumps(row | base) for row in rows]
    write(project / ".claude/projects/p/s.jsonl", "\n".join([*lines, '{"torn', "[]"]))
    write(project / ".claude/projects/p/empty.jsonl", "")
    client = await connect_stdio()
    items = await detect(client, include_home=True)
    [session] = items[0].details.sessions
    assert (session.title, session.cwd) == ("Mine", str(tmp_path))

    await take(client, items)
    [thread] = (await client.call(THREAD_LIST, ThreadListParams())).data
    assert (thread.name, thread.preview, thread.cwd) == ("Mine", "first", str(tmp_path))
    read = ThreadReadParams(thread.id, include_turns=True)
    turns = (await client.call(THREAD_READ, read)).thread.turns
    assert [[type(item) for item in turn.items] for turn in turns] == [
        [UserMessage, AgentMessage],
        [UserMessage, AgentMessage],
    ]
    assert "external_agent_tool_call: Bash" in turns[0].items[1].text
    assert await detect(client, include_home=True) == []
