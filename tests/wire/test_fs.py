"""`fs/*` through the whole server."""

import os
from base64 import b64decode, b64encode

import msgspec
import pytest

from protocol.errors import INTERNAL_ERROR, INVALID_REQUEST, RpcError
from protocol.fs import (
    FsCopyParams,
    FsReadDirectoryEntry,
    FsReadDirectoryParams,
    FsReadFileParams,
    FsRemoveParams,
    FsUnwatchParams,
    FsWatchParams,
    FsWriteFileParams,
)
from protocol.methods import (
    FS_CHANGED,
    FS_COPY,
    FS_READ_DIRECTORY,
    FS_READ_FILE,
    FS_REMOVE,
    FS_UNWATCH,
    FS_WATCH,
    FS_WRITE_FILE,
    THREAD_LOADED_LIST,
)
from protocol.thread import ThreadLoadedListParams
from supervisor.watches import WATCHES

RELATIVE = "Invalid request: AbsolutePathBuf deserialized without a base path"


async def refusal(client, method, **params) -> tuple[int, str]:
    with pytest.raises(RpcError) as raised:
        await client.request(method, msgspec.json.encode(params))
    return raised.value.code, raised.value.message


async def watch(client, path, id="w"):
    await client.call(FS_WATCH, FsWatchParams(path=str(path), watch_id=id))


async def hears(client, id, *paths):
    """Return once all of these have been told of, and whatever else was on the way."""
    missing = {str(path) for path in paths}
    while missing:
        told = await client.next(FS_CHANGED, lambda params: params.watch_id == id)
        missing -= set(told.changed_paths)


async def test_a_file_is_written_read_copied_listed_and_removed(connect, project):
    """Observed."""
    client = await connect()
    a, b, data = str(project / "a"), str(project / "b"), b"\0\xff\n"
    text = b64encode(data).decode()
    await client.call(FS_WRITE_FILE, FsWriteFileParams(path=a, data_base64=text))
    await client.call(FS_COPY, FsCopyParams(source_path=a, destination_path=b))
    await client.call(FS_REMOVE, FsRemoveParams(path=a))

    assert (await client.call(FS_READ_FILE, FsReadFileParams(path=b))).data_base64 == text
    listed = await client.call(FS_READ_DIRECTORY, FsReadDirectoryParams(path=str(project)))
    assert listed.entries == [FsReadDirectoryEntry("b", is_directory=False, is_file=True)]


async def test_nonsense_is_refused_and_the_connection_goes_on(connect_stdio, project):
    """Observed, but for the FIFO."""
    client = await connect_stdio()
    os.mkfifo(project / "fifo")
    (project / "loop").symlink_to("loop")
    nul = (INVALID_REQUEST, "file name contained an unexpected NUL byte")
    fifo = (INVALID_REQUEST, "fs/readFile only supports regular files")

    assert await refusal(client, "fs/readFile", path="a") == (INVALID_REQUEST, RELATIVE)
    assert await refusal(client, "fs/watch", path="~", watchId="w") == (INVALID_REQUEST, RELATIVE)
    assert await refusal(client, "fs/readFile", path="/a\0b") == nul
    assert await refusal(client, "fs/watch", path="/a\0b", watchId="w") == nul
    assert await refusal(client, "fs/readFile", path=str(project / "fifo")) == fifo
    assert await refusal(client, "fs/readFile", path=str(project / "loop")) == (
        INTERNAL_ERROR,
        "Symbolic link loop (os error 40)",
    )
    assert await refusal(client, "fs/writeFile", path=str(project / "x"), dataBase64="@@") == (
        INVALID_REQUEST,
        "fs/writeFile requires valid base64 dataBase64: Invalid symbol 64, offset 0.",
    )
    assert sorted(path.name for path in project.iterdir()) == ["fifo", "loop"]


async def test_a_large_file_is_read_whole_and_a_larger_one_refused(connect, project):
    """Ours: what is read fits into one message; the reference server's bound is 512 MiB."""
    client = await connect()
    data = os.urandom(10 << 20)
    (project / "large").write_bytes(data)
    with (project / "larger").open("wb") as file:
        file.truncate(48 << 20)

    answer = await client.call(FS_READ_FILE, FsReadFileParams(path=str(project / "large")))
    code, text = await refusal(client, "fs/readFile", path=str(project / "larger"))

    assert b64decode(answer.data_base64) == data
    assert code == INVALID_REQUEST
    assert text.startswith("file is too large to read: limit is ")


async def test_many_large_files_are_read_one_after_the_other(connect_stdio, project):
    """Ours: a client that asks for a gigabyte must not fill the memory."""
    client = await connect_stdio()
    (project / "large").write_bytes(bytes(4 << 20))
    params = msgspec.json.encode(FsReadFileParams(path=str(project / "large")))
    for n in range(100, 110):
        await client.send(b'{"id":%d,"method":"fs/readFile","params":%b}' % (n, params))

    answers = [await client.answer_to(n) for n in range(100, 110)]

    assert all(len(answer.result) > 4 << 20 for answer in answers)


async def test_changes_in_a_folder_are_told_by_name(connect, project):
    """Observed: what is made, written, renamed and removed in it, but not below."""
    client = await connect()
    (project / "sub").mkdir()
    await watch(client, project)

    (project / "sub" / "deep").write_text("1")
    (project / "a").write_text("1")
    await hears(client, "w", project / "a")
    (project / "a").rename(project / "b")
    await hears(client, "w", project / "a", project / "b")
    (project / "b").unlink()
    await hears(client, "w", project / "b")

    told = [h.params.changed_paths for h in client.heard if h.method == FS_CHANGED.name]
    assert not any("sub" in path for paths in told for path in paths)


async def test_a_watch_on_a_file_outlives_its_replacement(connect_stdio, project):
    """Ours: the reference server's is silent from then on, and editors replace files."""
    client = await connect_stdio()
    file, other = project / "f", project / "g"
    file.write_text("1")
    await watch(client, file)

    for text in ("2", "3"):
        other.write_text(text)
        other.replace(file)
        await hears(client, "w", file)
        file.write_text(text * 2)
        await hears(client, "w", file)


async def test_our_own_writes_are_told_as_what_they_write(connect_stdio, project):
    """Observed: whatever is written beside the file first is nobody's business."""
    client = await connect_stdio()
    await watch(client, project)
    params = FsWriteFileParams(path=str(project / "f"), data_base64="eA==")
    await client.call(FS_WRITE_FILE, params)
    await client.call(FS_WRITE_FILE, params)

    await hears(client, "w", project / "f")

    told = [h.params.changed_paths for h in client.heard if h.method == FS_CHANGED.name]
    assert {path for paths in told for path in paths} == {str(project / "f")}


async def test_what_is_not_there_yet_can_be_watched(connect_stdio, project):
    """Observed, also where the folders above are missing."""
    client = await connect_stdio()
    file = project / "a" / "b" / "f"
    await watch(client, file)

    file.parent.mkdir(parents=True)
    file.write_text("1")
    await hears(client, "w", file)
    file.write_text("2")
    await hears(client, "w", file)


async def test_a_folder_that_comes_back_is_still_watched(connect_stdio, project):
    """Ours: a build may remove and make it at any time."""
    client = await connect_stdio()
    folder = project / "d"
    folder.mkdir()
    await watch(client, folder)

    folder.rmdir()
    await hears(client, "w", folder)
    folder.mkdir()
    await hears(client, "w", folder)
    (folder / "f").touch()
    await hears(client, "w", folder / "f")


async def test_an_id_is_free_when_its_watch_has_ended(connect_stdio, project):
    """Observed: and ending one that is not there is no error."""
    client = await connect_stdio()
    await watch(client, project)
    again = await refusal(client, "fs/watch", path=str(project), watchId="w")
    assert again == (INVALID_REQUEST, "watchId already exists: w")

    await client.call(FS_UNWATCH, FsUnwatchParams(watch_id="w"))
    await client.call(FS_UNWATCH, FsUnwatchParams(watch_id="w"))
    await watch(client, project / "a")
    await watch(client, project, "other")
    (project / "b").touch()
    await hears(client, "other", project / "b")

    heard = {h.params.watch_id for h in client.heard if h.method == FS_CHANGED.name}
    assert heard == {"other"}


async def test_a_connection_has_a_bounded_number_of_watches(connect_stdio, project):
    """Ours: the system's are for everybody."""
    client = await connect_stdio()
    for n in range(WATCHES):
        await watch(client, project, str(n))

    code, text = await refusal(client, "fs/watch", path=str(project), watchId="more")

    assert (code, "unwatch some first" in text) == (INVALID_REQUEST, True)


async def test_watches_belong_to_the_connection(connect_ws, project):
    """Observed: the same id may be used by another, and both hear their own."""
    one, other = await connect_ws(), await connect_ws()
    (project / "d").mkdir()
    await watch(one, project)
    await watch(other, project / "d")

    (project / "a").touch()
    await hears(one, "w", project / "a")
    (project / "d" / "b").touch()
    await hears(other, "w", project / "d" / "b")

    assert not any(h.method == FS_CHANGED.name and "/a" in str(h.params) for h in other.heard)


async def test_a_hung_read_holds_up_nobody(connect_stdio, project):
    """Ours: the one that waits for a FIFO's writer is refused, and others are answered."""
    client = await connect_stdio()
    os.mkfifo(project / "fifo")
    for _ in range(20):
        await refusal(client, "fs/readFile", path=str(project / "fifo"))

    await client.call(THREAD_LOADED_LIST, ThreadLoadedListParams())
