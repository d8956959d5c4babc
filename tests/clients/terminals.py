"""Programs on terminals, for tests that see what a user sees and press what a user presses."""

import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.server import END_SECONDS

SCREEN_SECONDS = 20.0  # for anything to appear; a terminal UI starts in about one
POLL_SECONDS = 0.1
SIZE = ["-x", "100", "-y", "40"]


class Terminals:
    """Each program has a screen under a name of its own; `place` is a folder for all of them."""

    def __init__(self, place: Path) -> None:
        self.project = place / "project"
        self.project.mkdir()
        self._place = place
        self._tmux = ["tmux", "-S", str(place / "tmux"), "-f", os.devnull]

    def home(self, name: str, config: str) -> Path:
        """Make a CODEX_HOME."""
        home = self._place / name
        home.mkdir()
        (home / "config.toml").write_text(config)
        return home

    def open(self, name: str, home: Path, *command: str) -> None:
        """Run a program in the project.  Its HOME is empty, so no profile slows its shells."""
        settings = ["-e", f"CODEX_HOME={home}", "-e", f"HOME={home}"]
        self._run("new-session", "-d", "-s", name, *SIZE, "-c", str(self.project), *settings,
                  *command)  # fmt: skip

    def types(self, name: str, text: str) -> None:
        """Paste a text and send it off: of typed letters a UI may take Enter for one more."""
        self._run("set-buffer", text)
        self._run("paste-buffer", "-p", "-t", name)
        self.shows(name, text)
        self.presses(name, "Enter")

    def presses(self, name: str, key: str) -> None:
        self._run("send-keys", "-t", name, key)

    def shows(self, name: str, *texts: str) -> str:
        """Return the screen once all of these texts are on it, in this order."""
        pattern = re.compile(".*".join(map(re.escape, texts)), re.DOTALL)
        return self._until(name, lambda screen: bool(pattern.search(screen)), f"shows {texts}")

    def hides(self, name: str, text: str) -> str:
        """Return the screen once this text is no longer on it."""
        return self._until(name, lambda screen: text not in screen, f"is without {text!r}")

    def screen(self, name: str) -> str:
        return self._run("capture-pane", "-p", "-J", "-t", name)

    def begin(self) -> None:
        """Start the server of the terminals; the network of all programs is its network.

        That network ends at the loopback where we may make one: no program calls home.
        """
        options = ["set-option", "-s", "exit-empty", "off", ";",
                   "set-option", "-g", "remain-on-exit", "on"]  # fmt: skip
        begin = shlex.join([*self._tmux, "start-server", ";", *options])
        alone = ["unshare", "--net", "sh", "-c", f"ip link set lo up && {begin}"]
        if os.geteuid() != 0 or subprocess.run(alone, check=False).returncode != 0:
            subprocess.run(["sh", "-c", begin], check=True)

    def end(self) -> None:
        """End every program as a user's system does; nothing of any may be left behind."""
        for name in self._run("list-sessions", "-F", "#{session_name}").split():
            print(f"---- {name}", self.screen(name).rstrip(), sep="\n")
        shells = self._run("list-panes", "-a", "-F", "#{pane_pid}").split()
        programs = [psutil.Process(int(pid)) for pid in shells if psutil.pid_exists(int(pid))]
        family = programs + [p for program in programs for p in program.children(recursive=True)]
        for program in programs:
            program.terminate()
        end = time.monotonic() + END_SECONDS
        while (left := [p for p in family if _is_alive(p)]) and time.monotonic() < end:
            time.sleep(POLL_SECONDS)
        for process in left:
            process.kill()
        self._run("kill-server")
        assert not left, f"processes were left behind: {left}"

    def _until(self, name: str, is_so: Callable[[str], bool], what: str) -> str:
        end = time.monotonic() + SCREEN_SECONDS
        while not is_so(screen := self.screen(name)):
            assert time.monotonic() < end, f"waited for: {name} {what}; it shows\n{screen}"
            time.sleep(POLL_SECONDS)
        return screen

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            [*self._tmux, *command], check=False, capture_output=True, text=True, timeout=10
        )
        assert done.returncode == 0, f"tmux {command}: {done.stderr}"
        return done.stdout


def _is_alive(process: psutil.Process) -> bool:
    """Tmux 3.3 does not always take note of a program that has ended: a zombie is no more."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def terminals(place: Path) -> Iterator[Terminals]:
    all = Terminals(place)
    all.begin()
    try:
        yield all
    finally:
        all.end()
