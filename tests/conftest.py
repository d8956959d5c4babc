"""What tests of the whole server share: home, project, model, and clients on each transport."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trio

from tests.client import Client
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
TEST_SECONDS = 60  # no single test may hold the suite longer


class Connect:
    """Starts a server at the first use; each use is a client that has said hello.

    On stdio a server has one client.  `restart` ends the server, so that the next use starts
    another one in the same home.
    """

    def __init__(self, home: Path, project: Path, *, listen: str) -> None:
        self.server: Server
        self.flags: list[str] = []
        self._listen = listen
        self._places = home, project
        self._stack: AsyncExitStack | None = None

    async def __call__(self, *, initialize: bool = True, experimental: bool = True) -> Client:
        if self._stack is None:
            self._stack = AsyncExitStack()
            serve = serving(*self._places, *self.flags, listen=self._listen)
            self.server = await self._stack.enter_async_context(serve)
        client = await self._stack.enter_async_context(self.server.connect())
        if initialize:
            await client.initialize(experimental=experimental)
        return client

    async def restart(self) -> None:
        """End the server and all that belongs to it; raises AssertionError if something stays."""
        if self._stack is not None:
            stack, self._stack = self._stack, None
            await stack.aclose()


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


@pytest.fixture(params=["stdio", "ws"])
async def connect(request, home: Path, project: Path) -> AsyncGenerator[Connect]:
    """Clients of a real server, on each transport in turn."""
    listen = "stdio://" if request.param == "stdio" else "ws://127.0.0.1:0"
    connect = Connect(home, project, listen=listen)
    with trio.fail_after(TEST_SECONDS):
        yield connect
        await connect.restart()


@pytest.fixture
async def connect_ws(home: Path, project: Path) -> AsyncGenerator[Connect]:
    """For tests with several clients."""
    connect = Connect(home, project, listen="ws://127.0.0.1:0")
    with trio.fail_after(TEST_SECONDS):
        yield connect
        await connect.restart()


@pytest.fixture
async def connect_stdio(home: Path, project: Path) -> AsyncGenerator[Connect]:
    """For tests whose duty lies behind the transport."""
    connect = Connect(home, project, listen="stdio://")
    with trio.fail_after(TEST_SECONDS):
        yield connect
        await connect.restart()
