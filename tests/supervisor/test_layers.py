"""Tables in layers: merging, origins, versions, and the keys that lead into them."""

from pathlib import Path

import pytest

from protocol.config import SessionFlagsLayer, SystemLayer, UserLayer
from supervisor.layers import (
    ConfigError,
    Layer,
    dotted,
    flag,
    locate,
    merged,
    nested,
    origins,
    segments,
)

FLAGS, USER, SYSTEM = SessionFlagsLayer(), UserLayer("/h/config.toml"), SystemLayer("/etc/c.toml")


def test_a_version_is_the_hash_of_the_compact_sorted_table():
    """Observed: the same digests."""
    table = {"tools": {"view_image": True}, "model": "gpt-5.4", "model_verbosity": "low"}

    assert Layer(USER, table).version == (
        "sha256:8b4746a326e97126f00834ae1cf6a02fcfa43360508cec6d4813db1f6b0efbc4"
    )
    assert Layer(SYSTEM, {}).version.startswith("sha256:44136fa355b3678a")


def test_higher_layers_win_key_by_key_and_disabled_ones_do_not_count():
    """Observed: arrays are replaced, tables merged."""
    layers = [
        Layer(FLAGS, {"a": {"x": 1}, "list": [9]}),
        Layer(USER, {"model": "not this"}, "untrusted"),
        Layer(USER, {"a": {"x": 0, "y": 2}, "list": [1, 2]}),
    ]

    assert merged(layers) == {"a": {"x": 1, "y": 2}, "list": [9]}


def test_every_value_that_counts_knows_where_it_comes_from():
    """Observed: array items are numbered."""
    high, low = Layer(FLAGS, {"a": {"x": 1}}), Layer(USER, {"a": {"x": 0, "y": 2}, "n": ["p", "q"]})

    assert origins([high, low]) == {
        "a.x": high.metadata(),
        "a.y": low.metadata(),
        "n.0": low.metadata(),
        "n.1": low.metadata(),
    }


@pytest.mark.parametrize(
    ("pair", "table"),
    [
        ('model="x"', {"model": "x"}),
        ("model=plain", {"model": "plain"}),
        ("tools.view_image=false", {"tools": {"view_image": False}}),
        ("a.b=[1, 2]", {"a": {"b": [1, 2]}}),
        ("projects.'/x.y'.trust_level=trusted", {"projects": {"/x.y": {"trust_level": "trusted"}}}),
        ("url=https://a/?b=c", {"url": "https://a/?b=c"}),
        ("x=1\ny=2", {"x": "1\ny=2"}),
    ],
)
def test_a_flag_is_toml_where_it_can_be_and_text_otherwise(pair, table):
    """Observed; quoted key segments are ours."""
    assert flag(pair) == table


@pytest.mark.parametrize("pair", ["novalue", "=x", " = 1"])
def test_a_flag_without_key_or_value_is_refused_with_the_form_it_should_have(pair):
    """Observed: the server does not start."""
    with pytest.raises(ConfigError, match="write -c key=value"):
        flag(pair)


def test_odd_keys_are_split_at_their_dots():
    """Observed: `a..b` makes an empty key."""
    assert nested("a..b", 1) == {"a": {"": {"b": 1}}}
    assert segments("") == [""]


def test_a_key_is_quoted_where_toml_would():
    """Ours: errors name keys that can be pasted."""
    assert dotted(["projects", "/x", "trust_level"]) == 'projects."/x".trust_level'
    assert segments('projects."/x".trust_level') == ["projects", "/x", "trust_level"]


TEXT = """# c
model = 5
[projects."/a.b"]
trust_level = "no"
[tools]
web_search = { x = 3 }
[mcp_servers.x]
args = [
  1,
]
"""


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("model", (2, 9)),
        ('projects."/a.b".trust_level', (4, 15)),
        ("tools.web_search.x", (6, 14)),
        ("mcp_servers.x.args", (8, 8)),
        ("nowhere", None),
    ],
)
def test_a_key_is_found_in_the_text(key, place):
    """Observed: messages name line and column of the value; ours points at its inline table."""
    assert locate(TEXT, key) == place


def test_an_error_says_where_and_which_key():
    """Ours: file, line, column, problem, key."""
    error = ConfigError("bad", key="a.b", file=Path("/f"), at=(1, 2))

    assert str(error) == "/f:1:2: bad\nin `a.b`\n"
    assert str(ConfigError("bad")) == "bad"
