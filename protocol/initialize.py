from typing import Literal

from protocol.wire import Wire


class InitializeCapabilities(Wire):
    experimental_api: bool = False
    opt_out_notification_methods: list[str] | None = None


class ClientInfo(Wire):
    name: str
    version: str
    title: str | None = None


class InitializeParams(Wire):
    client_info: ClientInfo
    capabilities: InitializeCapabilities | None = None


class InitializeResponse(Wire):
    codex_home: str
    platform_family: str
    platform_os: str
    user_agent: str


RemoteControlConnectionStatus = Literal["disabled", "connecting", "connected", "errored"]


class RemoteControlStatusChangedNotification(Wire):
    status: RemoteControlConnectionStatus
    environment_id: str | None = None


class MockExperimentalMethodParams(Wire):
    value: str | None = None


class MockExperimentalMethodResponse(Wire):
    echoed: str | None = None
