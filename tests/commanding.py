"""What tests of commands and processes share: starting one without waiting for its end."""

from base64 import b64decode, b64encode
from itertools import count
from typing import Any

import msgspec

from protocol.command import (
    CommandExecOutputDeltaNotification,
    CommandExecParams,
    CommandExecResponse,
    CommandExecTerminateParams,
    CommandExecWriteParams,
)
from protocol.methods import (
    COMMAND_EXEC,
    COMMAND_EXEC_OUTPUT_DELTA,
    COMMAND_EXEC_TERMINATE,
    COMMAND_EXEC_WRITE,
)
from tests.client import Client

_ids = count()


def sh(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


async def run(client: Client, script: str, **params: Any) -> tuple[int, str, str]:
    """Exit code, output and errors of a command that is not streamed."""
    done = await client.call(COMMAND_EXEC, CommandExecParams(command=sh(script), **params))
    return done.exit_code, done.stdout, done.stderr


class Begun:
    """A command that has been asked for."""

    def __init__(self, client: Client, request_id: str, process_id: str) -> None:
        self.client = client
        self.process_id = process_id
        self._request_id = request_id

    async def result(self) -> CommandExecResponse:
        """Raises RpcError."""
        answer = await self.client.answer_to(self._request_id)
        if answer.error is not None:
            raise answer.error
        return COMMAND_EXEC.decode_result(answer.result)

    async def hear(self, text: bytes) -> bytes:
        """All output up to the delta that completes `text`."""
        heard = b""
        while text not in heard:
            heard += b64decode((await self._next()).delta_base64)
        return heard

    async def _next(self) -> CommandExecOutputDeltaNotification:
        def mine(delta: CommandExecOutputDeltaNotification) -> bool:
            return delta.process_id == self.process_id

        return await self.client.next(COMMAND_EXEC_OUTPUT_DELTA, mine)

    async def write(self, data: bytes | None = None, *, close: bool = False) -> None:
        params = CommandExecWriteParams(
            process_id=self.process_id,
            delta_base64=None if data is None else b64encode(data).decode(),
            close_stdin=close,
        )
        await self.client.call(COMMAND_EXEC_WRITE, params)


async def begin(client: Client, script: str, process_id: str = "p", **params: Any) -> Begun:
    id = f"command {next(_ids)}"
    asked = CommandExecParams(command=sh(script), process_id=process_id, **params)
    message = {"id": id, "method": COMMAND_EXEC.name, "params": asked}
    await client.send(msgspec.json.encode(message))
    return Begun(client, id, process_id)


async def terminate(begun: Begun) -> None:
    params = CommandExecTerminateParams(begun.process_id)
    await begun.client.call(COMMAND_EXEC_TERMINATE, params)
