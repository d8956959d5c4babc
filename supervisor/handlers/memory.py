"""Forget what was remembered across threads: the files of two folders in CODEX_HOME.

Atrio makes no memories of its own; the folders are those of the reference server, which a writable
sandbox may write to as well.
"""

import shutil
from pathlib import Path

import trio

from protocol.errors import INTERNAL_ERROR, RpcError
from protocol.memory import MemoryResetResponse
from protocol.methods import MEMORY_RESET
from protocol.wire import Nothing
from supervisor.connection import Connection
from supervisor.handlers import serves
from supervisor.host import Host

FOLDERS = ("memories", "memories_extensions")


@serves(MEMORY_RESET)
async def memory_reset(
    host: Host,
    client: Connection,  # noqa: ARG001
    params: Nothing,  # noqa: ARG001
) -> MemoryResetResponse:
    folders = [host.home / name for name in FOLDERS]
    try:
        await trio.to_thread.run_sync(_clear, folders)
    except OSError as error:
        raise RpcError(INTERNAL_ERROR, f"failed to clear the memories: {error}") from error
    return MemoryResetResponse()


def _clear(folders: list[Path]) -> None:
    """Leave the folders themselves.  A link is refused before anything is touched (observed)."""
    for folder in folders:
        if folder.is_symlink():
            raise OSError(f"{folder} is a link; remove it, or what it points to, yourself")
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
