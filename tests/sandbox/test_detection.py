"""What is found out on hosts that lack something, each of them made by hand around one process."""

import json
import os
import struct
import subprocess
import sys

import pytest

from sandbox import landlock
from sandbox.probe import Missing, bubblewrap
from sandbox.probe import landlock as reduced

# Says what the host is, what a command is answered, and whether it ran.
LOOK = """
import ctypes, json, os, struct, sys
minimum, folder, program = sys.argv[1:4]
if program:
    code = bytes.fromhex(program)
    kept = ctypes.create_string_buffer(code, len(code))
    libc = ctypes.CDLL(None)
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, struct.pack("@HP", len(code) // 8, ctypes.addressof(kept))) == 0
import subprocess
import sandbox
from protocol.policy import WorkspaceWrite
sandbox.settle(minimum)
policy = WorkspaceWrite(exclude_slash_tmp=True, exclude_tmpdir_env_var=True)
said = ""
try:
    prepared = sandbox.plan(policy, ["/bin/touch", "ran"], folder, {}, project=folder).prepare()
    subprocess.run(prepared.argv, cwd=folder, env=prepared.env, pass_fds=prepared.pass_fds)
    prepared.close()
except sandbox.Unenforceable as error:
    said = error.reason
print(json.dumps([type(sandbox.host()).__name__, said, sandbox.report()]))
"""

_LOAD, _EQUAL, _RETURN, _ALLOW, _ERROR = 0x20, 0x15, 0x06, 0x7FFF0000, 0x50000
NO_NAMESPACES = {272: 1, 97: 1, 435: 38}  # unshare is refused, clone3 unknown, as by Docker
NO_LANDLOCK = {444: 38, 445: 38, 446: 38}


def program(refused: dict[int, int]) -> str:
    """A filter that answers to system calls with an error, and stops namespaces by clone."""
    ops = [(_LOAD, 0, 0, 0)]
    for number, error in refused.items():
        ops += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERROR | error)]
    if refused is NO_NAMESPACES:
        clone = 56 if os.uname().machine == "x86_64" else 220
        ops += [(_EQUAL, 0, 4, clone), (_LOAD, 0, 0, 16), (0x45, 0, 1, 0x10000000)]
        ops += [(_RETURN, 0, 0, _ERROR | 1), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("<HBBI", *op) for op in [*ops, (_RETURN, 0, 0, _ALLOW)]).hex()


@pytest.fixture
def look(tmp_path):
    (tmp_path / "home").mkdir()
    work = tmp_path / "work"
    work.mkdir()

    def look(minimum, *, around=(), refused=None, **environment):
        """Which host it is, what a command was answered, and the report."""
        env = {**os.environ, "CODEX_HOME": str(tmp_path / "home"), **environment}
        words = [sys.executable, "-c", LOOK, minimum, str(work), program(refused or {})]
        done = subprocess.run(
            [*around, *words], env=env, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        kind, said, report = json.loads(done.stdout)
        assert [p.name for p in work.iterdir()] == ([] if kind == "Missing" else ["ran"])
        return kind, said, report

    return look


needs_bubblewrap = pytest.mark.skipif(
    isinstance(bubblewrap(), Missing), reason="bubblewrap does not work here, and cannot be broken"
)
REDUCED = "Missing" if isinstance(reduced(), Missing) else "Landlock"
LIMIT = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
MASK = 'mount -t tmpfs none /proc/tty && exec "$@"'


def nested(*flags: str, script: str) -> tuple[str, ...]:
    return ("unshare", *flags, "sh", "-c", script, "sh")


HOSTS = {
    "no user namespaces": ({"refused": NO_NAMESPACES}, "No permissions to creat"),
    "a limit of none": ({"around": nested("-Ur", script=LIMIT)}, "No space left|limit|namespace"),
    "a masked /proc": ({"around": nested("-m", script=MASK)}, "Can't mount proc"),
    "no bubblewrap": ({"PATH": "/var/empty"}, "is not installed"),
    "another bubblewrap": ({"ATRIO_BWRAP": "/bin/true"}, "too old, it lacks --disable-userns"),
}


@needs_bubblewrap
@pytest.mark.parametrize("name", HOSTS)
def test_a_host_without_bubblewrap_runs_nothing_and_says_why(look, name):
    """Ours: SANDBOX.md, det-*; the cure is part of it."""
    lacking, says = HOSTS[name]
    kind, said, report = look("full", **lacking)
    assert kind == "Missing"
    assert said.startswith("Atrio cannot enforce the sandbox policy workspace-write on this host")
    assert any(text in said for text in says.split("|"))
    assert "danger-full-access" in said
    assert ("sandbox_minimum" in said) == (landlock.abi() >= landlock.OLDEST)
    assert report[0] == "sandbox: none, so what needs one is refused"


@needs_bubblewrap
@pytest.mark.parametrize("name", HOSTS)
def test_the_reduced_level_works_where_it_is_allowed(look, name):
    """Ours: it needs no namespaces; where it does not work either, both are told."""
    lacking, says = HOSTS[name]
    kind, said, report = look("reduced", **lacking)
    assert kind == REDUCED
    if kind == "Landlock":
        assert said == ""
        assert report[0].startswith("sandbox: reduced, by Landlock")
        assert any(text in report[1] for text in says.split("|"))


@pytest.mark.parametrize("minimum", ["full", "reduced"])
def test_without_landlock_nothing_is_promised(look, minimum):
    """Ours: SANDBOX.md, det-no-landlock."""
    kind, said, report = look(minimum, refused=NO_LANDLOCK, PATH="/var/empty")
    assert kind == "Missing"
    assert "sandbox_minimum" not in said
    assert ("the kernel has no Landlock" in said) == (minimum == "reduced")
    assert "landlock: none" in report


@needs_bubblewrap
def test_the_full_level_is_taken_wherever_it_works(look):
    """Ours: to put up with less is not to ask for less."""
    kind, said, report = look("reduced", refused=NO_LANDLOCK)
    assert (kind, said) == ("Bubblewrap", "")
    assert report[0].startswith("sandbox: full, by bubblewrap")
