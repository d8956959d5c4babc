"""Switching skills in the text of a configuration."""

import tomllib

import pytest

from supervisor.skill_rules import switched

TEXT = 'model = "a"  # which\n[tools]\nview_image = true\n'


def test_what_is_switched_off_and_on_again_leaves_the_text_as_it_was():
    """Observed: an entry says off, none says on; twice is once."""
    off = switched(TEXT, "path", "/a b/SKILL.md", enabled=False)
    assert tomllib.loads(off)["skills"]["config"] == [{"path": "/a b/SKILL.md", "enabled": False}]
    assert off.startswith(TEXT)
    assert switched(off, "path", "/a b/SKILL.md", enabled=False) == off
    assert switched(off, "path", "/a b/SKILL.md", enabled=True) == TEXT
    assert switched(TEXT, "name", "never", enabled=True) == TEXT


def test_other_entries_stay():
    """Observed."""
    two = switched(switched("", "name", "one", enabled=False), "name", 'q"', enabled=False)
    left = switched(two, "name", "one", enabled=True)
    assert tomllib.loads(left)["skills"]["config"] == [{"name": 'q"', "enabled": False}]
    again = switched('[[skills.config]]\nname = "x"\nenabled = true\n', "name", "x", enabled=False)
    assert tomllib.loads(again)["skills"]["config"] == [{"name": "x", "enabled": False}]


def test_entries_of_another_form_are_not_guessed_at():
    """Ours."""
    with pytest.raises(ValueError, match="list of tables"):
        switched("[skills]\nconfig = 1\n", "name", "x", enabled=False)
