"""How many agents there may be, and of what kinds, from every place that may say so."""

import pytest

from protocol.agent import AgentSettings
from protocol.errors import RpcError
from supervisor.config import Config
from supervisor.resolve import Overrides, resolve

FILE = """
name = "critic"
description = "finds fault"
model = "gpt-5.2"
model_reasoning_effort = "low"
developer_instructions = "Be strict."
sandbox_mode = "read-only"
"""


@pytest.fixture
def home(tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "home" / "agents").mkdir(parents=True)
    return tmp_path / "home"


def agents(home, text="", **config) -> AgentSettings:
    (home / "config.toml").write_text(text)
    loaded = Config.load(home, [])
    loaded.etc = home / "no-etc"
    return resolve(loaded, Overrides(cwd=str(home.parent / "work"), config=config)).agents


def test_without_configuration_there_are_the_references_bounds(home):
    """Observed."""
    assert agents(home) == AgentSettings(max_threads=6, max_depth=1, roles={})


def test_the_bounds_can_be_set(home):
    """Observed."""
    found = agents(home, "[agents]\nmax_threads = 2\nmax_depth = 3\njob_max_runtime_seconds = 9\n")

    assert (found.max_threads, found.max_depth, found.roles) == (2, 3, {})


@pytest.mark.parametrize("line", ["max_threads = 0", "max_depth = -1", "max_depth = 'deep'"])
def test_a_bound_that_allows_none_is_refused_by_name(home, line):
    """Observed for numbers."""
    with pytest.raises(RpcError, match=f"agents.{line.split()[0]} must be at least 1"):
        agents(home, f"[agents]\n{line}\n")


def test_a_role_is_a_table_with_a_file_beside_the_configuration(home):
    """Observed: the table's own description wins."""
    (home / "critic.toml").write_text(FILE)
    role = agents(
        home,
        '[agents.strict]\ndescription = "is strict"\nconfig_file = "critic.toml"\n'
        'nickname_candidates = ["Zed"]\n',
    ).roles["strict"]

    assert (role.description, role.nicknames) == ("is strict", ["Zed"])
    assert (role.model, role.effort) == ("gpt-5.2", "low")
    assert role.developer_instructions == "Be strict."


def test_a_role_is_a_file_in_the_agents_folder(home):
    """Observed: its name is the one that it gives itself, else the file's."""
    (home / "agents" / "a.toml").write_text(FILE)
    (home / "agents" / "b.toml").write_text('model = "gpt-5.2"\n')

    assert sorted(agents(home).roles) == ["b", "critic"]


def test_a_trusted_project_brings_roles_and_its_own_win(home):
    """Observed: an inner layer's role of a name replaces an outer one's."""
    folder = home.parent / "work" / ".codex"
    (folder / "agents").mkdir(parents=True)
    (folder / "agents" / "critic.toml").write_text('description = "the project\'s"\n')
    (home / "agents" / "critic.toml").write_text(FILE)
    trusted = f'[projects."{home.parent / "work"}"]\ntrust_level = "trusted"\n'

    assert agents(home).roles["critic"].description == "finds fault"
    assert agents(home, trusted).roles["critic"].description == "the project's"


@pytest.mark.parametrize("text", ["model = 1", "model =", b"\xff"])
def test_a_file_that_cannot_be_used_keeps_nobody_from_work(home, text):
    """Ours: who asks for an agent of that kind is told the file and the fault."""
    path = home / "agents" / "broken.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())

    assert str(path) in (agents(home).roles["broken"].problem or "")


def test_a_file_that_is_missing_keeps_nobody_from_work(home):
    """Ours."""
    role = agents(home, '[agents.gone]\nconfig_file = "gone.toml"\n').roles["gone"]

    assert "gone.toml" in (role.problem or "")
