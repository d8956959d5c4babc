"""`app-server proxy`: a stdio client and a server on a Unix socket, with a process between them."""

import base64
import subprocess
import sys
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

import trio

from protocol.envelope import Request
from supervisor.connection import Connection
from supervisor.websocket import serve_unix

ROOT = Path(__file__).parents[2]


class Host:
    @contextmanager
    def connect(self, form):
        yield Connection(self, form)

    def request(self, client: Connection, request: Request) -> None:
        client.reply(request.id, request.params)

    def answer(self, client, answer): ...
    def gone(self, client): ...


@asynccontextmanager
async def proxy(path: Path):
    """A proxy's process; the server behind it answers each request with its params."""
    command = [sys.executable, "-m", "supervisor", "app-server", "proxy", "--sock", str(path)]
    start = partial(
        trio.run_process,
        command,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_unix, Host(), path)
        with trio.fail_after(20):
            yield await nursery.start(start)
        nursery.cancel_scope.cancel()


async def everything(stream) -> bytes:
    return b"".join([bytes(piece) async for piece in stream])


async def test_json_lines_pass_as_websocket_messages(tmp_path):
    """Ours: a client that knows only stdio reaches a running server, and gets its last answer."""
    async with proxy(tmp_path / "s.sock") as process:
        await process.stdin.send_all(b'{"id":1,"method":"a","params":"\xc3\xa9"}\n{"id":2,"meth')
        assert await process.stdout.receive_some(1000) == b'{"id":1,"result":"\xc3\xa9"}\n'
        await process.stdin.send_all(b'od":"a"}\nnonsense\n{"id":3,"method":"a","params":[3]}')
        await process.stdin.aclose()
        said = await everything(process.stdout)
        assert said == b'{"id":2,"result":null}\n{"id":3,"result":[3]}\n'
        assert await process.wait() == 0


async def test_a_websocket_client_speaks_for_itself(tmp_path):
    """Observed: the bytes pass as they are."""
    key = base64.b64encode(bytes(16)).decode()
    handshake = (
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    async with proxy(tmp_path / "s.sock") as process:
        await process.stdin.send_all(handshake.encode() + b"\x88\x82\0\0\0\0\x03\xe8")
        said = await everything(process.stdout)
        assert said.startswith(b"HTTP/1.1 101 ")
        assert said.endswith(b"\r\n\r\n\x88\x02\x03\xe8")
        assert await process.wait() == 0


async def test_the_end_of_the_input_is_the_end(tmp_path):
    """Observed: status 0."""
    async with proxy(tmp_path / "s.sock") as process:
        await process.stdin.aclose()
        assert await everything(process.stdout) == b""
        assert await process.wait() == 0


def test_without_a_server_there_is_nothing_to_join(tmp_path):
    """Observed: status 1."""
    command = [sys.executable, "-m", "supervisor", "app-server", "proxy", "--sock", tmp_path / "s"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no server listens" in done.stderr
    assert "--listen unix://" in done.stderr
