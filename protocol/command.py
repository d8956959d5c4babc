"""`command/exec`: a command of the client's own, in the server's sandbox, outside any thread.

Its process id is the client's to choose and belongs to the connection.  `timeout_ms` and
`output_bytes_cap` have defaults; the two `disable…` switches do away with them.
"""

from typing import Annotated, Literal

from msgspec import Meta

from protocol.policy import PermissionProfile, SandboxPolicy
from protocol.wire import EXPERIMENTAL, Nothing, Wire

DEFAULT_TIMEOUT_MS = 10_000  # this and the next two are the reference server's
DEFAULT_CAP_BYTES = 1 << 20  # of each stream
TIMED_OUT = 124  # as the exit code; timeout(1) has the same

U16 = Annotated[int, Meta(ge=0, le=(1 << 16) - 1)]
Unsigned = Annotated[int, Meta(ge=0)]
OutputStream = Literal["stdout", "stderr"]


class TerminalSize(Wire):
    rows: U16
    cols: U16


class CommandExecParams(Wire, kw_only=True):
    """`env` is over the server's own variables; null takes one away.

    `tty` implies both streams.  Without `stream_stdout_stderr` the answer holds the output.
    """

    command: list[str]
    cwd: str | None = None
    disable_output_cap: bool = False
    disable_timeout: bool = False
    env: dict[str, str | None] | None = None
    output_bytes_cap: Unsigned | None = None
    permission_profile: Annotated[PermissionProfile | None, EXPERIMENTAL] = None
    process_id: str | None = None
    sandbox_policy: SandboxPolicy | None = None
    size: TerminalSize | None = None
    stream_stdin: bool = False
    stream_stdout_stderr: bool = False
    timeout_ms: int | None = None
    tty: bool = False


class CommandExecResponse(Wire):
    """`stdout` and `stderr` are empty when they were streamed."""

    exit_code: int
    stdout: str
    stderr: str


class CommandExecWriteParams(Wire, kw_only=True):
    process_id: str
    delta_base64: str | None = None
    close_stdin: bool = False


class CommandExecWriteResponse(Nothing):
    """It has been written."""


class CommandExecResizeParams(Wire):
    process_id: str
    size: TerminalSize


class CommandExecResizeResponse(Nothing):
    """The program has been told."""


class CommandExecTerminateParams(Wire):
    process_id: str


class CommandExecTerminateResponse(Nothing):
    """It is being ended; that it has is told by the answer to `command/exec`."""


class CommandExecOutputDeltaNotification(Wire):
    """`cap_reached` marks the last chunk of a stream that had more to say than its cap."""

    process_id: str
    stream: OutputStream
    delta_base64: str
    cap_reached: bool
