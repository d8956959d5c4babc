"""What the model is told about the place it works in."""

import re

from protocol.settings import Provider, Settings
from workers.environment import (
    Environment,
    environment_item,
    environment_text,
    look,
    shell_name,
    timezone,
)

NOW = Environment("/w", "bash", "2026-11-21", "Etc/UTC")


def test_the_environment_has_four_tags():
    """Observed: layout and order."""
    assert environment_text(NOW) == (
        "<environment_context>\n"
        "  <cwd>/w</cwd>\n"
        "  <shell>bash</shell>\n"
        "  <current_date>2026-11-21</current_date>\n"
        "  <timezone>Etc/UTC</timezone>\n"
        "</environment_context>"
    )


def test_it_is_told_again_as_a_whole_when_something_has_changed():
    """Observed: after a change of the working folder."""
    moved = Environment("/w/sub", "bash", "2026-11-21", "Etc/UTC")

    assert environment_item(NOW, NOW) is None
    assert environment_item(moved, NOW) == {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": environment_text(moved)}],
    }


def test_looking_gives_the_settings_folder_and_today():
    """Ours: the date is the one of the zone that is told."""
    found = look(Settings(home="/h", cwd="/w", model="m", provider=Provider("p", "P")))

    assert found.cwd == "/w"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", found.current_date)


def test_the_zone_of_the_environment_wins(monkeypatch, tmp_path):
    """Ours: the date is taken in it too; the reference reads the system's zone only."""
    (tmp_path / "Europe").mkdir()
    (tmp_path / "Europe/Berlin").touch()
    monkeypatch.setattr("workers.environment.ZONES", f"{tmp_path}/")
    monkeypatch.setenv("TZ", ":Europe/Berlin")

    assert timezone() == "Europe/Berlin"


def test_nonsense_in_tz_is_passed_over(monkeypatch):
    """Ours: the model is told a zone that exists."""
    monkeypatch.setenv("TZ", "No/Such")

    assert timezone() != "No/Such"


def test_the_shell_comes_from_the_password_file_first(monkeypatch):
    """Observed: `$SHELL` counts only when that names no shell."""
    monkeypatch.setattr("workers.environment._login_shell", lambda: "/bin/sh")
    monkeypatch.setenv("SHELL", "/bin/bash")

    assert shell_name() == "sh"


def test_a_shell_that_is_none_falls_back(monkeypatch):
    """Ours: service users have `nologin`."""
    monkeypatch.setattr("workers.environment._login_shell", lambda: "/usr/sbin/nologin")
    monkeypatch.delenv("SHELL", raising=False)

    assert shell_name() in {"bash", "sh"}
