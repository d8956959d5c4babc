"""WebSocket: frames, closing, slow clients, HTTP on the same port, Unix sockets."""

import socket
import stat
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from supervisor.options import Refused
from supervisor.websocket import serve_unix
from tests.supervisor.upgrading import Host, talking


@asynccontextmanager
async def unix(path: Path, host=None):
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_unix, host or Host(), path)
        with trio.fail_after(5):
            yield
        nursery.cancel_scope.cancel()


async def test_a_unix_socket_is_its_owners_alone_and_goes_with_the_server(tmp_path):
    """Observed: mode 0600, removed at the end, Origin ignored."""
    path = tmp_path / "new" / "s.sock"
    async with unix(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        origin = [(b"Origin", b"http://x")]
        stream = await trio.open_unix_socket(path)
        async with stream, talking(stream, extra_headers=origin) as client:
            await client.send_message('{"id":1,"method":"echo"}')
            assert await client.get_message() == '{"id":1,"result":null}'
    assert not path.exists()


async def test_a_socket_that_nobody_serves_is_taken_over(tmp_path):
    """Observed."""
    path = tmp_path / "s.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with unix(path):
        await (await trio.open_unix_socket(path)).aclose()


async def test_a_second_server_is_refused_and_the_first_goes_on(tmp_path):
    """Observed: status 1."""
    path = tmp_path / "s.sock"
    async with unix(path):
        with pytest.raises(Refused, match="listens on"):
            await serve_unix(Host(), path)
        await (await trio.open_unix_socket(path)).aclose()


async def test_a_file_in_the_place_of_the_socket_is_left_alone(tmp_path):
    """Ours: what we have not made we do not remove."""
    path = tmp_path / "s.sock"
    path.write_text("precious")
    with pytest.raises(Refused, match="is no socket"):
        await serve_unix(Host(), path)
    assert path.read_text() == "precious"


async def test_a_path_too_long_for_a_socket_is_refused(tmp_path):
    """Ours: the system's limit is about a hundred bytes, and its message should reach the user."""
    with pytest.raises(Refused, match="too long"):
        await serve_unix(Host(), tmp_path / ("x" * 200))


async def test_the_default_socket_lies_in_a_private_folder(tmp_path, monkeypatch):
    """Observed: 0700, under CODEX_HOME."""
    monkeypatch.setenv("CODEX_HOME", str(tmp_path))
    path = tmp_path / "app-server-control" / "app-server-control.sock"
    path.parent.mkdir(mode=0o755)
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_unix, Host(), None)
        assert path.is_socket()
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        nursery.cancel_scope.cancel()
