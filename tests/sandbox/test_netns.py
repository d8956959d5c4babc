"""A network namespace for the commands of a thread: what it reaches, and what keeps it."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from protocol.policy import ManagedPermissions, NetworkPermissions, UnrestrictedFileSystem
from sandbox import Unenforceable, plan
from sandbox.netns import unshare
from sandbox.probe import Landlock

CURL = ["curl", "-sS", "--noproxy", "*", "--max-time", "5"]


@pytest.fixture
def space(bubblewrap):
    namespace, listeners = unshare([0, 0])
    yield namespace, listeners
    namespace.close()
    for listener in listeners:
        listener.close()


def run(box, namespace, *argv, profile=None):
    launch = plan(
        box.policy,
        list(argv),
        str(box.work),
        {"PATH": os.environ["PATH"]},
        profile,
        project=str(box.work),
        namespace=namespace,
    )
    prepared = launch.prepare()
    done = subprocess.run(
        prepared.argv,
        cwd=prepared.cwd,
        env=prepared.env,
        pass_fds=prepared.pass_fds,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    if prepared.gone is not None:
        prepared.started()
        os.read(prepared.gone, 1)
    prepared.close()
    return done.returncode, done.stdout + done.stderr


def test_a_command_reaches_the_sockets_that_were_made_inside(box, space):
    """Ours: SANDBOX.md, section 7."""
    namespace, (listener, _) = space
    port = listener.getsockname()[1]
    code = f"import socket; socket.create_connection(('127.0.0.1', {port}), 5)"
    status, said = run(box, namespace, sys.executable, "-c", code)

    assert (status, said) == (0, "")
    listener.settimeout(5)
    listener.accept()[0].close()


@pytest.mark.parametrize("profile", [None, "unrestricted"])
def test_a_command_sees_loopback_only_and_not_the_host_s(box, space, profile):
    """Ours: what leads out is the proxy alone, whatever else the profile allows."""
    if profile is not None:
        profile = ManagedPermissions(UnrestrictedFileSystem(), NetworkPermissions(enabled=True))
    with socket.create_server(("127.0.0.1", 0)) as host:
        port = host.getsockname()[1]
        status, said = run(box, space[0], *CURL, f"http://127.0.0.1:{port}/", profile=profile)
        assert (status, "Couldn't connect" in said) == (7, True), said
    _, said = run(box, space[0], "cat", "/proc/net/dev", profile=profile)
    assert [line.split(":")[0].strip() for line in said.splitlines()[2:]] == ["lo"]


def test_a_command_gets_no_descriptor_and_no_privilege_in_it(box, space):
    """Ours: with either it could leave the namespace, or take its loopback down."""
    _, said = run(box, space[0], "/bin/sh", "-c", "ls /proc/self/fd; grep CapEff /proc/self/status")

    assert said.split() == ["0", "1", "2", "3", "CapEff:", "0000000000000000"]


def test_one_command_reaches_the_server_of_another(box, space):
    """Ours: SANDBOX.md, section 7; with one namespace per command it could not."""
    (box.work / "page").write_text("hello")
    launch = plan(
        box.policy,
        [sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "0"],
        str(box.work),
        {"PATH": os.environ["PATH"]},
        project=str(box.work),
        namespace=space[0],
    )
    prepared = launch.prepare()
    server = subprocess.Popen(
        prepared.argv,
        cwd=prepared.cwd,
        env=prepared.env,
        pass_fds=prepared.pass_fds,
        stdout=subprocess.PIPE,
        text=True,
    )
    with server:
        prepared.started()
        try:
            assert server.stdout
            port = server.stdout.readline().split()[5]
            assert run(box, space[0], *CURL, f"http://127.0.0.1:{port}/page") == (0, "hello")
        finally:
            server.terminate()
            os.read(prepared.gone, 1)
            prepared.close()


def test_two_namespaces_are_strangers(box, space):
    """Ours: threads do not meet."""
    other, listeners = unshare([0])
    port = listeners[0].getsockname()[1]
    status, _ = run(box, space[0], *CURL, f"http://127.0.0.1:{port}/")
    listeners[0].close()
    other.close()

    assert status == 7


def test_the_reduced_level_refuses(box, space, monkeypatch):
    """Ours: Landlock closes ports, it leads nothing through a proxy."""
    monkeypatch.setattr("sandbox.host", lambda: Landlock(7, "bubblewrap is not installed"))
    with pytest.raises(Unenforceable, match="network is managed.*bubblewrap is not installed"):
        run(box, space[0], "true")


def test_a_port_can_be_chosen():
    """Observed: `proxy_url` names one; each thread may have the same."""
    namespaces = [unshare([3128]) for _ in range(2)]
    for namespace, (listener,) in namespaces:
        assert listener.getsockname() == ("127.0.0.1", 3128)
        listener.close()
        namespace.close()


def test_a_host_without_nsenter_refuses(monkeypatch):
    """Ours: never silently without the proxy."""
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(Unenforceable, match="nsenter.*util-linux"):
        unshare([0])


def test_a_port_that_cannot_be_had_is_told(monkeypatch):
    """Ours: an error names its cause."""
    with pytest.raises(Unenforceable, match="Address already in use"):
        unshare([3128, 3128])


def test_nothing_is_left_open_when_it_fails():
    """Ours: a thread may try again for hours."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(Unenforceable):
        unshare([3128, 3128])

    assert len(list(Path("/proc/self/fd").iterdir())) == before
