"""The sandbox of Windows, as far as clients ask for it everywhere."""

from typing import Literal

from protocol.command import Unsigned
from protocol.wire import Wire

WindowsSandboxReadiness = Literal["ready", "notConfigured", "updateRequired"]
WindowsSandboxSetupMode = Literal["elevated", "unelevated"]


class WindowsSandboxReadinessResponse(Wire):
    status: WindowsSandboxReadiness


class WindowsSandboxSetupStartParams(Wire):
    mode: WindowsSandboxSetupMode
    cwd: str | None = None


class WindowsSandboxSetupStartResponse(Wire):
    started: bool


class WindowsSandboxSetupCompletedNotification(Wire):
    mode: WindowsSandboxSetupMode
    success: bool
    error: str | None = None


class WindowsWorldWritableWarningNotification(Wire):
    extra_count: Unsigned
    failed_scan: bool
    sample_paths: list[str]
