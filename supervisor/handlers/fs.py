"""`fs/*`: files for editors, in threads, so that a slow disk holds up nobody else."""

import os
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import trio

from protocol import chunk
from protocol.errors import invalid
from protocol.fs import (
    FsCopyParams,
    FsCopyResponse,
    FsCreateDirectoryParams,
    FsCreateDirectoryResponse,
    FsGetMetadataParams,
    FsGetMetadataResponse,
    FsReadDirectoryParams,
    FsReadDirectoryResponse,
    FsReadFileParams,
    FsReadFileResponse,
    FsRemoveParams,
    FsRemoveResponse,
    FsUnwatchParams,
    FsUnwatchResponse,
    FsWatchParams,
    FsWatchResponse,
    FsWriteFileParams,
    FsWriteFileResponse,
)
from protocol.methods import (
    FS_COPY,
    FS_CREATE_DIRECTORY,
    FS_GET_METADATA,
    FS_READ_DIRECTORY,
    FS_READ_FILE,
    FS_REMOVE,
    FS_UNWATCH,
    FS_WATCH,
    FS_WRITE_FILE,
)
from protocol.overrides import RELATIVE
from supervisor import disk, replacing
from supervisor.connection import Connection, Form
from supervisor.handlers import serves
from supervisor.host import Host

T = TypeVar("T")

SHORT = trio.CapacityLimiter(16)  # threads of all clients, for what a good disk does at once
LONG = trio.CapacityLimiter(4)  # and for trees

SMALL_BYTES = 1 << 20  # of a file that is read without waiting for other large ones
ROOM_BYTES = 1 << 20  # in the outbox, before a large file is read
# Of a file, so that it fits into a message as large as the largest that its client may send.
MOST_BYTES: dict[Form, int] = {"frame": 11 << 20, "line": 47 << 20}


@serves(FS_READ_FILE)
async def read_file(_: Host, client: Connection, params: FsReadFileParams) -> FsReadFileResponse:
    path, most = _path(params.path), MOST_BYTES[client.form]
    data = await _short(partial(disk.read, path, SMALL_BYTES))
    if data is None:
        async with client.large:
            await client.outbox.wait_room(ROOM_BYTES)
            data = await _short(partial(disk.read, path, most))
    if data is None:
        raise invalid(f"file is too large to read: limit is {most} bytes")
    from pybase64 import b64encode_as_string  # noqa: PLC0415 - ten times as fast, and seldom used

    return FsReadFileResponse(b64encode_as_string(data))


@serves(FS_WRITE_FILE)
async def write_file(
    _: Host, _client: Connection, params: FsWriteFileParams
) -> FsWriteFileResponse:
    path = _path(params.path)
    try:
        data = chunk.plain(params.data_base64)
    except ValueError as error:
        raise invalid(f"fs/writeFile requires valid base64 dataBase64: {error}") from None
    await _short(partial(replacing.write, path, data))
    return FsWriteFileResponse()


@serves(FS_CREATE_DIRECTORY)
async def create_directory(
    _: Host, _client: Connection, params: FsCreateDirectoryParams
) -> FsCreateDirectoryResponse:
    recursive = params.recursive is not False
    await _short(partial(disk.create_directory, _path(params.path), recursive))
    return FsCreateDirectoryResponse()


@serves(FS_GET_METADATA)
async def get_metadata(
    _: Host, _client: Connection, params: FsGetMetadataParams
) -> FsGetMetadataResponse:
    return await _short(partial(disk.metadata, _path(params.path)))


@serves(FS_READ_DIRECTORY)
async def read_directory(
    _: Host, client: Connection, params: FsReadDirectoryParams
) -> FsReadDirectoryResponse:
    most = MOST_BYTES[client.form]
    return FsReadDirectoryResponse(await _short(partial(disk.entries, _path(params.path), most)))


@serves(FS_REMOVE)
async def remove(_: Host, _client: Connection, params: FsRemoveParams) -> FsRemoveResponse:
    recursive, force = params.recursive is not False, params.force is not False
    await _done(partial(disk.remove, _path(params.path), recursive, force), LONG, abandon=True)
    return FsRemoveResponse()


@serves(FS_COPY)
async def copy(_: Host, _client: Connection, params: FsCopyParams) -> FsCopyResponse:
    source, destination = _path(params.source_path), _path(params.destination_path)
    check = trio.from_thread.check_cancelled
    act = partial(replacing.copy, source, destination, params.recursive, check)
    await _done(act, LONG, abandon=False)  # it hears of the end by itself, and tidies up
    return FsCopyResponse()


@serves(FS_WATCH)
async def watch(host: Host, client: Connection, params: FsWatchParams) -> FsWatchResponse:
    path = _path(params.path)
    await host.watches.begin(client, params.watch_id, path)
    return FsWatchResponse(path.decode())


@serves(FS_UNWATCH)
def unwatch(host: Host, client: Connection, params: FsUnwatchParams) -> FsUnwatchResponse:
    host.watches.end(client, params.watch_id)
    return FsUnwatchResponse()


def _path(text: str) -> bytes:
    if not os.path.isabs(text):  # noqa: PTH117
        raise invalid(RELATIVE)
    if "\0" in text:
        raise invalid("file name contained an unexpected NUL byte")
    return os.path.normpath("/" + text.lstrip("/")).encode()  # POSIX keeps two slashes, Rust none


async def _short(act: Callable[[], T]) -> T:
    """What hangs for ever is left behind when the server ends."""
    return await _done(act, SHORT, abandon=True)


async def _done(act: Callable[[], T], limiter: trio.CapacityLimiter, *, abandon: bool) -> T:
    try:
        return await trio.to_thread.run_sync(act, limiter=limiter, abandon_on_cancel=abandon)
    except OSError as error:
        raise disk.failure(error) from None
