"""A workspace, and commands that run in the real sandbox of this host."""

import os
import subprocess
import sys

import pytest
from msgspec.structs import replace

from protocol.policy import WorkspaceWrite
from sandbox import plan
from sandbox.probe import Missing, host, landlock
from tests.sandbox.trying import PRELUDE

INSIDE = WorkspaceWrite(exclude_slash_tmp=True, exclude_tmpdir_env_var=True)


@pytest.fixture(scope="session")
def bubblewrap():
    found = host()
    if isinstance(found, Missing):
        pytest.skip(f"no sandbox here: {found.reason}")
    return found


class Box:
    """`work` is the project, `outside` a folder beside it, `home` CODEX_HOME."""

    def __init__(self, tmp_path):
        self.work, self.outside, self.home = (tmp_path / n for n in ("work", "outside", "home"))
        for folder in (self.work, self.outside, self.home):
            folder.mkdir()
        (self.home / "auth.json").write_text("secret")
        (self.outside / "there").write_text("mine")
        self.policy = INSIDE
        self.profile = None

    def allow(self, **changes):
        self.policy = replace(self.policy, **changes)

    def start(self, argv, env=None, **streams):
        env = {"PATH": os.environ["PATH"], **(env or {})}
        cwd = str(self.work)
        launch = plan(self.policy, argv, cwd, env, self.profile, project=cwd)
        prepared = launch.prepare()
        process = subprocess.Popen(
            prepared.argv,
            cwd=prepared.cwd,
            env=prepared.env,
            pass_fds=prepared.pass_fds,
            **streams,
        )
        prepared.started()
        return process, prepared

    def run(self, *argv, env=None):
        """The exit code and all output."""
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "text": True}
        process, prepared = self.start(list(argv), env, stderr=subprocess.STDOUT, **streams)
        output, _ = process.communicate(timeout=20)
        if prepared.gone is not None:
            os.read(prepared.gone, 1)
        prepared.close()
        return process.returncode, output

    def python(self, code):
        """What a script says, its lines joined by spaces."""
        work, outside, home = self.work, self.outside, self.home
        names = f"work, outside, home = {str(work)!r}, {str(outside)!r}, {str(home)!r}\n"
        status, output = self.run(sys.executable, "-I", "-S", "-c", PRELUDE + names + code)
        assert status == 0, output
        return " ".join(output.split())

    def shell(self, script):
        status, output = self.run("/bin/sh", "-c", script)
        return status, output.strip()


@pytest.fixture
def place(tmp_path, monkeypatch):
    box = Box(tmp_path)
    monkeypatch.setenv("CODEX_HOME", str(box.home))
    monkeypatch.setattr("sandbox.roots._opened", set())  # what other tests may have written
    return box


@pytest.fixture
def box(place, bubblewrap):
    return place


@pytest.fixture
def cage(place, monkeypatch):
    """The same at the reduced level."""
    if isinstance(found := landlock(), Missing):
        pytest.skip(f"no reduced level here: {found.reason}")
    monkeypatch.setattr("sandbox.host", lambda: found)
    return place


@pytest.fixture(params=["box", "cage"])
def each(request):
    """At each level in turn."""
    return request.getfixturevalue(request.param)
