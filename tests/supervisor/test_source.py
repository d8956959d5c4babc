"""One file of the configuration: reading it once, and again when it has changed."""

import stat

import pytest

from supervisor.layers import ConfigError
from supervisor.source import Source


def test_a_missing_file_is_an_empty_table(tmp_path):
    """Observed: no config.toml is a valid configuration."""
    assert Source(tmp_path / "none.toml").table() == {}


def test_a_changed_file_is_read_again_and_an_unchanged_one_is_not(tmp_path):
    """Ours: edits hold from the next use on, without anything watching."""
    file = tmp_path / "config.toml"
    file.write_text('model = "a"\n')
    source = Source(file)
    first = source.table()
    assert source.table() is first

    file.write_text('model = "bb"\n')

    assert source.table() == {"model": "bb"}
    file.unlink()
    assert source.table() == {}


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('model = "a"\nthis is not toml\n', ":2:6: "),
        ("model = \n", ":1:9: "),
        ('# c\n\nmodel = 5\nother = "x"\n', ":3:9: invalid type: integer `5`"),
        ('model = """\nnever ends', ":2:"),
    ],
)
def test_a_broken_file_is_named_with_line_and_column(tmp_path, text, where):
    """Observed: `FILE:LINE:COLUMN: problem`."""
    file = tmp_path / "config.toml"
    file.write_text(text)

    with pytest.raises(ConfigError) as raised:
        Source(file).table()

    assert str(raised.value).startswith(f"{file}{where}")


def test_bytes_that_are_no_text_are_an_error_of_the_file(tmp_path):
    """Ours."""
    file = tmp_path / "config.toml"
    file.write_bytes(b"\xff\xfe")

    with pytest.raises(ConfigError, match="cannot be read"):
        Source(file).table()


def test_relative_paths_count_from_the_folder_of_the_file(tmp_path):
    """Observed for writable_roots of a project's own file."""
    file = tmp_path / "config.toml"
    file.write_text(
        'model_instructions_file = "base.md"\n'
        '[sandbox_workspace_write]\nwritable_roots = ["rel", "/abs"]\n'
    )

    assert Source(file).table() == {
        "model_instructions_file": str(tmp_path / "base.md"),
        "sandbox_workspace_write": {"writable_roots": [str(tmp_path / "rel"), "/abs"]},
    }


def test_a_written_file_is_private_and_a_link_stays_a_link(tmp_path):
    """Observed: mode 0600, links are written through."""
    real = tmp_path / "real.toml"
    real.write_text("a = 1\n")
    link = tmp_path / "config.toml"
    link.symlink_to(real)

    Source(link).write("a = 2\n")

    assert link.is_symlink()
    assert real.read_text() == "a = 2\n"
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert sorted(file.name for file in tmp_path.iterdir()) == ["config.toml", "real.toml"]
