"""A child in the real sandbox: its terminal, its end, and what is left of it."""

import os

import psutil
import pytest
import trio

from protocol.policy import ReadOnly, WorkspaceWrite
from sandbox import plan
from sandbox.probe import Missing, bubblewrap, landlock
from tests.workers.test_process import Heard, open_files
from workers.process import LIVE, Process

INSIDE = WorkspaceWrite(exclude_slash_tmp=True, exclude_tmpdir_env_var=True)
ENV = {"PATH": os.environ["PATH"], "PS1": "$ ", "TERM": "dumb", "HOME": "/"}


@pytest.fixture(autouse=True, params=["full", "reduced"])
def level(request, monkeypatch):
    found = bubblewrap() if request.param == "full" else landlock()
    if isinstance(found, Missing):
        pytest.skip(f"no sandbox here: {found.reason}")
    monkeypatch.setattr("sandbox.host", lambda: found)
    return request.param


def confined(words, folder="/", policy=None):
    return plan(policy or ReadOnly(), words, str(folder), ENV, project=str(folder))


async def test_a_terminal_is_the_commands_own():
    """Ours: the reference server's has no job control and no /dev/tty."""
    heard = Heard()
    script = "stty size; echo to the terminal > /dev/tty; echo and > /dev/stderr; ps -o stat= -p $$"
    process = Process(confined(["bash", "-c", script]), tty=True)
    with trio.fail_after(5):
        assert await process.run(heard) == 0
    lines = heard.decode().split("\r\n")
    assert lines[:3] == ["24 80", "to the terminal", "and"]
    assert "s" in lines[3]  # a session leader
    assert "+" in lines[3]  # in the foreground


async def test_an_interrupt_ends_the_job_and_not_the_shell():
    """Ours: Ctrl-C must not end the session; nor does Ctrl-Z or a new size."""
    heard = Heard()
    process = Process(confined(["bash", "--norc", "-i"]), tty=True)
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(process.run, heard)
            await heard.until(b"$ ")
            await process.write(b"sh -c 'echo fir\"\"st; exec sleep 1000'\n")
            await heard.until(b"first")
            await process.write(b"\x03")
            await heard.until(b"^C\r\n$ ")  # the shell has its terminal back
            await process.write(b"sh -c 'echo sec\"\"ond; exec sleep 1000'\n")
            await heard.until(b"second")
            await process.write(b"\x1a")
            await heard.until(
                b"Stopped                 sh -c 'echo sec\"\"ond; exec sleep 1000'\r\n$ "
            )
            process.resize(50, 100)
            await process.write(b"kill %1; stty size; exit 5\n")
            await heard.until(b"50 100")
            await process.wait()
    assert process.exit_code == 5


async def test_cancelling_leaves_nothing(tmp_path, level):
    """Ours: no process, no descriptor, no placeholder."""
    before = open_files()
    heard = Heard()
    launch = confined(["sh", "-c", "setsid sleep 1000 & echo on; sleep 1000"], tmp_path, INSIDE)
    process = Process(launch)
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(process.run, heard)
            await heard.until(b"on")
            held = [".agents", ".codex", ".git"] if level == "full" else []
            assert sorted(p.name for p in tmp_path.iterdir()) == held
            family = psutil.Process(process.pid).children(recursive=True)
            nursery.cancel_scope.cancel()
        assert process not in LIVE
        assert list(tmp_path.iterdir()) == []
        while open_files() != before:  # a removed placeholder's is closed behind the answer
            await trio.lowlevel.checkpoint()
    assert not psutil.wait_procs(family, timeout=5)[1]


async def test_the_end_waits_for_the_placeholders(tmp_path):
    """Observed: no folder is left when the answer comes."""
    with trio.fail_after(5):
        for _ in range(5):
            process = Process(confined(["touch", "made"], tmp_path, INSIDE))
            assert await process.run(lambda _: None) == 0
            assert [p.name for p in tmp_path.iterdir()] == ["made"]


async def test_a_missing_cwd_is_told_as_without_a_sandbox(tmp_path):
    """Observed: the command cannot be started."""
    launch = confined(["true"], tmp_path)
    tmp_path.rmdir()
    with pytest.raises(FileNotFoundError):
        Process(launch)


async def test_input_reaches_the_command():
    """Ours: through bubblewrap as without it."""
    heard = Heard()
    process = Process(confined(["cat"]), stdin=True)
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(process.run, heard)
            await process.write(b"hello")
            await heard.until(b"hello")
            await process.close_stdin()
    assert process.exit_code == 0


async def test_large_output_is_whole():
    """Ours: nothing is lost at the end."""
    heard = Heard()
    process = Process(confined(["seq", "1", "100000"]))
    with trio.fail_after(5):
        assert await process.run(heard) == 0
    assert heard == b"".join(b"%d\n" % n for n in range(1, 100001))
