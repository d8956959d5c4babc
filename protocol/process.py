"""`process/*`: programs of the client's own, never sandboxed; for editors and terminals.

A handle is the client's to choose and belongs to the connection.  For both limits a missing value
is the default and null is none.
"""

from msgspec import UNSET, UnsetType

from protocol.command import OutputStream, TerminalSize, Unsigned
from protocol.wire import Nothing, Wire


class ProcessSpawnParams(Wire, kw_only=True):
    """`cwd` is absolute; all else as with `command/exec`."""

    command: list[str]
    cwd: str
    process_handle: str
    env: dict[str, str | None] | None = None
    output_bytes_cap: Unsigned | UnsetType | None = UNSET
    size: TerminalSize | None = None
    stream_stdin: bool = False
    stream_stdout_stderr: bool = False
    timeout_ms: int | UnsetType | None = UNSET
    tty: bool = False


class ProcessSpawnResponse(Nothing):
    """It runs; its end is told by `process/exited`."""


class ProcessWriteStdinParams(Wire, kw_only=True):
    process_handle: str
    delta_base64: str | None = None
    close_stdin: bool = False


class ProcessWriteStdinResponse(Nothing):
    """It has been written."""


class ProcessResizePtyParams(Wire):
    process_handle: str
    size: TerminalSize


class ProcessResizePtyResponse(Nothing):
    """The program has been told."""


class ProcessKillParams(Wire):
    process_handle: str


class ProcessKillResponse(Nothing):
    """It is being killed; `process/exited` follows."""


class ProcessOutputDeltaNotification(Wire):
    """`cap_reached` marks the last chunk of a stream that had more to say than its cap."""

    process_handle: str
    stream: OutputStream
    delta_base64: str
    cap_reached: bool


class ProcessExitedNotification(Wire):
    """`stdout` and `stderr` are empty when they were streamed."""

    process_handle: str
    exit_code: int
    stdout: str
    stdout_cap_reached: bool
    stderr: str
    stderr_cap_reached: bool
