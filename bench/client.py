"""What the benches share: a server started on a home of its own, and clients that cost little.

The clients block, because a load client with an event loop would measure itself; a burst is read
in large pieces and counted, not decoded.
"""

import argparse
import os
import shlex
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psutil

READ_BYTES = 1 << 20
DELTA = b'"item/agentMessage/delta"'
OURS = f"{Path(sys.executable).with_name('atrio')} app-server"

CONFIG = """\
model = "gpt-5.4"
model_provider = "mock"
approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false
[analytics]
enabled = false
[features]
plugins = false
apps = false
[model_providers.mock]
name = "Mock"
base_url = "{url}"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
requires_openai_auth = false
supports_websockets = false
"""


class Client:
    """One connection.  `read` gives the next bytes, `write` sends one message."""

    def __init__(self) -> None:
        self._ids = 0
        self._messages = self._split()

    def read(self) -> bytes:
        raise NotImplementedError

    def write(self, message: bytes) -> None:
        raise NotImplementedError

    def _split(self) -> Iterator[bytes]:
        raise NotImplementedError

    def send(self, method: str, params: dict[str, Any]) -> int:
        self._ids += 1
        self.write(msgspec.json.encode({"id": self._ids, "method": method, "params": params}))
        return self._ids

    def next(self) -> dict[str, Any]:
        message = next(self._messages, None)
        if message is None:
            raise EOFError("the server has ended; start it by hand to see what it says on stderr")
        return msgspec.json.decode(message)

    def answer(self, id: int) -> Any:
        """Wait for the answer to a request; what is heard meanwhile is dropped."""
        while True:
            message = self.next()
            if message.get("id") == id and "method" not in message:
                if "error" in message:
                    raise RuntimeError(str(message["error"]))
                return message["result"]

    def call(self, method: str, params: dict[str, Any]) -> Any:
        return self.answer(self.send(method, params))

    def hear(self, method: str) -> dict[str, Any]:
        while True:
            message = self.next()
            if message.get("method") == method:
                return message["params"]

    def hello(self) -> None:
        info = {"name": "bench", "title": None, "version": "1"}
        self.call("initialize", {"clientInfo": info, "capabilities": {"experimentalApi": True}})
        self.write(b'{"method":"initialized"}')

    def start_thread(self, cwd: str) -> str:
        id = self.call("thread/start", {"cwd": cwd})["thread"]["id"]
        self.hear("thread/started")
        return id

    def start_turn(self, thread_id: str, text: str = "go") -> int:
        said = [{"type": "text", "text": text, "text_elements": []}]
        return self.send("turn/start", {"threadId": thread_id, "input": said})

    def turn(self, thread_id: str) -> None:
        """Run one turn to its end."""
        self.answer(self.start_turn(thread_id))
        self.hear("turn/completed")


class Pipes(Client):
    """A client on the server's standard streams."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        super().__init__()
        assert process.stdin is not None
        assert process.stdout is not None
        self._in, self._out = process.stdin.fileno(), process.stdout.fileno()

    def read(self) -> bytes:
        return os.read(self._out, READ_BYTES)

    def write(self, message: bytes) -> None:
        os.write(self._in, message + b"\n")

    def _split(self) -> Iterator[bytes]:
        rest = b""
        while data := self.read():
            *lines, rest = (rest + data).split(b"\n")
            yield from filter(None, lines)


class Socket(Client):
    """A WebSocket client that masks with zeros, so that what it sends is what it says."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.sendall(
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            % port
        )
        self._rest = b""
        while b"\r\n\r\n" not in self._rest:
            self._rest += self.read()
        self._rest = self._rest.partition(b"\r\n\r\n")[2]

    def read(self) -> bytes:
        return self.sock.recv(READ_BYTES)

    def write(self, message: bytes) -> None:
        size = len(message)
        head = bytes((0x81, 0x80 | size)) if size < 126 else b"\x81\xfe" + size.to_bytes(2)
        self.sock.sendall(head + bytes(4) + message)

    def _take(self, count: int) -> bytes:
        while len(self._rest) < count:
            data = self.read()
            if not data:
                raise EOFError("the server has closed the connection")
            self._rest += data
        taken, self._rest = self._rest[:count], self._rest[count:]
        return taken

    def _split(self) -> Iterator[bytes]:
        while True:
            first, size = self._take(2)
            if size >= 126:
                size = int.from_bytes(self._take(2 if size == 126 else 8))
            message = self._take(size)
            if first == 0x81:
                yield message


class Counter:
    """Counts a mark in a stream that is cut anywhere."""

    def __init__(self, mark: bytes = DELTA) -> None:
        self.count = 0
        self._mark = mark
        self._tail = b""

    def feed(self, data: bytes) -> int:
        mark = self._mark
        seam = self._tail + data[: len(mark) - 1]
        self.count += seam.count(mark) + data.count(mark)
        self._tail = (self._tail + data if len(data) < len(mark) else data)[1 - len(mark) :]
        return self.count


# ---- the server


class Server:
    """One running server; `process` is its first process."""

    def __init__(self, process: subprocess.Popen[bytes], home: "Home", port: int) -> None:
        self.process = process
        self.home = home
        self.port = port
        self.client: Client = Socket(port) if port else Pipes(process)

    def processes(self) -> list[psutil.Process]:
        first = psutil.Process(self.process.pid)
        return [first, *first.children(recursive=True)]

    def cpu_seconds(self) -> float:
        """Of all its processes, ended ones included."""
        return sum(sum(p.cpu_times()[:4]) for p in self.processes())

    def pss_mib(self) -> float:
        return sum(p.memory_full_info().pss for p in self.processes()) / (1 << 20)


class Home:
    """A CODEX_HOME and a project folder; not under /tmp, where the reference refuses to live."""

    def __init__(self, command: str, url: str) -> None:
        self.command = shlex.split(command)
        self.path = tempfile.mkdtemp(prefix="atrio-bench-", dir="/var/tmp")
        self.cwd = f"{self.path}/work"
        for name in ("work", "home", "bin"):
            Path(self.path, name).mkdir()
        Path(self.path, "home/config.toml").write_text(CONFIG.format(url=url))
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("CODEX_", "OPENAI_"))}
        self.env = {
            **kept,
            "HOME": self.path,
            "CODEX_HOME": f"{self.path}/home",
            "PATH": _path_without("lsb_release", Path(self.path, "bin")),
        }

    def spawn(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*self.command, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self.cwd,
            env=self.env,
        )

    @contextmanager
    def server(self, *, websocket: bool = False) -> Iterator[Server]:
        """A server whose first client has been initialized."""
        port = _free_port() if websocket else 0
        listen = ("--listen", f"ws://127.0.0.1:{port}") if websocket else ()
        process = self.spawn(*listen)
        try:
            if websocket:
                _wait_port(port)
            server = Server(process, self, port)
            server.client.hello()
            yield server
        finally:
            end(process, gently=not websocket)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


def end(process: subprocess.Popen[bytes], *, gently: bool = True) -> None:
    """Let a server go: its input ends, or it is asked to, or it is killed."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.stdout.close()
    if not gently:
        process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _path_without(program: str, folder: Path) -> str:
    """A PATH on which this program is not; its folder is replaced by links to the others.

    The reference 0.130 runs lsb_release on every turn where there is one.
    """
    path = [Path(entry) for entry in os.environ["PATH"].split(os.pathsep)]
    for place, entry in enumerate(path):
        if not (entry / program).exists():
            continue
        for other in entry.iterdir():
            if other.name != program and not (folder / other.name).is_symlink():
                (folder / other.name).symlink_to(other)
        path[place] = folder
    return os.pathsep.join(map(str, path))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_port(port: int) -> None:
    for _ in range(1000):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.01)
        else:
            return
    raise RuntimeError("the server does not listen on its port after ten seconds")


@contextmanager
def provider(*arguments: str) -> Iterator[str]:
    """A scripted provider in a process of its own; yields its URL."""
    command = [sys.executable, "-m", "bench.provider", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().decode().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


# ---- side by side

Figures = dict[str, float]


def arguments(parser: argparse.ArgumentParser | None = None) -> argparse.Namespace:
    parser = parser or argparse.ArgumentParser()
    parser.add_argument("--server", default=OURS, help="the command of our server")
    parser.add_argument("--reference", help="the reference server's binary")
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def alternate(
    options: argparse.Namespace, url: str, measure: Callable[[Home], Figures], title: str
) -> None:
    """Measure ours and the reference in turns, and print the medians of the rounds."""
    sides = {"ours": options.server}
    if options.reference:
        sides["reference"] = f"{options.reference} app-server"
    homes = {side: Home(command, url) for side, command in sides.items()}
    found: dict[str, list[Figures]] = {side: [] for side in sides}
    try:
        for _ in range(options.rounds):
            for side, home in homes.items():
                found[side].append(measure(home))
    finally:
        for home in homes.values():
            home.remove()
    _print(title, {side: medians(figures) for side, figures in found.items()})


def medians(figures: list[Figures]) -> Figures:
    return {name: statistics.median(round[name] for round in figures) for name in figures[0]}


def _print(title: str, medians: dict[str, Figures]) -> None:
    print(f"{title:<52} {'ours':>10} {'reference':>10} {'ratio':>7}")
    theirs = medians.get("reference", {})
    for name, ours in medians["ours"].items():
        line = f"{name:<52} {_number(ours):>10}"
        if their := theirs.get(name):
            line += f" {_number(their):>10} {ours / their:>7.2g}"
        print(line)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def median_ms(seconds: list[float]) -> float:
    return statistics.median(seconds) * 1000
