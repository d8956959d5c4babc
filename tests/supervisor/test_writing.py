"""Writes into the user's configuration: all of it or nothing, and why not."""

import os
import stat

import pytest

from protocol.config import ConfigEdit
from protocol.errors import INTERNAL_ERROR, RpcError
from supervisor.config import Config
from supervisor.writing import write


@pytest.fixture
def config(tmp_path):
    (tmp_path / "config.toml").write_text('model = "a"\n')
    return Config(tmp_path, {"model_verbosity": "high"}, etc=tmp_path / "etc")


def put(config, *edits, file_path=None, expected_version=None):
    return write(
        config,
        [ConfigEdit(key, strategy, value) for key, value, strategy in edits],
        file_path=file_path,
        expected_version=expected_version,
    )


def code(refused):
    return refused.value.data["config_write_error_code"]


def test_a_write_answers_with_the_new_version_and_who_overrides_it(config):
    """Observed."""
    done = put(config, ("model", "b", "replace"))
    _flags, user, *_system = config.layers()
    assert (done.status, done.version) == ("ok", user.version)
    over = put(config, ("model_verbosity", "low", "replace")).overridden_metadata
    assert (over.message, over.effective_value) == ("Overridden by session flags", "high")
    with pytest.raises(RpcError) as refused:
        put(config, ("model", "c", "replace"), expected_version=done.version)
    assert code(refused) == "configVersionConflict"


@pytest.mark.parametrize(
    "edit",
    [
        ("approval_policy", "sometimes", "replace"),
        ("model.sub", "x", "upsert"),
        ("", "x", "replace"),
        ("mcp_servers.x", {"args": []}, "replace"),
        ("model", {"a": [None]}, "replace"),
    ],
)
def test_nothing_is_written_of_edits_with_one_that_is_wrong(config, edit):
    """Observed."""
    with pytest.raises(RpcError) as refused:
        put(config, ("model", "b", "replace"), edit)
    assert code(refused) == "configValidationError"
    assert config.file.read_text() == 'model = "a"\n'


def test_only_the_users_own_file_is_written(config, tmp_path):
    """Observed: by its absolute name, through a link too."""
    for path in ("config.toml", str(tmp_path / "other.toml")):
        with pytest.raises(RpcError) as refused:
            put(config, ("model", "b", "replace"), file_path=path)
        assert code(refused) == "configLayerReadonly"
    real = tmp_path / "real.toml"
    config.file.rename(real)
    config.file.symlink_to(real)
    put(config, ("model", "b", "replace"), file_path=str(config.file))
    assert config.file.is_symlink()
    assert real.read_text() == 'model = "b"\n'
    assert stat.S_IMODE(real.stat().st_mode) == 0o600


def test_what_cannot_be_read_or_written_is_said_and_left(config, tmp_path, monkeypatch):
    """Observed for text that is no TOML; ours: a home that cannot be written to."""
    config.file.write_text("model = \n")
    with pytest.raises(RpcError, match="failed to load configuration"):
        put(config, ("model", "b", "replace"))
    config.file.write_text("model = 5\n")
    put(config, ("model", "b", "replace"))  # a wrong value can be repaired

    def full(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("supervisor.source.os.fsync", full)
    with pytest.raises(RpcError, match=r"config\.toml cannot be written: No space") as refused:
        put(config, ("model", "c", "replace"))
    assert refused.value.code == INTERNAL_ERROR
    assert config.file.read_text() == 'model = "b"\n'
    assert [file.name for file in tmp_path.iterdir()] == ["config.toml"]
