"""`command/exec` and what is done to such a command: checked here, done by a command worker."""

import os

from protocol import chunk
from protocol.allowed import check_sandbox
from protocol.command import (
    DEFAULT_CAP_BYTES,
    DEFAULT_TIMEOUT_MS,
    CommandExecParams,
    CommandExecResizeParams,
    CommandExecTerminateParams,
    CommandExecWriteParams,
    TerminalSize,
)
from protocol.errors import INVALID_PARAMS, RpcError, invalid, no_command
from protocol.frames import Spawn
from protocol.methods import (
    COMMAND_EXEC,
    COMMAND_EXEC_RESIZE,
    COMMAND_EXEC_TERMINATE,
    COMMAND_EXEC_WRITE,
)
from protocol.overrides import RELATIVE
from protocol.policy import (
    ExactPath,
    ManagedPermissions,
    PermissionProfile,
    RestrictedFileSystem,
    SandboxPolicy,
    WorkspaceWrite,
)
from protocol.profile import policy_of
from protocol.settings import Settings
from supervisor.connection import Connection
from supervisor.handlers import serves
from supervisor.host import Host
from supervisor.resolve import Overrides, resolve
from supervisor.spawned import Spawned

KIND = "command/exec"


@serves(COMMAND_EXEC)
def command_exec(host: Host, client: Connection, params: CommandExecParams) -> Spawned:
    _check(params)
    if params.process_id is not None and host.commands.find(client, KIND, params.process_id):
        raise invalid(f'duplicate active command/exec process id: "{params.process_id}"')
    settings = resolve(host.config, Overrides())
    policy, profile = _permissions(params, settings)
    size = params.size or TerminalSize(rows=24, cols=80)
    spec = Spawn(
        n=0,  # the pool's to give
        id=params.process_id or "",
        answer="atEnd",
        argv=params.command,
        cwd=os.path.join(settings.cwd, _at_home(params.cwd or "")),  # noqa: PTH118 - as given
        env=params.env or {},
        tty=params.tty,
        rows=size.rows,
        cols=size.cols,
        stdin=params.stream_stdin,
        stream=params.stream_stdout_stderr or params.tty,
        cap_bytes=_cap(params),
        timeout_ms=_timeout(params),
        project=settings.cwd,
        sandbox_policy=policy,
        permission_profile=profile,
        network=settings.network if profile is settings.permission_profile else None,
        rules_folders=[os.path.join(settings.home, "rules"), *settings.rules_folders],  # noqa: PTH118
        shell_environment=settings.shell_environment,
        limits=settings.limits,
    )
    return host.commands.begin(client, KIND, params.process_id, spec)


def _at_home(path: str) -> str:
    """`~` is the server's (observed); the home of somebody else is not asked for."""
    return os.path.expanduser(path) if path.partition("/")[0] == "~" else path  # noqa: PTH111


def _check(params: CommandExecParams) -> None:
    check_widths(params.timeout_ms, params.output_bytes_cap)
    if not params.command:
        raise invalid("command must not be empty")
    if params.size is not None and not params.tty:
        raise RpcError(INVALID_PARAMS, "command/exec size requires tty: true")
    if params.size is not None:
        check_size(KIND, params.size)
    if params.process_id is None and (
        params.tty or params.stream_stdin or params.stream_stdout_stderr
    ):
        raise invalid("command/exec tty or streaming requires a client-supplied processId")
    for value, switch, names in (
        (params.timeout_ms, params.disable_timeout, "timeoutMs and disableTimeout"),
        (params.output_bytes_cap, params.disable_output_cap, "outputBytesCap and disableOutputCap"),
    ):
        if value is not None and switch:
            raise RpcError(INVALID_PARAMS, f"command/exec cannot set both {names}")
    if params.timeout_ms is not None:
        check_timeout(KIND, params.timeout_ms)
    if params.sandbox_policy is not None and params.permission_profile is not None:
        raise invalid("`permissionProfile` cannot be combined with `sandboxPolicy`")


def check_widths(timeout_ms: int | None, cap_bytes: int | None) -> None:
    """What does not fit is no number to the reference server, nor to a frame."""
    if timeout_ms is not None and not -(1 << 63) <= timeout_ms < 1 << 63:
        raise invalid(f"Invalid request: invalid value: integer `{timeout_ms}`, expected i64")
    if cap_bytes is not None and cap_bytes >= 1 << 64:
        raise invalid(f"Invalid request: invalid value: integer `{cap_bytes}`, expected usize")


def check_timeout(method: str, timeout_ms: int) -> None:
    if timeout_ms < 0:
        text = f"{method} timeoutMs must be non-negative, got {timeout_ms}"
        raise RpcError(INVALID_PARAMS, text)


def check_size(what: str, size: TerminalSize) -> None:
    if not (size.rows and size.cols):
        raise RpcError(INVALID_PARAMS, f"{what} size rows and cols must be greater than 0")


def _cap(params: CommandExecParams) -> int | None:
    if params.disable_output_cap:
        return None
    return DEFAULT_CAP_BYTES if params.output_bytes_cap is None else params.output_bytes_cap


def _timeout(params: CommandExecParams) -> int | None:
    if params.disable_timeout:
        return None
    return DEFAULT_TIMEOUT_MS if params.timeout_ms is None else params.timeout_ms


def _permissions(
    params: CommandExecParams, settings: Settings
) -> tuple[SandboxPolicy, PermissionProfile | None]:
    """What the request says, else what the configuration says."""
    if (policy := params.sandbox_policy) is not None:
        if isinstance(policy, WorkspaceWrite):
            _check_absolute(policy.writable_roots)
        _check_allowed(settings, policy)
        return policy, None
    if (profile := params.permission_profile) is not None:
        match profile:
            case ManagedPermissions(file_system=RestrictedFileSystem(entries=entries)):
                _check_absolute([e.path.path for e in entries if isinstance(e.path, ExactPath)])
            case _:
                pass
        policy = policy_of(profile, settings.cwd)
        _check_allowed(settings, policy)
        return policy, profile
    return settings.sandbox_policy, settings.permission_profile


def _check_allowed(settings: Settings, policy: SandboxPolicy) -> None:
    try:
        check_sandbox(settings.allowed, policy)
    except RpcError as error:
        raise invalid(f"invalid sandbox policy: {error.message}") from None


def _check_absolute(paths: list[str]) -> None:
    if not all(os.path.isabs(path) for path in paths):  # noqa: PTH117
        raise invalid(RELATIVE)


@serves(COMMAND_EXEC_WRITE)
def command_exec_write(host: Host, client: Connection, params: CommandExecWriteParams) -> Spawned:
    if params.delta_base64 is None and not params.close_stdin:
        raise RpcError(INVALID_PARAMS, "command/exec/write requires deltaBase64 or closeStdin")
    if not host.commands.find(client, KIND, params.process_id):
        chunk.decode(params.delta_base64)  # what is wrong with the input comes first (observed)
    return _find(host, client, params.process_id)


@serves(COMMAND_EXEC_RESIZE)
def command_exec_resize(host: Host, client: Connection, params: CommandExecResizeParams) -> Spawned:
    check_size(KIND, params.size)
    return _find(host, client, params.process_id)


@serves(COMMAND_EXEC_TERMINATE)
def command_exec_terminate(
    host: Host, client: Connection, params: CommandExecTerminateParams
) -> Spawned:
    return _find(host, client, params.process_id)


def _find(host: Host, client: Connection, process_id: str) -> Spawned:
    found = host.commands.find(client, KIND, process_id)
    if found is None:
        raise no_command(process_id)
    return found
