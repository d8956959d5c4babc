"""stdio: framing, the end of input, a client that does not read, and what becomes of 0 and 1."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import memory_stream_pair

from protocol.envelope import Answer, Request
from supervisor.connection import Connection
from supervisor.outbox import Outbox
from supervisor.stdio import ANSWER_SECONDS, converse

ROOT = Path(__file__).parents[2]


class Echo:
    """Answers each request with its params, except `wait`, which is answered when it is told to."""

    def __init__(self):
        self.waiting = []

    def request(self, client: Connection, request: Request) -> None:
        if request.method == "wait":
            client.in_flight += 1
            self.waiting.append((client, request))
        else:
            client.reply(request.id, request.params)

    def settle(self) -> None:
        for client, request in self.waiting:
            client.reply(request.id, request.params)
            client.in_flight -= 1

    def answer(self, client: Connection, answer: Answer) -> None: ...
    def gone(self, client: Connection) -> None: ...


@contextmanager
def conversation(echo=None, **limits):
    yield Connection(echo or Echo(), "line", Outbox(**limits))


async def serve(connection, server):
    with trio.fail_after(5):
        await converse(connection, server, server)
    await server.send_eof()


async def everything(stream) -> list:
    with trio.fail_after(5):
        data = b"".join([piece async for piece in stream])
    return [json.loads(line) for line in data.splitlines()]


def request(id, method="echo", params=None) -> bytes:
    return json.dumps({"id": id, "method": method, "params": params}).encode()


async def test_each_line_is_a_message_however_it_arrives(nursery):
    """Observed: messages in pieces, several in one write, and CR before LF."""
    client, server = memory_stream_pair()
    with conversation() as connection:
        nursery.start_soon(serve, connection, server)
        line = request(1) + b"\n"
        for at in range(0, len(line), 7):
            await client.send_all(line[at : at + 7])
        await client.send_all(request(2) + b"\r\n" + request(3) + b"\n")
        await client.send_eof()
        assert [m["id"] for m in await everything(client)] == [1, 2, 3]


async def test_the_last_line_needs_no_newline(nursery):
    """Observed, where the reference answers it only sometimes; ours: always."""
    client, server = memory_stream_pair()
    with conversation() as connection:
        nursery.start_soon(serve, connection, server)
        await client.send_all(request(1))
        await client.send_eof()
        assert [m["id"] for m in await everything(client)] == [1]


async def test_lines_that_are_no_message_are_passed_over(nursery):
    """Ours: one invalid byte of UTF-8 does not end the server as it ends the reference's."""
    client, server = memory_stream_pair()
    with conversation() as connection:
        nursery.start_soon(serve, connection, server)
        await client.send_all(b'not json\n\n[]\n"\xff"\n{"id":9,"method":"\xff"}\n' + request(1))
        await client.send_eof()
        assert [m["id"] for m in await everything(client)] == [1]


async def test_answers_under_way_at_the_end_of_input_are_written(nursery, autojump_clock):
    """Ours: `printf … | atrio app-server` gets its answers, and the end comes with the last one."""
    client, server = memory_stream_pair()
    echo = Echo()
    with conversation(echo) as connection:
        nursery.start_soon(serve, connection, server)
        await client.send_all(request(1, "wait"))
        await client.send_eof()
        await trio.testing.wait_all_tasks_blocked()
        echo.settle()
        assert [m["id"] for m in await everything(client)] == [1]
    assert trio.current_time() < ANSWER_SECONDS


async def test_an_answer_that_does_not_come_is_not_waited_for_long(nursery, autojump_clock):
    """Ours: the reference ends at once."""
    client, server = memory_stream_pair()
    with conversation() as connection:
        nursery.start_soon(serve, connection, server)
        await client.send_all(request(1, "wait"))
        await client.send_eof()
        assert await everything(client) == []


async def test_nothing_is_read_while_the_client_does_not_take_its_answers(nursery):
    """Ours (DESIGN 7): stdio is one client, so it is its own reading that waits."""
    client, server = memory_stream_pair()
    reads = []

    class Stdin:
        async def receive_some(self, max_bytes):
            reads.append(max_bytes)
            return await server.receive_some(max_bytes)

    class Stuck:
        async def send_all(self, data):
            await trio.sleep_forever()

    with conversation(limit=10) as connection:
        nursery.start_soon(converse, connection, Stdin(), Stuck())
        for id in range(3):
            await client.send_all(request(id) + b"\n")
            await trio.testing.wait_all_tasks_blocked()
        assert len(reads) == 2  # the first answer is being written, the second fills the outbox
        nursery.cancel_scope.cancel()


async def test_a_client_that_takes_no_output_any_more_has_gone():
    """Ours: EPIPE is an end like any other."""
    client, server = memory_stream_pair()

    class Broken:
        async def send_all(self, data):
            raise trio.BrokenResourceError

    with conversation() as connection, trio.fail_after(5):
        await client.send_all(request(1) + b"\n")
        await converse(connection, server, Broken())


SERVER = """
import sys, trio
sys.path[:0] = [{root!r}, {here!r}]
from contextlib import contextmanager
from supervisor.connection import Connection
from supervisor.stdio import serve_stdio
from test_stdio import Echo
class Host:
    @contextmanager
    def connect(self, form):
        print("a stray print")
        yield Connection(Echo(), form)
trio.run(serve_stdio, Host())
assert not {{"trio_websocket", "jwt"}} & set(sys.modules)
"""


def server_command() -> list[str]:
    return [sys.executable, "-c", SERVER.format(root=str(ROOT), here=str(Path(__file__).parent))]


def test_a_stray_print_goes_to_stderr_and_not_into_the_wire():
    """Ours: the wire has descriptors of its own (as in the MCP SDK)."""
    done = subprocess.run(
        server_command(), input=request(1), capture_output=True, timeout=30, check=True
    )

    assert done.stdout == b'{"id":1,"result":null}\n'
    assert done.stderr == b"a stray print\n"


@pytest.mark.parametrize("output", ["file", "null"])
def test_files_and_devices_serve_as_standard_streams(tmp_path, output):
    """Ours: these cannot be polled."""
    (tmp_path / "in").write_bytes(request(1) + b"\n" + request(2))
    out = tmp_path / "out" if output == "file" else Path(os.devnull)
    with (tmp_path / "in").open("rb") as stdin, out.open("wb") as stdout:
        subprocess.run(server_command(), stdin=stdin, stdout=stdout, timeout=30, check=True)

    if output == "file":
        assert out.read_bytes() == b'{"id":1,"result":null}\n{"id":2,"result":null}\n'


def test_an_empty_input_ends_the_server():
    """Observed: status 0 at the end of input."""
    done = subprocess.run(
        server_command(), stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout) == (0, b"")


@pytest.mark.parametrize("kill", [False, True])
def test_a_shared_pipe_stays_blocking(kill):
    """Ours: O_NONBLOCK on a shared open file would stay behind when the server is killed."""
    stdin, write = os.pipe()
    read, stdout = os.pipe()
    server = subprocess.Popen(server_command(), stdin=stdin, stdout=stdout)
    os.write(write, request(1) + b"\n")
    assert os.read(read, 100) == b'{"id":1,"result":null}\n'
    assert os.get_blocking(stdin)
    assert os.get_blocking(stdout)
    if kill:
        server.kill()
    os.close(write)
    os.close(stdin)
    server.wait(30)
    assert os.get_blocking(stdout)
    os.close(read)
    os.close(stdout)


def test_a_shared_socket_is_blocking_again_at_the_end():
    """Ours: a socket cannot be opened anew, so its mode is put back."""
    import socket

    ours, theirs = socket.socketpair()
    with ours, theirs:
        server = subprocess.Popen(server_command(), stdin=theirs, stdout=theirs)
        ours.sendall(request(1) + b"\n")
        assert ours.recv(100) == b'{"id":1,"result":null}\n'
        ours.shutdown(socket.SHUT_WR)
        assert server.wait(30) == 0
        assert os.get_blocking(theirs.fileno())
