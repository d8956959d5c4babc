"""One process of a client's own, from its start until its end has been told.

Output is encoded here, once.  A process whose output its client does not take is not read further,
so it waits, and nobody else does.
"""

import errno
import os
import shutil
import traceback
from functools import partial
from pathlib import Path

import msgspec
import trio

from protocol import chunk
from protocol.command import (
    TIMED_OUT,
    CommandExecResizeParams,
    CommandExecResponse,
    CommandExecWriteParams,
)
from protocol.errors import INTERNAL_ERROR, RpcError, invalid, overloaded
from protocol.frames import Failed, Log, Reply, Spawn
from protocol.methods import PROCESS_EXITED
from protocol.process import (
    ProcessExitedNotification,
    ProcessResizePtyParams,
    ProcessWriteStdinParams,
)
from protocol.wire import Nothing
from sandbox import Launch, Unenforceable, plan
from workers.capture import Output
from workers.delta import Delta
from workers.link import Link
from workers.network import Network
from workers.process import Process
from workers.rules import Rules
from workers.variables import variables

WINDOW_BYTES = 512 << 10  # of events that the client of a process has not taken yet
INPUT_BYTES = 8 << 20  # that may wait for a process to read them; beyond it a write is refused
# For children in the background that keep the output open; then they are killed (observed).
LINGER_SECONDS = 2.0
KEPT_BYTES = 32 << 20  # of a buffered stream without a cap: an answer has to be one message

_encode = msgspec.json.Encoder().encode
_NOTHING = _encode(Nothing())


class Spawned:
    """One process, from its start until its end has been told."""

    def __init__(self, spec: Spawn, link: Link) -> None:
        """Raises RpcError when it cannot be started."""
        self.spec = spec
        self._link = link
        cap = spec.cap_bytes if spec.stream or spec.cap_bytes is not None else KEPT_BYTES
        self._outputs = Output("stdout", cap), Output("stderr", cap)
        self._deltas = {output.stream: Delta.of(spec, output.stream) for output in self._outputs}
        self._credit = WINDOW_BYTES
        self._credited = trio.Event()
        self._inputs: list[tuple[int, bytes, bool]] = []
        self._input_said = trio.Event()
        self._input_size = 0
        self._input_closed = False
        self._ending = False
        self._timed_out = False
        self.silent = False
        self._scope = trio.CancelScope()
        self._network: Network | None = None
        self.process = self._start()

    async def run(self) -> None:
        """Be heard to the end, then tell it."""
        out, err = (partial(self._heard, output) for output in self._outputs)
        async with trio.open_nursery() as nursery:
            if self.spec.timeout_ms is not None:
                nursery.start_soon(self._expire, self.spec.timeout_ms / 1000)
            if self.spec.stdin or self.spec.tty:
                nursery.start_soon(self._feed)
            if self._network is not None:
                nursery.start_soon(self._serve_network, self._network)
            with self._scope:
                await self.process.run(out, err, self._room, linger=LINGER_SECONDS)
            nursery.cancel_scope.cancel()
        for n, _, _ in self._inputs:
            self._refuse(n, _closed())
        if not self.silent:
            self._tell_end()

    def _start(self) -> Process:
        try:
            self._network = None if self.spec.network is None else Network(self.spec.network)
            return _start(self.spec, self._network)
        except Unenforceable as error:
            raise invalid(error.reason) from None
        except BaseException:
            if self._network is not None:
                self._network.close()
            raise

    async def _serve_network(self, network: Network) -> None:
        """There is no turn to ask in, so what nobody has allowed is refused."""

        async def ask(_target: object) -> bool:
            await trio.lowlevel.checkpoint()
            return False

        def report(error: Exception) -> None:
            self._link.send(Log("error", "".join(traceback.format_exception(error))))

        try:
            own, *others = self.spec.rules_folders
            await network.serve(Rules(own, others), ask, lambda _: None, report)
        finally:
            network.close()

    async def _expire(self, seconds: float) -> None:
        await trio.sleep(seconds)
        self._timed_out = not self._ending
        self.end()

    # ---- its output

    def _heard(self, output: Output, data: bytes) -> None:
        if self._ending or self.silent or (passed := output.pass_through(data)) is None:
            return
        if self.spec.stream:
            self._tell(output, passed)
        else:
            output.kept += passed

    def _tell(self, output: Output, data: bytes) -> None:
        delta = self._deltas[output.stream]
        body = delta.body(data, cap_reached=output.cap_reached)
        self._credit -= len(body)
        with self._link.together(at_once=True):
            self._link.event(delta.method, body, only=self.spec.n)

    async def _room(self) -> None:
        while self._credit <= 0:
            await self._credited.wait()

    def taken(self, size: int) -> None:
        self._credit += size
        self._credited.set()
        self._credited = trio.Event()

    def _tell_end(self) -> None:
        out, err = self._outputs
        code = TIMED_OUT if self._timed_out else self.process.exit_code
        assert code is not None
        if self.spec.answer == "atEnd":
            answer = CommandExecResponse(exit_code=code, stdout=out.text(), stderr=err.text())
            self._link.send(Reply(self.spec.n, _encode(answer)))
            return
        exited = ProcessExitedNotification(
            process_handle=self.spec.id,
            exit_code=code,
            stdout=out.text(),
            stdout_cap_reached=out.cap_reached,
            stderr=err.text(),
            stderr_cap_reached=err.cap_reached,
        )
        self._link.event(PROCESS_EXITED.name, PROCESS_EXITED.encode(exited), only=self.spec.n)

    # ---- what its client does to it

    def write(
        self, n: int, params: CommandExecWriteParams | ProcessWriteStdinParams
    ) -> Nothing | None:
        """The answer comes when the process, or the pipe to it, has taken everything; None when
        that is later."""
        data = chunk.decode(params.delta_base64)
        if not (self.spec.stdin or self.spec.tty):
            what = "command/exec" if self.spec.answer == "atEnd" else "process"
            raise invalid(f"stdin streaming is not enabled for this {what}")
        if self._input_closed and params.delta_base64 is not None:
            raise _closed()
        if self._input_size and self._input_size + len(data) > INPUT_BYTES:
            raise overloaded()
        if not self._inputs and data:  # a key is typed a turn of the scheduler sooner
            data = data[self.process.write_now(data) :]
            if not data and not params.close_stdin:
                return Nothing()
        self._input_closed = self._input_closed or params.close_stdin
        self._input_size += len(data)
        self._inputs.append((n, data, params.close_stdin))
        self._input_said.set()
        return None

    async def _feed(self) -> None:
        while True:
            await self._input_said.wait()
            self._input_said = trio.Event()
            while self._inputs:
                n, data, close = self._inputs[0]
                try:
                    await self._type(data, close)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    self._refuse(n, _closed())
                else:
                    self._link.send(Reply(n, _NOTHING))
                del self._inputs[0]
                self._input_size -= len(data)

    async def _type(self, data: bytes, close: bool) -> None:
        if close and self.spec.tty:
            data += b"\n\x04"  # a terminal has no end; this is how its user says so (observed)
        if data:
            await self.process.write(data)
        if close:
            await self.process.close_stdin()

    def resize(self, params: CommandExecResizeParams | ProcessResizePtyParams) -> None:
        if not self.spec.tty:
            raise invalid("failed to resize PTY: process is not attached to a PTY")
        try:
            self.process.resize(params.size.rows, params.size.cols)
        except OSError as error:
            raise invalid(f"failed to resize PTY: {error.strerror}") from None

    def end(self) -> None:
        """Ask it to go, and make it go if it does not.  What it says to that is not passed on
        (observed: the reference server kills at once)."""
        if not self._ending:
            out, err = (partial(self._heard, output) for output in self._outputs)
            self.process.drain(out, err)
            self._ending = True
            self._scope.cancel()

    def kill(self) -> None:
        """The same, at once."""
        self.end()
        self.process.kill_group()

    def _refuse(self, n: int, error: RpcError) -> None:
        self._link.send(Failed(n, error.code, error.message, error.data))


def _start(spec: Spawn, network: Network | None) -> Process:
    env = _environment(spec)
    if network is not None:
        env |= network.env
    try:
        launch = plan(
            spec.sandbox_policy,
            spec.argv,
            spec.cwd,
            env,
            spec.permission_profile,
            project=spec.project,
            namespace=network and network.namespace,
        )
        if launch.fence is None:
            _check_program(spec, launch)
        size = (spec.rows, spec.cols)
        return Process(
            launch,
            tty=spec.tty,
            stdin=spec.stdin,
            apart=not spec.tty,
            size=size,
            limits=spec.limits,
        )
    except Unenforceable as error:
        raise invalid(error.reason) from None
    except OSError as error:
        raise _not_started(spec, f"{error.strerror} (os error {error.errno})") from None
    except ValueError:
        raise _not_started(spec, "nul byte found in provided data") from None


def _not_started(spec: Spawn, reason: str) -> RpcError:
    what = "command" if spec.answer == "atEnd" else "process"
    return RpcError(INTERNAL_ERROR, f"failed to spawn {what}: {reason}")


def _environment(spec: Spawn) -> dict[str, str]:
    env = variables(spec.shell_environment)
    for given, value in spec.env.items():
        name, more, rest = given.partition("=")  # A=B with the value C is A with B=C (observed)
        if value is None:
            env.pop(given, None)
        elif name:  # no program could ask for one without a name
            env[name] = rest + more + value
    return env


def _check_program(spec: Spawn, launch: Launch) -> None:
    """On a terminal it is a shell that starts the program, which would only say so in words."""
    name = launch.argv[0]
    if not name:
        raise _not_started(spec, f"missing program for {'PTY' if spec.tty else 'pipe'} spawn")
    if not spec.tty:
        return
    if "/" in name:
        program = Path(launch.cwd, name)
        program.stat()
        if not program.is_file() or not os.access(program, os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    elif shutil.which(name, path=launch.env.get("PATH")) is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def _closed() -> RpcError:
    return invalid("stdin is already closed")
