"""What clients are told of hooks."""

from types import SimpleNamespace

from protocol.hook import HooksListEntry, HooksListParams
from protocol.methods import HOOKS_LIST
from supervisor.config import Config
from supervisor.handlers import HANDLERS
from supervisor.handlers import hook as _  # noqa: F401 - enters its handlers


def test_hooks_are_listed_for_each_folder(tmp_path, monkeypatch):
    """Observed; a configuration that cannot be read is an error of the entry (ours)."""
    monkeypatch.chdir(tmp_path)
    host = SimpleNamespace(home=tmp_path, config=Config(tmp_path, etc=tmp_path / "no-etc"))

    def listed(**params):
        return HANDLERS[HOOKS_LIST.name](host, None, HooksListParams(**params)).data

    assert listed(cwds=["/a", "/b"]) == [
        HooksListEntry("/a", [], [], []),
        HooksListEntry("/b", [], [], []),
    ]
    (tmp_path / "config.toml").write_text("broken\n")
    [entry] = listed()
    assert (entry.cwd, entry.errors[0].path) == (str(tmp_path), str(tmp_path / "config.toml"))
