"""What tests of the whole server share: home, project, model, and clients on each transport."""

import os
import zlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.client import Client
from tests.leftovers import Watch
from tests.model import Model
from tests.server import Server, serving

CONFIG = """
model = "gpt-5.4"
model_provider = "test"
approval_policy = "never"
sandbox_mode = "danger-full-access"

[model_providers.test]
name = "Test"
base_url = "{base_url}"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
stream_idle_timeout_ms = 5000
"""


WATCH = pytest.StashKey[Watch]()
ON_BOTH = ("test_handshake", "test_thread")  # on each transport, every time


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Ours: what lies behind the transport is tried on one of them, by chance but always the same.

    `ATRIO_TRANSPORTS=both` tries all of it on both; what is about transports always is.
    """
    if os.environ.get("ATRIO_TRANSPORTS") == "both":
        return
    spared = [item for item in items if _is_spared(item)]
    config.hook.pytest_deselected(items=spared)
    items[:] = [item for item in items if item not in {*spared}]


def _is_spared(item: pytest.Item) -> bool:
    spec = getattr(item, "callspec", None)
    if spec is None or "connect" not in spec.params or item.path.stem in ON_BOTH:
        return False
    name = f"{item.path.stem}::{item.originalname}"  # pyright: ignore[reportAttributeAccessIssue]
    chosen = (STDIO, WEBSOCKET)[zlib.crc32(name.encode()) % 2]
    return spec.params["connect"] != chosen


def pytest_sessionstart(session: pytest.Session) -> None:
    session.config.stash[WATCH] = Watch()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Ours: a whole run leaves nothing on the machine, whatever single tests have looked at."""
    folder = session.config._tmp_path_factory.getbasetemp()  # no public way leads to it from here
    if left := session.config.stash[WATCH].left(folder):
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        reporter.write_line("")
        reporter.write_sep("=", "LEFT BEHIND by the tests", red=True, bold=True)
        for line in left:
            reporter.write_line(line, red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


class Connect:
    """Starts a server at the first use; each use is a client that has said hello.

    On stdio a server has one client.  `restart` ends the server, so that the next use starts
    another one in the same home.
    """

    def __init__(self, home: Path, project: Path, nursery: trio.Nursery, listen: str) -> None:
        self.server: Server
        self.flags: list[str] = []
        self._places = home, project
        self._nursery = nursery
        self._listen = listen
        self._visitors: trio.Nursery | None = None
        self._over = self._ended = trio.Event()

    async def __call__(self, *, initialize: bool = True, experimental: bool = True) -> Client:
        if self._visitors is None:
            self._visitors = await self._nursery.start(self._serve)
        client: Client = await self._visitors.start(self._visit)
        if initialize:
            await client.initialize(experimental=experimental)
        return client

    async def restart(self) -> None:
        """End the server and wait until nothing of it is left."""
        if self._visitors is not None:
            self._over.set()
            await self._ended.wait()

    async def _serve(self, *, task_status=trio.TASK_STATUS_IGNORED) -> None:
        self._over, self._ended = trio.Event(), trio.Event()
        async with (
            serving(*self._places, *self.flags, listen=self._listen) as self.server,
            trio.open_nursery() as visitors,
        ):
            task_status.started(visitors)
            await self._over.wait()
            await self.server.end()  # while its clients listen: it may have more to say
            visitors.cancel_scope.cancel()
        self._visitors = None
        self._ended.set()

    async def _visit(self, *, task_status=trio.TASK_STATUS_IGNORED) -> None:
        async with self.server.connect() as client:
            task_status.started(client)
            await trio.sleep_forever()


@asynccontextmanager
async def connecting(home: Path, project: Path, listen: str) -> AsyncGenerator[Connect]:
    async with trio.open_nursery() as nursery:
        connect = Connect(home, project, nursery, listen)
        yield connect
        await connect.restart()


STDIO, WEBSOCKET = "stdio://", "ws://127.0.0.1:0"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The folder that threads work in."""
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


@pytest.fixture
async def provider() -> AsyncGenerator[Model]:
    model = Model()
    async with trio.open_nursery() as nursery:
        await nursery.start(model.serve)
        yield model
        nursery.cancel_scope.cancel()


@pytest.fixture
def home(tmp_path: Path, provider: Model) -> Path:
    """A CODEX_HOME whose configuration leads to the test's model."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "config.toml").write_text(CONFIG.format(base_url=provider.base_url))
    return tmp_path / "home"


@pytest.fixture(params=[STDIO, WEBSOCKET], ids=["stdio", "ws"])
async def connect(request, home: Path, project: Path) -> AsyncGenerator[Connect]:
    """Clients of a real server, on each transport in turn."""
    async with connecting(home, project, request.param) as connect:
        yield connect


@pytest.fixture
async def connect_ws(home: Path, project: Path) -> AsyncGenerator[Connect]:
    """For tests with several clients."""
    async with connecting(home, project, WEBSOCKET) as connect:
        yield connect


@pytest.fixture
async def connect_stdio(home: Path, project: Path) -> AsyncGenerator[Connect]:
    """For tests whose duty lies behind the transport, or on this one."""
    async with connecting(home, project, STDIO) as connect:
        yield connect
