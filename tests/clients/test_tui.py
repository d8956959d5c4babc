"""The Codex terminal UI works with our server, as far as its users can see: on the screen."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.clients.terminals import Terminals, terminals
from tests.server import ATRIO, LISTENING

pytestmark = pytest.mark.clients

COUNTING = [
    [{"type": "message", "text": "One two three."}],
    [{"type": "message", "text": "And four."}],
    [{"type": "message", "text": "And five."}],
]
MAKING = [
    [{"type": "tool", "name": "exec_command", "arguments": {"cmd": "touch made"}}],
    [{"type": "message", "text": "I tried."}],
]
SERVER_CONFIG = """
model = "gpt-5.4"
model_provider = "test"

[model_providers.test]
name = "Test"
wire_api = "scripted"
script = "{script}"
"""
TUI_CONFIG = """
model_provider = "test"  # one without a login, or the UI begins with asking for one
approval_policy = "untrusted"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false

[model_providers.test]
name = "Test"
base_url = "http://127.0.0.1:9"

[tui]
animations = false
show_tooltips = false

[projects."{project}"]
trust_level = "trusted"
"""


class Desk:
    """A server that plays a script, and any number of terminal UIs on it."""

    def __init__(self, tui: Path, all: Terminals) -> None:
        self.terminals, self.project = all, all.project
        self._tui = tui
        self._url = ""
        self._homes: dict[str, Path] = {}

    def serve(self, script: list[Any]) -> None:
        home = self._homes["server"] = self.terminals.home("server", "")
        (home / "script.json").write_text(json.dumps(script))
        (home / "config.toml").write_text(SERVER_CONFIG.format(script=home / "script.json"))
        listen = ["app-server", "--listen", "ws://127.0.0.1:0"]
        self.terminals.open("server", home, ATRIO, *listen)
        found = LISTENING.search(self.terminals.shows("server", "listening on ws://"))
        assert found
        self._url = found[1]

    def open(self, name: str, *arguments: str) -> None:
        """A terminal UI, once it can be typed into."""
        config = TUI_CONFIG.format(project=self.project)
        home = self._homes[name] = self.terminals.home(name, config)
        self.terminals.open(name, home, str(self._tui), *arguments, "--remote", self._url)
        self.terminals.shows(name, "OpenAI Codex", "›")

    def thread(self) -> str:
        """The id of the only thread that the server has stored."""
        (rollout,) = self._homes["server"].glob("sessions/**/rollout-*.jsonl")
        found = re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", rollout.name)
        assert found
        return found[0]


@pytest.fixture
def desk(codex_tui: Path) -> Iterator[Desk]:
    """The UI wants a CODEX_HOME that is not below /tmp."""
    with TemporaryDirectory(dir="/var/tmp") as place, terminals(Path(place)) as all:
        yield Desk(codex_tui, all)


def test_a_prompt_gets_its_answer_and_the_next_one_too(desk):
    """Observed: the UI's `--remote` takes the address of an app-server."""
    desk.serve(COUNTING)
    desk.open("anna")
    desk.terminals.types("anna", "Count to three.")
    desk.terminals.shows("anna", "› Count to three.", "• One two three.")
    desk.terminals.types("anna", "Go on.")
    desk.terminals.shows("anna", "• One two three.", "› Go on.", "• And four.")


def test_two_uis_on_one_thread_see_each_other_s_turns(desk):
    """Observed: `resume ID` in a second UI shows what was said and then follows the thread."""
    desk.serve(COUNTING)
    desk.open("anna")
    desk.terminals.types("anna", "Count to three.")
    desk.terminals.shows("anna", "• One two three.")
    desk.open("ben", "resume", desk.thread())
    desk.terminals.shows("ben", "› Count to three.", "• One two three.")
    desk.terminals.types("ben", "Go on.")
    desk.terminals.shows("ben", "› Go on.", "• And four.")
    desk.terminals.shows("anna", "• One two three.", "› Go on.", "• And four.")
    desk.terminals.types("anna", "And on.")
    desk.terminals.shows("anna", "› And on.", "• And five.")
    desk.terminals.shows("ben", "• And four.", "› And on.", "• And five.")


def test_who_answers_a_question_answers_it_for_both(desk):
    """Observed: all are asked, also one who joins; the first answer takes it off every screen."""
    desk.serve(MAKING)
    desk.open("anna")
    desk.terminals.types("anna", "Make it.")
    desk.terminals.shows("anna", "touch made", "Yes, proceed")
    desk.open("ben", "resume", desk.thread())
    desk.terminals.shows("ben", "touch made", "Yes, proceed")
    assert not (desk.project / "made").exists()
    desk.terminals.presses("ben", "y")
    desk.terminals.shows("ben", "• I tried.")
    assert "Yes, proceed" not in desk.terminals.shows("anna", "• I tried.")
    assert (desk.project / "made").exists()


def test_a_question_that_is_declined_runs_nothing(desk):
    """Observed: Escape answers `cancel`, which ends the turn."""
    desk.serve(MAKING)
    desk.open("anna")
    desk.terminals.types("anna", "Make it.")
    desk.terminals.shows("anna", "touch made", "Yes, proceed")
    desk.terminals.presses("anna", "Escape")
    desk.terminals.shows("anna", "Conversation interrupted")
    assert not (desk.project / "made").exists()


def test_a_command_of_the_user_s_own_shows_its_output(desk):
    """Observed: the UI ends itself when `thread/shellCommand` is refused."""
    desk.serve(COUNTING)
    desk.open("anna")
    desk.terminals.presses("anna", "!")
    desk.terminals.shows("anna", "Shell mode")
    desk.terminals.types("anna", "echo $((40 + 2)) apples")
    desk.terminals.shows("anna", "• You ran echo", "42 apples")
    desk.terminals.types("anna", "Count to three.")
    desk.terminals.shows("anna", "42 apples", "• One two three.")
