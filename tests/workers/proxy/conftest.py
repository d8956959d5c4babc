"""A proxy on loopback, a server behind it, curl in front of it; names resolve as a test says."""

import shutil
from contextlib import asynccontextmanager

import h11
import pytest
import trio

from protocol.network import ManagedNetwork
from workers.proxy.gate import Gate
from workers.proxy.policy import Policy
from workers.proxy.serve import serve


class Origin:
    """Answers every request with its method, target, host and body; `requests` has the heads."""

    def __init__(self):
        self.port = 0
        self.requests = []
        self.bodies = []

    async def run(self, *, task_status=trio.TASK_STATUS_IGNORED):
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listeners[0].socket.getsockname()[1]
        task_status.started()
        await trio.serve_listeners(self._answer, listeners)

    async def _answer(self, stream):
        async with stream:
            try:
                await self._exchange(stream)
            except (trio.BrokenResourceError, h11.RemoteProtocolError):
                return

    async def _exchange(self, stream):
        wire, request, body = h11.Connection(h11.SERVER), None, b""
        while True:
            event = wire.next_event()
            if event is h11.NEED_DATA:
                wire.receive_data(await stream.receive_some())
            elif isinstance(event, h11.Request):
                request = event
                self.requests.append(event)
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                return
        self.bodies.append(body)
        host = dict(request.headers)[b"host"]
        said = b" ".join([request.method, request.target, host, str(len(body)).encode()]) + b"\n"
        await stream.send_all(
            wire.send(h11.Response(status_code=200, headers=[("x-origin", "yes")]))
            + (b"" if request.method == b"HEAD" else wire.send(h11.Data(said)))
            + wire.send(h11.EndOfMessage())
        )


class World:
    """The proxy with all that is around it."""

    def __init__(self, nursery):
        self._nursery = nursery
        self.network = ManagedNetwork()
        self.rules = []
        self.names = {}
        self.looked_up = []
        self.asked = []
        self.answer = False
        self.told = []
        self.faults = []
        self.origin = Origin()
        self.http = self.socks = 0

    def allow(self, *hosts, **more):
        self.network = ManagedNetwork(allowed=list(hosts), **more)

    async def resolve(self, host, port):
        await trio.lowlevel.checkpoint()
        self.looked_up.append(host)
        found = self.names.get(host)
        if found is None:
            raise OSError(-2, "Name or service not known")
        return found.pop(0) if isinstance(found[0], list) else found

    async def ask(self, target):
        await trio.lowlevel.checkpoint()
        self.asked.append(target)
        return self.answer

    async def begin(self):
        await self._nursery.start(self.origin.run)
        listeners = [(await trio.open_tcp_listeners(0, host="127.0.0.1"))[0] for _ in range(2)]
        self.http, self.socks = (one.socket.getsockname()[1] for one in listeners)
        gate = Gate(
            lambda: Policy(self.network, self.rules), self.ask, self.told.append, self.resolve
        )
        self._nursery.start_soon(serve, listeners, gate, self.faults.append)
        return self

    async def curl(self, *words, proxy=None):
        """Exit code, and what it says: the answer's head and body, or its own complaint."""
        proxy = proxy or f"http://127.0.0.1:{self.http}"
        argv = ["curl", "-sS", "-i", "--max-time", "20", "--noproxy", "", "-x", proxy, *words]
        done = await trio.run_process(
            argv, capture_stdout=True, capture_stderr=True, check=False, env={"PATH": "/usr/bin"}
        )
        return done.returncode, (done.stdout + done.stderr).decode()

    @asynccontextmanager
    async def connected(self, port=None):
        async with await trio.open_tcp_stream("127.0.0.1", port or self.http) as stream:
            yield stream

    def near(self, host="here.test"):
        """A URL of the origin by a name; the test is about something else than where it is."""
        self.names[host] = ["127.0.0.1"]
        return f"http://{host}:{self.origin.port}/"


@pytest.fixture
async def world(nursery):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    world = await World(nursery).begin()
    with trio.fail_after(60):
        yield world
    assert world.faults == []


async def everything(stream):
    """All that comes until the other side has ended."""
    data = b""
    while piece := await stream.receive_some():
        data += piece
    return data
