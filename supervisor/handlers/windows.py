"""windowsSandbox/*: what clients of Windows ask; this host is another and says so."""

from protocol.errors import invalid
from protocol.methods import (
    WINDOWS_SANDBOX_READINESS,
    WINDOWS_SANDBOX_SETUP_COMPLETED,
    WINDOWS_SANDBOX_SETUP_START,
)
from protocol.overrides import RELATIVE
from protocol.windows import (
    WindowsSandboxReadinessResponse,
    WindowsSandboxSetupCompletedNotification,
    WindowsSandboxSetupStartParams,
    WindowsSandboxSetupStartResponse,
)
from protocol.wire import Nothing
from supervisor.connection import Connection
from supervisor.handlers import serves
from supervisor.host import Host

CALLED = {"elevated": "elevated", "unelevated": "legacy"}


@serves(WINDOWS_SANDBOX_READINESS)
def windows_sandbox_readiness(
    _host: Host, _client: Connection, _params: Nothing
) -> WindowsSandboxReadinessResponse:
    return WindowsSandboxReadinessResponse("notConfigured")


@serves(WINDOWS_SANDBOX_SETUP_START)
def windows_sandbox_setup_start(
    _host: Host, client: Connection, params: WindowsSandboxSetupStartParams
) -> WindowsSandboxSetupStartResponse:
    """It is begun, and at once over (observed)."""
    if params.cwd is not None and not params.cwd.startswith("/"):
        raise invalid(RELATIVE)
    done = WindowsSandboxSetupCompletedNotification(
        mode=params.mode,
        success=False,
        error=f"{CALLED[params.mode]} Windows sandbox setup is only supported on Windows",
    )
    row = WINDOWS_SANDBOX_SETUP_COMPLETED
    client.follow(row.name, row.encode(done))
    return WindowsSandboxSetupStartResponse(started=True)
