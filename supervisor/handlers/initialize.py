"""The handshake: who the client is, and where it has come to."""

import os
import platform
import re
import sys

from protocol.errors import invalid
from protocol.initialize import (
    InitializeParams,
    InitializeResponse,
    MockExperimentalMethodParams,
    MockExperimentalMethodResponse,
    RemoteControlStatusChangedNotification,
)
from protocol.methods import (
    INITIALIZE,
    MOCK_EXPERIMENTAL_METHOD,
    REMOTE_CONTROL_STATUS_CHANGED,
)
from supervisor.connection import Connection
from supervisor.handlers import serves
from supervisor.host import Host

_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]+")  # RFC 9110: what a header may carry


@serves(INITIALIZE)
def initialize(host: Host, client: Connection, params: InitializeParams) -> InitializeResponse:
    if client.info is not None:
        raise invalid("Already initialized")
    info, wishes = params.client_info, params.capabilities
    if not _HEADER_VALUE.fullmatch(info.name):
        raise invalid(f"Invalid clientInfo.name: '{info.name}'. Must be a valid HTTP header value.")
    client.info = info
    if wishes is not None:
        client.experimental = wishes.experimental_api
        client.opted_out = frozenset(wishes.opt_out_notification_methods or ())
    for method, message in _after_hello(host):
        client.follow(method, message)
    return InitializeResponse(
        codex_home=str(host.home),
        platform_family="windows" if os.name == "nt" else "unix",
        platform_os={"darwin": "macos", "win32": "windows"}.get(sys.platform, sys.platform),
        user_agent=user_agent(host.version, client),
    )


def user_agent(version: str, client: Connection) -> str:
    """`NAME/VERSION (OS; ARCH) TERMINAL (CLIENT; VERSION)`, which clients take apart."""
    assert client.info is not None
    system = f"{platform.system()} {platform.release()}; {platform.machine()}"
    terminal = os.environ.get("TERM_PROGRAM") or os.environ.get("TERM") or "unknown"
    info = client.info
    return f"{info.name}/{version} ({system}) {terminal} ({info.name}; {info.version})"


def _after_hello(host: Host) -> list[tuple[str, bytes]]:
    """What each client is told right behind the answer."""
    disabled = RemoteControlStatusChangedNotification(status="disabled")
    row = REMOTE_CONTROL_STATUS_CHANGED
    return [(row.name, row.encode(disabled)), *host.config.warnings()]


@serves(MOCK_EXPERIMENTAL_METHOD)
def mock_experimental_method(
    host: Host,  # noqa: ARG001
    client: Connection,  # noqa: ARG001
    params: MockExperimentalMethodParams,
) -> MockExperimentalMethodResponse:
    """Echoes, for clients that try out the `experimentalApi` capability."""
    return MockExperimentalMethodResponse(echoed=params.value)
