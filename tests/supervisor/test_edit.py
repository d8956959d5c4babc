"""Edits of TOML leave what is not meant."""

import pytest

from supervisor.edit import edited

TEXT = """\
# the model
model = "a"  # which

# about tools
[tools]
# it sees
view_image = true
[servers.one]
command = "x"
env = { A = "1" }
"""


def test_a_value_is_replaced_where_it_stands_with_its_remark():
    """Observed."""
    assert edited(TEXT, [(["model"], "b")]) == TEXT.replace('"a"', '"b"')


def test_new_keys_and_tables_are_added_and_dots_are_no_path():
    """Observed: tables come after values; ours: whatever the key holds."""
    made = edited("", [(["a.b", "c"], {"t": {"x": 1}, "v": 2}), (["top"], [1, {"y": True}])])
    import tomllib

    assert tomllib.loads(made) == {"a.b": {"c": {"t": {"x": 1}, "v": 2}}, "top": [1, {"y": True}]}


def test_a_merge_keeps_what_is_not_named_and_a_replacement_does_not():
    """Observed: upsert and replace."""
    merged = edited(TEXT, [(["servers", "one"], {"env": {"B": "2"}})], merge=True)
    assert 'command = "x"' in merged
    assert 'A = "1"' in merged
    replaced = edited(TEXT, [(["servers", "one"], {"url": "y"})])
    assert "command" not in replaced


def test_what_is_taken_away_takes_its_own_comment_with_it_only():
    """Observed."""
    made = edited(TEXT, [(["tools", "view_image"], None), (["never", "there"], None)])
    assert "# it sees" not in made
    assert "# about tools" in made
    assert "# the model" in made


def test_a_path_through_what_is_no_table_is_refused():
    """Observed."""
    with pytest.raises(KeyError, match="model"):
        edited(TEXT, [(["model", "sub"], 1)])
