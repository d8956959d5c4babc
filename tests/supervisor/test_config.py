"""The host's configuration: layers, trust, and what clients are told when it is broken."""

import stat

import msgspec
import pytest

from supervisor.config import Config, request_table
from supervisor.layers import ConfigError

MOCK = 'model = "m"\nmodel_provider = "mock"\n[model_providers.mock]\nname = "Mock"\n'


@pytest.fixture
def home(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    return home


@pytest.fixture
def work(tmp_path):
    work = tmp_path / "work"
    (work / ".codex").mkdir(parents=True)
    return work


def config(home, *overrides, text=MOCK, **changes) -> Config:
    if text is not None:
        (home / "config.toml").write_text(text)
    loaded = Config.load(home, list(overrides))
    loaded.etc = changes.get("etc", home / "no-etc")
    return loaded


def trusting(work, text=MOCK):
    return f'{text}\n[projects."{work}"]\ntrust_level = "trusted"\n'


def kinds(config, cwd=None):
    return [layer.name.__struct_config__.tag for layer in config.layers(cwd)]


def test_layers_stand_in_their_order(home, work, tmp_path):
    """Observed: managed, flags, project, user, system."""
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "managed_config.toml").write_text('model_verbosity = "low"\n')
    (etc / "config.toml").write_text('model = "sys"\nreview_model = "r"\n')
    (work / ".codex" / "config.toml").write_text('model = "project"\n')
    found = config(home, "model_verbosity=high", text=trusting(work), etc=etc)

    assert kinds(found, str(work)) == [
        "legacyManagedConfigTomlFromFile",
        "sessionFlags",
        "project",
        "user",
        "system",
    ]
    toml = found.toml(str(work))
    assert (toml.model, toml.model_verbosity, toml.review_model) == ("project", "low", "r")
    assert kinds(found) == ["legacyManagedConfigTomlFromFile", "sessionFlags", "user", "system"]


def test_inner_folders_of_a_project_win(home, work):
    """Observed."""
    (work / ".git").mkdir()
    inner = work / "a" / ".codex"
    inner.mkdir(parents=True)
    (work / ".codex" / "config.toml").write_text('model = "outer"\nmodel_verbosity = "low"\n')
    (inner / "config.toml").write_text('model = "inner"\n')

    toml = config(home, text=trusting(work)).toml(str(work / "a"))

    assert (toml.model, toml.model_verbosity) == ("inner", "low")


def test_a_project_nobody_trusts_is_shown_but_not_obeyed(home, work):
    """Observed; and its mistakes keep nobody from work (ours)."""
    (work / ".codex" / "config.toml").write_text('model = "theirs"\n')
    found = config(home)

    layer = found.layers(str(work))[0]
    assert layer.table == {"model": "theirs"}
    assert layer.disabled_reason
    assert f"add {work} as a trusted project in {home}/config.toml" in layer.disabled_reason
    assert found.toml(str(work)).model == "m"

    (work / ".codex" / "config.toml").write_text("broken\n")
    assert found.toml(str(work)).model == "m"


def test_a_trusted_project_may_not_redirect_requests_or_trust_others(home, work):
    """Observed for model_provider; ours for projects."""
    (work / ".codex" / "config.toml").write_text(
        'model_provider = "openai"\nnotify = ["x"]\nmodel = "p"\n'
        '[projects."/"]\ntrust_level = "trusted"\n'
    )
    found = config(home, text=trusting(work))

    assert found.layers(str(work))[0].table == {"model": "p"}
    [warning] = found.problems(str(work))
    assert "model_provider, notify, projects" in warning.summary


def test_the_home_is_not_a_project(tmp_path):
    """Observed: `~/.codex` is the home when the cwd is `~`."""
    home = tmp_path / ".codex"
    home.mkdir()

    assert kinds(config(home), str(tmp_path)) == ["user", "system"]


def test_trusting_keeps_comments_and_the_file_private(home, work):
    """Observed: written for the repository, mode 0600."""
    (work / ".git").mkdir()
    (work / "sub").mkdir()
    found = config(home, text="# mine\nmodel = 'm' # so\n[projects]\n\"/x\" = {}\n")

    found.trust(str(work / "sub"))

    file = home / "config.toml"
    assert file.read_text().startswith("# mine\nmodel = 'm' # so\n[projects]\n\"/x\" = {}\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert found.trust_level(str(work)) == "trusted"
    before = file.read_text()
    found.trust(str(work))
    assert file.read_text() == before


def test_trusting_creates_the_file_when_there_is_none(home, work):
    """Observed."""
    found = config(home, text=None)

    found.trust(str(work))

    assert (home / "config.toml").read_text() == (f'[projects."{work}"]\ntrust_level = "trusted"\n')


def test_a_broken_file_at_start_is_a_warning_with_its_place(home):
    """Observed: defaults are used, each client is told."""
    found = config(home, text='model = "m"\nthis is not toml\n')

    found.check()
    [(method, body)] = found.warnings()

    params = msgspec.json.decode(body)["params"]
    place = {"line": 2, "column": 6}
    assert method == "configWarning"
    assert params["summary"] == "Invalid configuration; using defaults."
    assert params["details"].startswith(f"{home}/config.toml:2:6: ")
    assert params["path"] == f"{home}/config.toml"
    assert params["range"] == {"start": place, "end": place}
    assert (found.model_provider(), found.unload_grace_seconds()) == ("openai", 1800)


def test_an_untrusted_project_around_the_server_is_a_warning(home, work, monkeypatch):
    """Observed."""
    (work / ".codex" / "config.toml").touch()
    monkeypatch.chdir(work)

    [warning] = config(home).problems()

    assert f"1. {work}/.codex" in warning.summary


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("novalue", "there is no `=`"),
        ("approval_policy=sometimes", "in `approval_policy`"),
        ("model_provider=nobody", "Model provider `nobody` not found"),
        ("profile=nobody", "config profile `nobody` not found"),
    ],
)
def test_arguments_that_cannot_be_meant_stop_the_server(home, override, text):
    """Observed: exit status 1 and the reason."""
    with pytest.raises(ConfigError) as raised:
        config(home, override).check()

    assert text in str(raised.value)


def test_our_own_settings_stand_in_a_table_of_their_own(home):
    """Ours: `[atrio]`."""
    found = config(home, "atrio.unload_grace_seconds=0.5")

    assert (found.unload_grace_seconds(), found.model_provider()) == (0.5, "mock")
    assert found.sandbox_minimum() == "full"
    assert config(home, "atrio.sandbox_minimum='reduced'").sandbox_minimum() == "reduced"
    with pytest.raises(ConfigError, match="sandbox_minimum"):
        config(home, "atrio.sandbox_minimum='none'").check()


def test_a_request_may_write_keys_dotted_or_nested(tmp_path):
    """Observed; null is as good as not there (ours: TOML has no null)."""
    table = request_table(
        {
            "a.b": 1,
            "a": {"c": 2, "d": None},
            "model": None,
            "sandbox_workspace_write.writable_roots": ["rel"],
        },
        str(tmp_path),
    )

    assert table == {
        "a": {"b": 1, "c": 2},
        "sandbox_workspace_write": {"writable_roots": [str(tmp_path / "rel")]},
    }
    with pytest.raises(ConfigError, match="in `model`"):
        request_table({"model": 7}, str(tmp_path))
