"""`process/*`: checked here, done by a command worker, never in a sandbox."""

import os

from msgspec import UNSET

from protocol import chunk
from protocol.command import DEFAULT_CAP_BYTES, DEFAULT_TIMEOUT_MS, TerminalSize
from protocol.errors import INVALID_PARAMS, RpcError, invalid, no_process
from protocol.frames import Spawn
from protocol.methods import PROCESS_KILL, PROCESS_RESIZE_PTY, PROCESS_SPAWN, PROCESS_WRITE_STDIN
from protocol.overrides import RELATIVE
from protocol.process import (
    ProcessKillParams,
    ProcessResizePtyParams,
    ProcessSpawnParams,
    ProcessWriteStdinParams,
)
from supervisor.connection import Connection
from supervisor.handlers import serves
from supervisor.handlers.command import check_size, check_timeout, check_widths
from supervisor.host import Host
from supervisor.spawned import Spawned

KIND = "process"


@serves(PROCESS_SPAWN)
def process_spawn(host: Host, client: Connection, params: ProcessSpawnParams) -> Spawned:
    _check(params)
    if host.commands.find(client, KIND, params.process_handle):
        raise invalid(f'duplicate active process handle: "{params.process_handle}"')
    cap, timeout = params.output_bytes_cap, params.timeout_ms
    size = params.size or TerminalSize(rows=24, cols=80)
    spec = Spawn(
        n=0,  # the pool's to give
        id=params.process_handle,
        answer="atStart",
        argv=params.command,
        cwd=params.cwd,
        env=params.env or {},
        tty=params.tty,
        rows=size.rows,
        cols=size.cols,
        stdin=params.stream_stdin,
        stream=params.stream_stdout_stderr or params.tty,
        cap_bytes=DEFAULT_CAP_BYTES if cap is UNSET else cap,
        timeout_ms=DEFAULT_TIMEOUT_MS if timeout is UNSET else timeout,
        limits=host.config.limits(),
    )
    return host.commands.begin(client, KIND, params.process_handle, spec)


def _check(params: ProcessSpawnParams) -> None:
    cap, timeout = params.output_bytes_cap, params.timeout_ms
    check_widths(None if timeout is UNSET else timeout, None if cap is UNSET else cap)
    if not os.path.isabs(params.cwd):  # noqa: PTH117
        raise invalid(RELATIVE)
    if not params.command:
        raise invalid("command must not be empty")
    if not params.process_handle:
        raise invalid("processHandle must not be empty")
    if params.size is not None and not params.tty:
        raise RpcError(INVALID_PARAMS, "process/spawn size requires tty: true")
    if params.size is not None:
        check_size(KIND, params.size)
    if isinstance(params.timeout_ms, int):
        check_timeout("process/spawn", params.timeout_ms)


@serves(PROCESS_WRITE_STDIN)
def process_write_stdin(host: Host, client: Connection, params: ProcessWriteStdinParams) -> Spawned:
    if params.delta_base64 is None and not params.close_stdin:
        raise RpcError(INVALID_PARAMS, "process/writeStdin requires deltaBase64 or closeStdin")
    if not host.commands.find(client, KIND, params.process_handle):
        chunk.decode(params.delta_base64)
    return _find(host, client, params.process_handle)


@serves(PROCESS_RESIZE_PTY)
def process_resize_pty(host: Host, client: Connection, params: ProcessResizePtyParams) -> Spawned:
    check_size(KIND, params.size)
    return _find(host, client, params.process_handle)


@serves(PROCESS_KILL)
def process_kill(host: Host, client: Connection, params: ProcessKillParams) -> Spawned:
    return _find(host, client, params.process_handle)


def _find(host: Host, client: Connection, handle: str) -> Spawned:
    found = host.commands.find(client, KIND, handle)
    if found is None:
        raise no_process(handle)
    return found
