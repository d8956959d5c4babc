"""What clients are told of the configuration."""

from types import SimpleNamespace

import pytest
from msgspec import UNSET

from protocol.config import ConfigReadParams, ExperimentalFeatureListParams
from protocol.errors import INTERNAL_ERROR, RpcError
from protocol.methods import CONFIG_READ, CONFIG_REQUIREMENTS_READ, EXPERIMENTAL_FEATURE_LIST
from protocol.wire import Nothing
from supervisor.config import Config
from supervisor.handlers import HANDLERS
from supervisor.handlers import config as _  # noqa: F401 - enters its handlers


@pytest.fixture
def host(tmp_path):
    home, etc = tmp_path / "home", tmp_path / "etc"
    home.mkdir()
    etc.mkdir()
    return SimpleNamespace(home=home, config=Config(home, etc=etc))


def write(host, text):
    (host.home / "config.toml").write_text(text)


def call(host, row, params):
    return HANDLERS[row.name](host, None, params)


def read(host, **params):
    return call(host, CONFIG_READ, ConfigReadParams(**params))


def test_every_known_key_is_answered_null_if_unset(host):
    """Observed: with these defaults; what is ours shows only when it is set."""
    config = read(host).config

    assert {key: value for key, value in config.items() if value is not None} == {
        "allow_login_shell": True,
        "hide_agent_reasoning": False,
        "history": {"persistence": "save-all", "max_bytes": None},
        "marketplaces": {},
        "mcp_servers": {},
        "model_providers": {},
        "plugins": {},
        "profiles": {},
        "project_doc_fallback_filenames": [],
        "project_doc_max_bytes": 32768,
        "shell_environment_policy": {
            "inherit": None,
            "ignore_default_excludes": None,
            "exclude": None,
            "set": None,
            "include_only": None,
            "experimental_use_profile": None,
        },
        "features": {
            "apps": True,
            "memories": False,
            "plugins": True,
            "remote_control": False,
            "tool_search": True,
            "tool_suggest": True,
            "tool_call_mcp_elicitation": True,
        },
    }
    assert config["model"] is None


def test_tables_are_filled_up_and_profiles_shown_but_not_applied(host):
    """Observed."""
    write(
        host,
        'model = "m"\nprofile = "fast"\nunknown = 1\n[profiles.fast]\nmodel = "quick"\n'
        "[tools]\nweb_search = true\nview_image = true\n[features]\ngoals = true\napps = false\n"
        '[mcp_servers.one]\ncommand = "x"\n',
    )

    config = read(host).config

    assert (config["model"], config["profiles"]["fast"]["model"]) == ("m", "quick")
    assert config["profiles"]["fast"]["sandbox_mode"] is None
    assert config["tools"] == {"web_search": None, "view_image": True}
    assert (config["features"]["goals"], config["features"]["apps"]) == (True, False)
    assert config["mcp_servers"] == {"one": {"command": "x", "tool_timeout_sec": None}}
    assert "unknown" not in config


def test_layers_come_when_asked_for_and_origins_always(host):
    """Observed."""
    write(host, 'model = "m"\n')

    plain, whole = read(host), read(host, include_layers=True)

    assert plain.layers is UNSET
    assert whole.layers
    assert [layer.config for layer in whole.layers] == [{"model": "m"}, {}]
    assert plain.origins["model"].version == whole.layers[0].version


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("model = \n", "failed to read configuration layers: {home}/config.toml:1:9: "),
        ("model = 5\n", "failed to read configuration layers: {home}/config.toml:1:9: "),
    ],
)
def test_a_broken_file_is_our_error_with_its_place(host, text, start):
    """Observed: -32603."""
    write(host, text)

    with pytest.raises(RpcError) as raised:
        read(host)

    assert raised.value.code == INTERNAL_ERROR
    assert raised.value.message.startswith(start.format(home=host.home))


def test_there_are_no_requirements_without_a_file(host):
    """Observed."""
    assert call(host, CONFIG_REQUIREMENTS_READ, Nothing()).requirements is None


def test_requirements_are_told_as_they_stand(host):
    """Observed: who may search the cache may also not search."""
    file = host.config.etc / "requirements.toml"
    file.write_text(
        'allowed_approval_policies = ["on-request", "never"]\n'
        'allowed_sandbox_modes = ["read-only"]\nallowed_web_search_modes = ["cached"]\n'
        'enforce_residency = "us"\n[features]\nmemories = true\n[network]\nenabled = false\n'
    )

    told = call(host, CONFIG_REQUIREMENTS_READ, Nothing()).requirements

    assert told.allowed_approval_policies == ["on-request", "never"]
    assert told.allowed_sandbox_modes == ["read-only"]
    assert told.allowed_web_search_modes == ["cached", "disabled"]
    assert told.feature_requirements == {"memories": True}
    assert told.network.enabled is False

    file.write_text("allowed_sandbox_modes = 5\n")
    with pytest.raises(RpcError, match=r"requirements\.toml"):
        call(host, CONFIG_REQUIREMENTS_READ, Nothing())


def test_features_come_in_pages(host):
    """Observed: a limit of 0 is 1; a broken configuration has the defaults (ours)."""
    write(host, "broken\n")

    def page(**params):
        answer = call(host, EXPERIMENTAL_FEATURE_LIST, ExperimentalFeatureListParams(**params))
        return [row.name for row in answer.data], answer.next_cursor

    assert page(limit=0) == (["undo"], "1")
    assert page(cursor="1", limit=2) == (["shell_tool", "unified_exec"], "3")
    with pytest.raises(RpcError, match="cursor 9999 exceeds total feature flags 74"):
        page(cursor="9999")
