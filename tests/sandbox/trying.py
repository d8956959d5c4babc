"""Runs the rows of the table, all in one sandbox, as root or as somebody who is nobody.

Each row has a root of its own with a repository in it, so that none sees what another has done.
"""

import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import sandbox
from protocol.policy import DangerFullAccess, ReadOnly, SandboxPolicy, WorkspaceWrite
from sandbox import plan, probe
from tests.sandbox.table import FILES, WORKS, Row

Level = Literal["none", "full", "reduced"]
Who = Literal["root", "user"]

NOBODY = 65534
SHARED = 0x41545249  # the key of a piece of shared memory
SECONDS = 60

# Says `ok`, or the name of the error, for each act.
PRELUDE = """
import ctypes, errno, os, signal, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
def attempt(act, *arguments):
    try:
        act(*arguments)
    except OSError as error:
        print(errno.errorcode[error.errno] if error.errno else type(error).__name__)
    else:
        print("ok")
def put(path, text="x"):
    with open(path, "w") as file:
        file.write(text)
"""

_PROGRAM = """
import json
limit = struct.pack("QQ", 64, 64)
def observed(folder, code):
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(write, 1)
        os.chdir(folder)
        attempted = globals()
        attempted["outside"] = outsides + "/" + os.path.basename(folder)
        try:
            exec(code, attempted)
        except OSError as error:  # on the way to the act
            print(errno.errorcode[error.errno])
        except BaseException as error:
            print(repr(error))
        sys.stdout.flush()
        os._exit(0)
    os.close(write)
    said = open(read).read()
    os.waitpid(pid, 0)
    return " ".join(said.split())
print(json.dumps([observed(folder, code) for folder, code in rows]))
"""


@dataclass(frozen=True)
class Place:
    """`work` has a root for each row, `outside` a folder for each, `home` is CODEX_HOME."""

    work: Path
    outside: Path
    home: Path

    @classmethod
    def make(cls, base: Path, count: int) -> "Place":
        place = cls(base / "work", base / "outside", base / "home")
        place.home.mkdir()
        (place.home / "auth.json").write_text("secret")
        for number in range(count):
            (place.work / str(number) / ".git").mkdir(parents=True)
            (place.work / str(number) / ".git/config").write_text("[core]\n")
            (place.outside / str(number)).mkdir(parents=True)
            (place.outside / str(number) / "there").write_text("mine")
        return place

    def harm(self) -> list[str]:
        """What has become of the outside."""
        found: list[str] = []
        for folder in self.outside.iterdir():
            if [p.name for p in folder.iterdir()] != ["there"]:
                found.append(f"{folder} has other files")
            elif (folder / "there").read_text() != "mine":
                found.append(f"{folder}/there is changed")
        return found + [str(p) for p in self.home.iterdir() if p.name != "auth.json"]

    def policy(self, *, writing: bool) -> SandboxPolicy:
        roots = [str(path) for path in self.work.iterdir()] if writing else []
        return (
            WorkspaceWrite(
                writable_roots=roots, exclude_slash_tmp=True, exclude_tmpdir_env_var=True
            )
            if writing
            else ReadOnly()
        )


def backend(level: Level) -> probe.Host:
    return probe.landlock() if level == "reduced" else probe.bubblewrap()


def observe(
    rows: Mapping[str, Row], level: Level, who: Who, *, writing: bool
) -> tuple[dict[str, str], list[str]]:
    """What each row said, and what harm was done."""
    base = Path(tempfile.mkdtemp(dir="/var/tmp", prefix="atrio-test-"))
    try:
        place = Place.make(base, sum(name in FILES | WORKS for name in rows) + 1)
        if who == "user":
            _give(base)
        said = _as(who, lambda: _observed(place, rows, level, writing=writing))
        return dict(zip(rows, said, strict=True)), place.harm()
    finally:
        shutil.rmtree(base)


def _give(base: Path) -> None:
    for path in (base, *base.rglob("*")):
        os.chown(path, NOBODY, NOBODY)


def python_for_all() -> str | None:
    """An interpreter like ours that an ordinary user may run."""
    own = f"/usr/bin/python3.{sys.version_info.minor}"
    return own if Path(own).exists() else None


def _as(who: Who, act: Callable[[], Any]) -> Any:
    """In a child process, since there is no way back from being nobody."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        try:
            if who == "user":
                os.setgroups([])
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, NOBODY)
                sys.executable = python_for_all() or sys.executable
            answer: Any = {"said": act()}
        except BaseException as error:  # noqa: BLE001 - told to the parent
            answer = {"error": repr(error)}
        with os.fdopen(write, "w") as pipe:
            json.dump(answer, pipe)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        answer = json.load(pipe)
    os.waitpid(pid, 0)
    assert "said" in answer, answer["error"]
    return answer["said"]


def _observed(place: Place, rows: Mapping[str, Row], level: Level, *, writing: bool) -> list[str]:
    os.environ["CODEX_HOME"] = str(place.home)
    found = backend(level)
    sandbox.host = lambda: found
    policy = DangerFullAccess() if level == "none" else place.policy(writing=writing)
    with _server(place) as names:
        code = list(_placed(rows, place))
        names |= {"rows": code, "home": str(place.home), "outsides": str(place.outside)}
        given = "".join(f"{name} = {value!r}\n" for name, value in names.items())
        argv = [sys.executable, "-I", "-S", "-c", PRELUDE + given + _PROGRAM]
        env = {"PATH": "/usr/bin:/bin"}
        launch = plan(policy, argv, str(place.work), env, project=str(place.work / "0"))
        prepared = launch.prepare()
        child = subprocess.run(
            prepared.argv,
            cwd=prepared.cwd,
            env=prepared.env,
            pass_fds=prepared.pass_fds,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        prepared.started()
        if prepared.gone is not None:
            os.read(prepared.gone, 1)
        prepared.close()
    assert child.returncode == 0, child.stderr.decode()
    return json.loads(child.stdout)


def _placed(rows: Mapping[str, Row], place: Place) -> Iterator[tuple[str, str]]:
    """Folder and act; those that do nothing to files share the last folder."""
    numbers = itertools.count()
    shared = len(list(place.work.iterdir())) - 1
    for name, row in rows.items():
        number = next(numbers) if name in FILES | WORKS else shared
        yield str(place.work / str(number)), row.act


@contextlib.contextmanager
def _server(place: Place) -> Iterator[dict[str, Any]]:
    """A process, servers and shared memory of the user's, out of the sandbox."""
    path = str(place.home.parent / "socket")
    abstract = f"\0atrio-test-{os.getpid()}"
    key = SHARED + os.getpid()
    with contextlib.ExitStack() as stack:
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        for name in (path, abstract):
            server = stack.enter_context(socket.socket(socket.AF_UNIX))
            server.bind(name)
            server.listen()
        victim = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, cwd="/")
        stack.callback(victim.wait)
        stack.callback(victim.send_signal, signal.SIGKILL)
        shared = _shared_memory(key)
        stack.callback(shared)
        terminal = os.openpty()
        for end in terminal:
            stack.callback(os.close, end)
        yield {
            "victim": victim.pid,
            "tcp": tcp.getsockname()[1],
            "path": path,
            "abstract": abstract,
            "shared": key,
            "terminal": os.ttyname(terminal[1]),
        }


def _shared_memory(key: int) -> Callable[[], object]:
    """Made; what is returned removes it."""
    import ctypes

    libc = ctypes.CDLL(None)
    made = libc.shmget(key, 16, 0o1600)
    assert made >= 0
    return lambda: libc.shmctl(made, 0, None)
